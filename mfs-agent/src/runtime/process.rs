//! Processes by clone(2) and execveat(2).
//!
//! Until it becomes the program, the new process runs in this one's memory, while the thread that
//! started it waits. So it makes system calls and nothing else.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::arch::{asm, naked_asm};
use core::cell::Cell;
use core::ffi::{c_char, c_void};
use core::ptr;

use mfs_agent::processes::{Exit, Process, Processes, Program};
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, Result, fcntl_dupfd_cloexec};
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process_group, wait, waitpid,
};

/// `CLONE_VM | CLONE_VFORK | CLONE_NEWIPC | CLONE_NEWNET | SIGCHLD`: in this memory until it is a
/// program, with no network and no System V objects but its own.
const FLAGS: usize = 0x0000_0100 | 0x0000_4000 | 0x0800_0000 | 0x4000_0000 | 0x11;

/// What the few calls before the program need; nothing of it is a signal handler's or a lock's.
const STACK: usize = 32 << 10;

/// How many processes and threads the program's user may have.
const MOST_PROCESSES: u64 = 256;

/// Starts processes.
pub(crate) struct KernelProcesses;

impl Processes for KernelProcesses {
    fn start(&self, program: &Program<'_>) -> Result<Box<dyn Process>> {
        // Above those numbers that the new process gives its own meaning.
        let keep = |file: BorrowedFd<'_>| fcntl_dupfd_cloexec(file, 3);
        let (file, directory) = (keep(program.file)?, keep(program.directory)?);
        let (input, output) = (keep(program.input)?, keep(program.output)?);
        let mut arguments: Vec<*const c_char> =
            program.arguments.iter().map(|argument| argument.as_ptr()).collect();
        arguments.push(ptr::null());
        let environment = [ptr::null()];
        let plan = Plan {
            file: number(&file)?,
            directory: number(&directory)?,
            input: number(&input)?,
            output: number(&output)?,
            arguments: arguments.as_ptr(),
            environment: environment.as_ptr(),
            groups: program.groups.as_ptr(),
            group_count: program.groups.len(),
            uid: usize::try_from(program.uid).map_err(|_| Errno::INVAL)?,
            gid: usize::try_from(program.gid).map_err(|_| Errno::INVAL)?,
            errno: Cell::new(0),
        };
        let mut stack: Vec<u128> = Vec::new();
        stack.try_reserve_exact(STACK / size_of::<u128>()).map_err(|_| Errno::NOMEM)?;
        let top = stack.as_mut_ptr().wrapping_byte_add(STACK).cast::<c_void>();
        // SAFETY: the top is the end of memory that is reserved above and used by nobody, aligned
        // as its elements are, to 16 bytes. With CLONE_VFORK this thread goes on when the new
        // process has become a program or is gone, so it outlives neither plan nor stack, nor
        // what the plan points to.
        let result = unsafe { clone(FLAGS, top, &raw const plan) };
        let id = i32::try_from(result).unwrap_or(0);
        if id <= 0 {
            return Err(Errno::from_raw_os_error(id.wrapping_neg()));
        }
        let mut child = Child { pid: Pid::from_raw(id).ok_or(Errno::SRCH)?, exit: None };
        match plan.errno.get() {
            0 => Ok(Box::new(child)),
            errno => {
                child.end_all();
                Err(Errno::from_raw_os_error(errno))
            }
        }
    }
}

fn number(file: &OwnedFd) -> Result<usize> {
    usize::try_from(file.as_raw_fd()).map_err(|_| Errno::BADF)
}

/// A process that was started.
struct Child {
    pid: Pid,
    exit: Option<Exit>,
}

impl Process for Child {
    fn poll(&mut self) -> Result<Option<Exit>> {
        if self.exit.is_none()
            && let Some((_, status)) = waitpid(Some(self.pid), WaitOptions::NOHANG)?
        {
            self.exit = exit_of(status);
        }
        Ok(self.exit)
    }

