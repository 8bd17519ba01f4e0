//! Threads by clone(2), on stacks with a guard page.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::arch::naked_asm;
use core::ffi::c_void;
use core::mem::transmute;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};

use mfs_agent::threads::{Body, Join, Threads};
use rustix::io::{Errno, Result};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use rustix::thread::futex;

/// Room for the deepest calls of a worker; pages that are never touched cost nothing.
const STACK: usize = 1 << 20;
/// Below the stack: running over it is a fault instead of silent damage.
const GUARD: usize = 4096;

/// `CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
/// CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID`.
const FLAGS: usize = 0x0000_0100
    | 0x0000_0200
    | 0x0000_0400
    | 0x0000_0800
    | 0x0001_0000
    | 0x0004_0000
    | 0x0010_0000
    | 0x0020_0000;

/// Starts threads.
pub(crate) struct KernelThreads;

impl Threads for KernelThreads {
    fn start(&self, body: Body) -> Result<Box<dyn Join>> {
        let thread = Thread::start(body)?;
        Ok(Box::new(thread))
    }

    fn scope(&self, count: usize, body: &(dyn Fn(usize) + Sync)) {
        // SAFETY: only the lifetime changes. Every thread that borrows `body` is joined before
        // this function returns, and nothing unwinds past the joins: panics abort.
        let body: &'static (dyn Fn(usize) + Sync) = unsafe { transmute(body) };
        let mut threads = Vec::new();
        let mut refused = Vec::new();
        for index in 0..count {
            match Thread::start(Box::new(move || body(index))) {
                Ok(thread) => threads.push(thread),
                Err(_) => refused.push(index),
            }
        }
        refused.into_iter().for_each(body);
        threads.into_iter().for_each(Thread::wait);
    }
}

/// A thread, and what must be freed after it. Dropped without [`Thread::wait`] it keeps its
/// stack for ever, since it may still be running on it.
struct Thread {
    stack: *mut c_void,
    /// The thread's id; the kernel clears it when the thread is gone, and wakes who waits.
    id: Box<AtomicU32>,
}

// SAFETY: the pointer is to the thread's own mapping, which only `wait` frees.
unsafe impl Send for Thread {}

impl Join for Thread {
    fn join(self: Box<Self>) {
        self.wait();
    }
}

impl Thread {
    fn start(body: Body) -> Result<Self> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::STACK;
        let writable = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a mapping at an address of the kernel's choice touches nothing that exists.
        let stack = unsafe { mmap_anonymous(ptr::null_mut(), GUARD + STACK, writable, flags) }?;
        // SAFETY: the mapping was made above, and nobody knows it yet.
        if let Err(errno) = unsafe { mprotect(stack, GUARD, MprotectFlags::empty()) } {
            // SAFETY: as above.
            let _ = unsafe { munmap(stack, GUARD + STACK) };
            return Err(errno);
        }
        let id = Box::new(AtomicU32::new(0));
        let id_at = id.as_ptr();
        // Boxed twice: the outer pointer is a thin one.
        let body = Box::into_raw(Box::new(body));
        // SAFETY: the top is inside the mapping and 16-byte aligned; `id` lives in the heap until
        // the thread is joined, or for ever; `enter` takes over `body`.
        let result = unsafe { clone(FLAGS, stack.byte_add(GUARD + STACK), id_at, id_at, body) };
        if result < 0 {
            // SAFETY: there is no thread, so both are still only known here.
            unsafe {
                drop(Box::from_raw(body));
                let _ = munmap(stack, GUARD + STACK);
            }
            let code = i32::try_from(result.wrapping_neg()).unwrap_or(0);
            return Err(Errno::from_raw_os_error(code));
        }
        Ok(Self { stack, id })
    }

    /// Waits for the end of the thread and frees its stack.
    fn wait(self) {
        loop {
            let id = self.id.load(Ordering::Acquire);
            if id == 0 {
                break;
            }
            // The kernel's wake at the end of a thread is not a private one.
            let _ = futex::wait(&self.id, futex::Flags::empty(), id, None);
        }
        // SAFETY: the thread is gone, and nobody else knows the mapping.
        let _ = unsafe { munmap(self.stack, GUARD + STACK) };
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if self.id.load(Ordering::Acquire) != 0 {
            // The kernel will write to it when the thread ends.
            core::mem::forget(core::mem::replace(&mut self.id, Box::new(AtomicU32::new(0))));
        }
    }
}

/// Where a thread begins.
unsafe extern "C" fn enter(body: *mut Body) -> ! {
    // SAFETY: `Thread::start` made the pointer from a box and gave it away.
    let body = unsafe { Box::from_raw(body) };
    body();
    exit_thread()
}

/// exit(2): ends this thread only.
fn exit_thread() -> ! {
    // SAFETY: the system call doesn't return.
    unsafe {
        core::arch::asm!(
            "syscall",
            in("rax") 60,
            in("rdi") 0,
            options(noreturn),
        )
    }
}

/// clone(2). In the parent the result is the new thread's id or a negative error number; the
/// thread itself calls [`enter`] with `body`.
///
/// # Safety
/// `stack` is the end of a stack that nobody uses, aligned to 16 bytes; the id pointers stay
/// valid as long as the thread; `body` is of [`Box::into_raw`].
#[unsafe(naked)]
unsafe extern "C" fn clone(
    flags: usize,
    stack: *mut c_void,
    parent_id: *mut u32,
    child_id: *mut u32,
    body: *mut Body,
) -> isize {
    naked_asm!(
        // The system call destroys rcx and r11, and takes its fourth argument in r10.
        "mov r10, rcx",
        "mov r9, r8",
        "mov eax, 56",
        "syscall",
        "test rax, rax",
        "jz 2f",
        "ret",
        "2:",
        "xor ebp, ebp",
        "mov rdi, r9",
        "call {enter}",
        "ud2",
        enter = sym enter,
    )
}
