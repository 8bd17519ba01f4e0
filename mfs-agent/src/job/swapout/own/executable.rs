//! A copy of a program in the node's memory that nobody can change.

use core::fmt;

use imagezip_core::digest::{Sha256, Sha256Hasher};
use rustix::fd::OwnedFd;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::{Errno, read};

use crate::failure::Os;
use crate::file::{read_at, write_all};

/// The copy.
pub(super) struct Executable {
    pub(super) file: OwnedFd,
    pub(super) size: u64,
    pub(super) digest: Sha256,
}

/// Why a program can't be run.
#[derive(Debug)]
pub(super) enum Unfit {
    /// It has more bytes than this.
    TooLarge(u64),
    /// The first bytes are those of a script.
    Script,
    /// It is none that this machine's kernel can run.
    NotForThisMachine,
    /// It needs a loader, which is not there.
    NotStatic,
    /// The operating system refuses something.
    Refused(Errno),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(limit) => write!(f, "it has more than {limit} bytes"),
            Self::Script => f.write_str(
                "it is a script, and there is no shell here; only a static program can run",
            ),
            Self::NotForThisMachine => f.write_str("it is no program for 64-bit x86 Linux"),
            Self::NotStatic => f.write_str(
                "it is not static, and there are no libraries here; link it with -static",
            ),
            Self::Refused(errno) => write!(f, "cannot copy it: {}", Os(*errno)),
        }
    }
}

impl Executable {
    /// Copies `program`, which is at its start, if it has at most `limit` bytes and could run.
    pub(super) fn copy(program: &OwnedFd, limit: u64) -> Result<Self, Unfit> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = memfd_create(c"imagezip", flags).map_err(Unfit::Refused)?;
        let (mut size, mut hasher) = (0_u64, Sha256Hasher::new());
        let mut buffer = alloc::vec![0_u8; 64 << 10];
        loop {
            let count = match read(program, &mut *buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(Unfit::Refused(errno)),
            };
            let bytes = buffer.get(..count).unwrap_or_default();
            size = size.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
            if size > limit {
                return Err(Unfit::TooLarge(limit));
            }
            hasher.update(bytes);
            write_all(&file, bytes).map_err(Unfit::Refused)?;
        }
        let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        fcntl_add_seals(&file, seals).map_err(Unfit::Refused)?;
        check_program(&file)?;
        Ok(Self { file, size, digest: hasher.finish() })
    }
}

/// The length of an ELF header and of a program header, in bytes.
const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
/// More program headers than any program has.
const MOST_HEADERS: u16 = 256;

/// Checks that the kernel can run the program by itself. That gives a better message than the
/// kernel's; it is the kernel that decides.
///
/// The fields are those of elf(5).
fn check_program(file: &OwnedFd) -> Result<(), Unfit> {
    const INTERPRETER: u32 = 3;
    let mut header = [0_u8; HEADER];
    let start = header.get_mut(..2).unwrap_or_default();
    read_at(file, 0, start).map_err(|_| Unfit::NotForThisMachine)?;
    if header.starts_with(b"#!") {
        return Err(Unfit::Script);
    }
    read_at(file, 0, &mut header).map_err(|_| Unfit::NotForThisMachine)?;
    // 64 bits, little-endian; an executable or a relocatable one; x86-64.
    let right = header.starts_with(b"\x7fELF\x02\x01")
        && matches!(u16_at(&header, 16), 2 | 3)
        && u16_at(&header, 18) == 62
        && usize::from(u16_at(&header, 54)) == PROGRAM_HEADER;
    let (table, count) = (u64_at(&header, 32), u16_at(&header, 56));
    if !right || count == 0 || count > MOST_HEADERS {
        return Err(Unfit::NotForThisMachine);
    }
    for index in 0..u64::from(count) {
        let at = index.saturating_mul(PROGRAM_HEADER as u64).saturating_add(table);
        let mut kind = [0; 4];
        read_at(file, at, &mut kind).map_err(|_| Unfit::NotForThisMachine)?;
        if u32::from_le_bytes(kind) == INTERPRETER {
            return Err(Unfit::NotStatic);
        }
    }
    Ok(())
}

fn u16_at(header: &[u8; HEADER], at: usize) -> u16 {
    let field = header.get(at..).and_then(|rest| rest.first_chunk());
    u16::from_le_bytes(field.copied().unwrap_or_default())
}

fn u64_at(header: &[u8; HEADER], at: usize) -> u64 {
    let field = header.get(at..).and_then(|rest| rest.first_chunk());
    u64::from_le_bytes(field.copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::{String, ToString};
    use std::vec::Vec;

    fn copy(content: &[u8], limit: u64) -> Result<Executable, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let program = crate::file::open(file.path()).unwrap();
        Executable::copy(&program, limit).map_err(|why| why.to_string())
    }

    /// A program with these kinds of program headers.
    fn elf(kinds: &[u32]) -> Vec<u8> {
        let mut bytes = std::vec![0; HEADER];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[16] = 2;
        bytes[18] = 62;
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = u8::try_from(kinds.len()).unwrap();
        for kind in kinds {
            bytes.extend(kind.to_le_bytes());
            bytes.extend([0; PROGRAM_HEADER - 4]);
        }
        bytes
    }

    #[test]
    fn the_copy_is_the_program_and_stays_it() {
        let program = elf(&[1, 1]);
        let copy = copy(&program, 1000).unwrap();
        assert_eq!((copy.size, copy.digest), (64 + 112, Sha256::of(&program)));
        let mut back = std::vec![0; program.len()];
        read_at(&copy.file, 0, &mut back).unwrap();
        assert!(back == program);
        assert_eq!(write_all(&copy.file, b"x"), Err(Errno::PERM));
        assert_eq!(rustix::fs::ftruncate(&copy.file, 0), Err(Errno::PERM));
    }

    #[test]
    fn what_cannot_run_is_refused_in_words() {
        let refused = |content: &[u8], words: &str| {
            let why = copy(content, 200).err().unwrap();
            assert!(why.contains(words), "{why}");
        };
        refused(&elf(&[1, 3]), "not static");
        refused(b"#!/bin/sh\n", "a script");
        refused(b"#", "no program");
        refused(b"", "no program");
        refused(&elf(&[]), "no program");
        refused(&elf(&[1])[..100 - 40], "no program");
        refused(&elf(&[1, 1, 1]), "more than 200 bytes");
        let mut other = elf(&[1]);
        other[18] = 183;
        refused(&other, "no program for 64-bit x86");
    }

    #[test]
    fn this_machines_programs_are_not_static() {
        let shell = std::fs::read("/bin/sh").unwrap();
        assert!(copy(&shell, 64 << 20).err().unwrap().contains("not static"));
    }

    proptest! {
        #[test]
        fn damage_is_refused_or_taken_but_never_worse(
            at in 0..176_usize, byte in any::<u8>(), len in 0..176_usize
        ) {
            let mut program = elf(&[1, 1]);
            program[at] = byte;
            let _ = copy(&program, 1000);
            let _ = copy(&program[..len], 1000);
        }
    }
}