    fn end_all(&mut self) {
        if getpid() == Pid::INIT {
            // As PID 1 this program has no processes beside it but what it started, and they may
            // have left their group. In the kernel's eyes "group 1" is every other process.
            let _ = kill_process_group(Pid::INIT, Signal::KILL);
            loop {
                match wait(WaitOptions::empty()) {
                    Ok(Some((pid, status))) if pid == self.pid => {
                        self.exit = self.exit.or(exit_of(status));
                    }
                    // Those whose parents are gone are this program's too.
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(_) => return,
                }
            }
        }
        let _ = kill_process_group(self.pid, Signal::KILL);
        while self.exit.is_none() {
            match waitpid(Some(self.pid), WaitOptions::empty()) {
                Ok(Some((_, status))) => self.exit = exit_of(status),
                Ok(None) | Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }
}

fn exit_of(status: WaitStatus) -> Option<Exit> {
    let status_number = status.exit_status().map(Exit::Status);
    status_number.or_else(|| status.terminating_signal().map(Exit::Signal))
}

/// What the new process needs to know, as plain as the kernel takes it.
struct Plan {
    file: usize,
    directory: usize,
    input: usize,
    output: usize,
    arguments: *const *const c_char,
    environment: *const *const c_char,
    groups: *const u32,
    group_count: usize,
    uid: usize,
    gid: usize,
    /// Set by the new process if it doesn't become the program.
    errno: Cell<i32>,
}

/// The new process, from its first instruction to the program's.
unsafe extern "C" fn become_program(plan: *const Plan) -> ! {
    // SAFETY: the caller of `clone` gave the pointer, and keeps the plan until this process is a
    // program or gone.
    let plan = unsafe { &*plan };
    // SAFETY: all pointers are of the plan; the calls touch no memory but what they point to.
    let result = unsafe { change_into(plan) };
    plan.errno.set(i32::try_from(result.wrapping_neg()).unwrap_or(0));
    // SAFETY: exit_group(2) ends this process alone, as it is no thread of the other, and doesn't
    // return.
    unsafe {
        asm!("syscall", in("rax") 231, in("rdi") 127, options(noreturn, nostack));
    }
}

/// Gives up everything that is root's, and becomes the program; the negative error number if
/// that fails.
///
/// # Safety
/// The plan's pointers are valid.
unsafe fn change_into(plan: &Plan) -> isize {
    const NO_NEW_PRIVILEGES: usize = 38;
    const LIMIT_CORE: usize = 4;
    const LIMIT_PROCESSES: usize = 6;
    const CLOSE_ON_EXEC: usize = 4;
    const EMPTY_PATH: usize = 0x1000;
    let no_core = [0_u64; 2];
    let few_processes = [MOST_PROCESSES; 2];
    let calls: [(usize, [usize; 6]); 13] = [
        // setsid, so that its signals are its own.
        (112, [0; 6]),
        // dup3 for the three streams.
        (292, [plan.input, 0, 0, 0, 0, 0]),
        (292, [plan.output, 1, 0, 0, 0, 0]),
        (292, [plan.output, 2, 0, 0, 0, 0]),
        // close_range: no file of this program stays open, whatever it was opened with.
        (436, [3, u32::MAX as usize, CLOSE_ON_EXEC, 0, 0, 0]),
        // umask
        (95, [0o007, 0, 0, 0, 0, 0]),
        // prlimit64
        (302, [0, LIMIT_CORE, no_core.as_ptr() as usize, 0, 0, 0]),
        (302, [0, LIMIT_PROCESSES, few_processes.as_ptr() as usize, 0, 0, 0]),
        // setgroups, setresgid, setresuid: with the last the capabilities are gone.
        (116, [plan.group_count, plan.groups as usize, 0, 0, 0, 0]),
        (119, [plan.gid; 6]),
        (117, [plan.uid; 6]),
        (157, [NO_NEW_PRIVILEGES, 1, 0, 0, 0, 0]),
        // fchdir as the user: a file server may let root in nowhere.
        (81, [plan.directory, 0, 0, 0, 0, 0]),
    ];
    for (number, arguments) in calls {
        // SAFETY: pointers among the arguments are to the plan's data or to the arrays above.
        let result = unsafe { call(number, arguments) };
        if result < 0 {
            return result;
        }
    }
    let arguments = plan.arguments as usize;
    let environment = plan.environment as usize;
    let path = c"".as_ptr() as usize;
    // SAFETY: both arrays end with a null pointer; the path is a constant.
    unsafe { call(322, [plan.file, path, arguments, environment, EMPTY_PATH, 0]) }
}

/// A system call.
///
/// # Safety
/// That of the call.
unsafe fn call(number: usize, arguments: [usize; 6]) -> isize {
    let result;
    // SAFETY: the kernel changes rax, rcx and r11 only, and what the caller answers for.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") arguments[0],
            in("rsi") arguments[1],
            in("rdx") arguments[2],
            in("r10") arguments[3],
            in("r8") arguments[4],
            in("r9") arguments[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// clone(2). In the caller the result is the new process's id or a negative error number; the new
/// process calls [`become_program`].
///
/// # Safety
/// `stack` is the end of a stack that nobody uses, aligned to 16 bytes; it and the plan stay valid
/// as long as the new process is in this memory.
#[unsafe(naked)]
unsafe extern "C" fn clone(flags: usize, stack: *mut c_void, plan: *const Plan) -> isize {
    naked_asm!(
        // The system call destroys rcx and r11.
        "mov r9, rdx",
        "xor edx, edx",
        "xor r10d, r10d",
        "xor r8d, r8d",
        "mov eax, 56",
        "syscall",
        "test rax, rax",
        "jz 2f",
        "ret",
        "2:",
        "xor ebp, ebp",
        "mov rdi, r9",
        "call {become_program}",
        "ud2",
        become_program = sym become_program,
    )
}
