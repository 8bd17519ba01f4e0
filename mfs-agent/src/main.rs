//! PID 1 of the memory file system.
#![no_std]
#![no_main]

extern crate alloc;

#[expect(unsafe_code, reason = "the one module that may")]
mod runtime;

fn main() -> ! {
    loop {}
}

fn panicked(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
