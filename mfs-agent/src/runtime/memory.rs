//! The memory functions that compiled code calls.
//!
//! Written in assembly: a loop in Rust may be compiled to a call of the very function it is in.
//! All loads of a short block come before its stores, so that the copies work with overlap.

use core::arch::naked_asm;

/// Copies `len` bytes; the areas may overlap.
///
/// # Safety
/// Both areas must be valid for `len` bytes.
#[cfg_attr(not(test), unsafe(no_mangle))]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    naked_asm!(
        "mov rax, rdi",
        "cmp rdx, 16",
        "jb 30f",
        "cmp rdx, 32",
        "ja 40f",
        // 16 to 32 bytes: two halves that may overlap.
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + rdx - 16]",
        "movups [rdi], xmm0",
        "movups [rdi + rdx - 16], xmm1",
        "ret",
        "40:",
        "mov rcx, rdi",
        "sub rcx, rsi",
        "cmp rcx, rdx",
        // Unsigned: true only if the target begins inside the source.
        "jb 20f",
        // Forwards, 32 bytes at a time; the last 32 are loaded first and stored last.
        "movups xmm2, [rsi + rdx - 32]",
        "movups xmm3, [rsi + rdx - 16]",
        "lea r8, [rdi + rdx - 32]",
        "41:",
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + 16]",
        "movups [rdi], xmm0",
        "movups [rdi + 16], xmm1",
        "add rsi, 32",
        "add rdi, 32",
        "cmp rdi, r8",
        "jb 41b",
        "movups [r8], xmm2",
        "movups [r8 + 16], xmm3",
        "ret",
        // Backwards; the first 32 are loaded first and stored last.
        "20:",
        "movups xmm2, [rsi]",
        "movups xmm3, [rsi + 16]",
        "21:",
        "movups xmm0, [rsi + rdx - 32]",
        "movups xmm1, [rsi + rdx - 16]",
        "movups [rdi + rdx - 32], xmm0",
        "movups [rdi + rdx - 16], xmm1",
        "sub rdx, 32",
        "cmp rdx, 32",
        "ja 21b",
        "movups [rdi], xmm2",
        "movups [rdi + 16], xmm3",
        "ret",
        // Fewer than 16 bytes.
        "30:",
        "cmp rdx, 8",
        "jb 31f",
        "mov rcx, [rsi]",
        "mov r8, [rsi + rdx - 8]",
        "mov [rdi], rcx",
        "mov [rdi + rdx - 8], r8",
        "ret",
        "31:",
        "cmp rdx, 4",
        "jb 32f",
        "mov ecx, [rsi]",
        "mov r8d, [rsi + rdx - 4]",
        "mov [rdi], ecx",
        "mov [rdi + rdx - 4], r8d",
        "ret",
        "32:",
        "test rdx, rdx",
        "jz 33f",
        // 1 to 3 bytes: the first, the middle one and the last.
        "movzx ecx, byte ptr [rsi]",
        "movzx r8d, byte ptr [rsi + rdx - 1]",
        "mov r9, rdx",
        "shr r9, 1",
        "movzx r10d, byte ptr [rsi + r9]",
        "mov [rdi], cl",
        "mov [rdi + r9], r10b",
        "mov [rdi + rdx - 1], r8b",
        "33:",
        "ret",
    )
}

/// Copies `len` bytes.
///
/// # Safety
/// As [`memmove`].
#[cfg_attr(not(test), unsafe(no_mangle))]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    naked_asm!("jmp {memmove}", memmove = sym memmove)
}

/// Sets `len` bytes to the lowest byte of `value`.
///
/// # Safety
/// The area must be valid for `len` bytes.
#[cfg_attr(not(test), unsafe(no_mangle))]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn memset(to: *mut u8, value: i32, len: usize) -> *mut u8 {
    naked_asm!(
        "mov rax, rdi",
        "movzx ecx, sil",
        "mov r8, 0x0101010101010101",
        "imul rcx, r8",
        "cmp rdx, 16",
        "jb 30f",
        "movq xmm0, rcx",
        "punpcklqdq xmm0, xmm0",
        "lea r8, [rdi + rdx - 16]",
        // 16 bytes at a time, then the last 16.
        "40:",
        "movups [rdi], xmm0",
        "add rdi, 16",
        "cmp rdi, r8",
        "jb 40b",
        "movups [r8], xmm0",
        "ret",
        "30:",
        "cmp rdx, 8",
        "jb 31f",
        "mov [rdi], rcx",
        "mov [rdi + rdx - 8], rcx",
        "ret",
        "31:",
        "cmp rdx, 4",
        "jb 32f",
        "mov [rdi], ecx",
        "mov [rdi + rdx - 4], ecx",
        "ret",
        "32:",
        "test rdx, rdx",
        "jz 33f",
        "mov [rdi], cl",
        "mov [rdi + rdx - 1], cl",
        "shr rdx, 1",
        "mov [rdi + rdx], cl",
        "33:",
        "ret",
    )
}

/// Below zero, zero or above zero, as the first area is before, the same as or after the second.
///
/// # Safety
/// Both areas must be valid for `len` bytes.
#[cfg_attr(not(test), unsafe(no_mangle))]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, len: usize) -> i32 {
    naked_asm!(
        "xor ecx, ecx",
        // Eight bytes at a time while there are as many, then one at a time.
        "40:",
        "lea r8, [rcx + 8]",
        "cmp r8, rdx",
        "ja 20f",
        "mov rax, [rdi + rcx]",
        "mov r9, [rsi + rcx]",
        "cmp rax, r9",
        "jne 41f",
        "mov rcx, r8",
        "jmp 40b",
        "41:",
        "bswap rax",
        "bswap r9",
        "cmp rax, r9",
        "sbb eax, eax",
        "or eax, 1",
        "ret",
        "20:",
        "cmp rcx, rdx",
        "jae 30f",
        "movzx eax, byte ptr [rdi + rcx]",
        "movzx r9d, byte ptr [rsi + rcx]",
        "inc rcx",
        "sub eax, r9d",
        "jz 20b",
        "ret",
        "30:",
        "xor eax, eax",
        "ret",
    )
}

/// Zero if both areas hold the same.
///
/// # Safety
/// As [`memcmp`].
#[cfg_attr(not(test), unsafe(no_mangle))]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, len: usize) -> i32 {
    naked_asm!("jmp {memcmp}", memcmp = sym memcmp)
}

/// The number of bytes before the first zero byte.
///
/// # Safety
/// There must be one.
#[cfg_attr(not(test), unsafe(no_mangle))]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn strlen(text: *const u8) -> usize {
    naked_asm!("mov rax, -1", "40:", "inc rax", "cmp byte ptr [rdi + rax], 0", "jne 40b", "ret",)
}
