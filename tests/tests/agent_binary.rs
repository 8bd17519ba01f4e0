//! The agent is one static program without a C library: what other programs find in it.
#![expect(clippy::panic_in_result_fn, reason = "a test fails by panicking")]

use std::fs;

use anyhow::Result;
use object::elf::{ET_EXEC, PT_DYNAMIC, PT_INTERP};
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{Object, ObjectSymbol, SymbolKind};
use xtask::apt;
use xtask::command::{stdout, tool};
use xtask::mfs::{build_agent, build_agent_with};

/// The budget of initramfs/virtio.toml.
const BUDGET: usize = 1 << 20;

#[test]
fn the_agent_is_one_static_program_without_a_c_library() -> Result<()> {
    apt::ensure(apt::BINARY_TOOLS)?;
    // One after the other: each replaces the other's file.
    let stripped = build_agent(&[])?;
    let bytes = fs::read(&stripped)?;
    assert!(bytes.len() <= BUDGET, "{} bytes", bytes.len());
    let dynamic = stdout(tool("readelf").arg("-d").arg(&stripped))?;
    assert!(dynamic.contains("There is no dynamic section in this file."), "{dynamic}");
    check_segments(&bytes)?;

    let full = build_agent_with(&[], &["strip=false"])?;
    assert_eq!(stdout(tool("nm").arg("--undefined-only").arg(&full))?, "");
    let all = stdout(tool("nm").arg(&full))?;
    for own in [" _start", " memcpy", " memmove", " memset", " memcmp"] {
        assert!(all.lines().any(|line| line.ends_with(own)), "the agent has no{own}");
    }
    for foreign in
        ["__libc_start_main", " malloc", " pthread_create", " printf", " __errno_location"]
    {
        assert!(!all.lines().any(|line| line.ends_with(foreign)), "the agent has{foreign}");
    }
    check_symbols(&fs::read(&full)?)
}

/// What the kernel sees: nothing to load the program with, and no memory that is both written
/// and run.
fn check_segments(bytes: &[u8]) -> Result<()> {
    let file = ElfFile64::<object::Endianness>::parse(bytes)?;
    let endian = file.endian();
    assert_eq!(file.elf_header().e_type(endian), ET_EXEC);
    for segment in file.elf_program_headers() {
        let kind = segment.p_type(endian);
        assert!(kind != PT_DYNAMIC && kind != PT_INTERP, "a segment of type {kind}");
        let flags = segment.p_flags(endian);
        assert_ne!(flags & 3, 3, "a segment that can be written and run");
    }
    Ok(())
}

fn check_symbols(bytes: &[u8]) -> Result<()> {
    let file = ElfFile64::<object::Endianness>::parse(bytes)?;
    let functions = file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text).count();
    assert!(functions > 100, "only {functions} functions: stripped?");
    let undefined: Vec<_> = file
        .symbols()
        // The first entry of each table is empty.
        .filter(|symbol| symbol.is_undefined() && symbol.index().0 != 0)
        .filter_map(|symbol| symbol.name().ok())
        .collect();
    assert_eq!(undefined, Vec::<&str>::new());
    Ok(())
}
