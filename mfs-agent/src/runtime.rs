//! What a C library would do for the program: its start, memory functions, threads, processes,
//! heap, and what takes addresses.
//!
//! All unsafe code of the agent is in this module. The rest of the program is safe code on top
//! of rustix, which makes system calls itself.

mod heap;
mod memory;
mod packet;
mod process;
mod ranges;
mod thread;

pub(crate) use packet::KernelPackets;
pub(crate) use process::KernelProcesses;
pub(crate) use ranges::KernelRanges;
pub(crate) use thread::KernelThreads;

use core::arch::naked_asm;

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
compile_error!("the agent's runtime is written for x86-64 Linux");

#[global_allocator]
static HEAP: heap::Heap = heap::Heap;

/// Where the kernel starts the program.
///
/// The stack pointer is made what the ABI promises to a function: 16-byte aligned at the call.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn _start() -> ! {
    naked_asm!(
        "xor ebp, ebp",
        "and rsp, -16",
        "call {main}",
        "ud2",
        main = sym main,
    )
}

extern "C" fn main() -> ! {
    crate::main()
}

/// The prebuilt `alloc` names this even though nothing unwinds.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// As [`rust_eh_personality`].
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    unreachable!()
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    crate::panicked(info)
}
