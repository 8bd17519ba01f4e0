//! The blocks of the log: descriptors with their tags, revocations and commits.

use crate::error::{CorruptKind, ErrorKind, Place, Result};
use crate::layout::Layout;

use super::header::{Checksums, Header};
use crate::filesystem::checksum::Crc32c;

/// The mark of every block of the log but data.
pub(super) const MAGIC: u32 = 0xc03b_3998;
/// The size of what all of them begin with, in bytes.
const HEAD: usize = 12;
/// The size of the checksum at the end of descriptors and revocations, in bytes.
const TAIL: usize = 4;

/// The big-endian number at `AT`.
pub(super) fn be32<const AT: usize, const N: usize>(layout: Layout<'_, N>) -> u32 {
    u32::from_be_bytes(layout.array::<AT, 4>())
}

/// Whether transaction `sequence` comes after `other`. The numbers wrap.
pub(super) fn is_later(sequence: u32, other: u32) -> bool {
    let ahead = sequence.wrapping_sub(other);
    ahead != 0 && ahead < 1 << 31
}

/// The kinds of blocks that the log consists of, beside data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Says where the data blocks that follow belong.
    Descriptor,
    /// Ends a transaction.
    Commit,
    /// Names blocks of earlier transactions that must not be taken over.
    Revoke,
}

/// The kind of a block that belongs to transaction `sequence`; `None` if it doesn't.
pub(super) fn kind(block: &[u8], sequence: u32) -> Option<Kind> {
    let head = Layout::<HEAD>::new(block)?;
    if be32::<0, HEAD>(head) != MAGIC || be32::<8, HEAD>(head) != sequence {
        return None;
    }
    match be32::<4, HEAD>(head) {
        1 => Some(Kind::Descriptor),
        2 => Some(Kind::Commit),
        5 => Some(Kind::Revoke),
        _ => None,
    }
}

/// What came of checking a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// It is right, or there is none.
    Right,
    Wrong,
}

impl Checked {
    fn new(right: bool) -> Self {
        if right { Self::Right } else { Self::Wrong }
    }

    /// Fails if the checksum is wrong.
    pub(super) fn or_fail(self) -> Result<()> {
        match self {
            Self::Right => Ok(()),
            Self::Wrong => Err(ErrorKind::Corrupt(CorruptKind::JournalChecksum).into()),
        }
    }
}

/// Checks the checksum of a block whose bytes `at` hold it.
fn check_at(header: &Header, block: &[u8], at: usize) -> Checked {
    let Checksums::Blocks { seed } = header.checksums else {
        return Checked::Right;
    };
    let right = || {
        let stored = be32::<0, 4>(Layout::at(block, at)?);
        let rest = block.get(at.checked_add(4)?..)?;
        Some(seed.add(block.get(..at)?).add(&[0; 4]).add(rest).get() == stored)
    };
    Checked::new(right().unwrap_or(false))
}

/// Checks a descriptor or a revocation.
pub(super) fn check_block(header: &Header, block: &[u8]) -> Checked {
    check_at(header, block, block.len().saturating_sub(TAIL))
}

/// A commit block.
pub(super) struct Commit<'a> {
    block: &'a [u8],
    layout: Layout<'a, 60>,
}

impl<'a> Commit<'a> {
    pub(super) fn new(block: &'a [u8]) -> Result<Self> {
        let short = || ErrorKind::Truncated.at(Place::Whole);
        Ok(Self { block, layout: Layout::new(block).ok_or_else(short)? })
    }

    /// When it was written, in seconds.
    pub(super) fn seconds(&self) -> u64 {
        u64::from_be_bytes(self.layout.array::<0x30, 8>())
    }

    /// Checks the block itself.
    pub(super) fn check(&self, header: &Header) -> Checked {
        check_at(header, self.block, 0x10)
    }

    /// Checks a version 1 checksum of the transaction. It is optional.
    pub(super) fn check_transaction(&self, sum: u32) -> Checked {
        let stored = be32::<0x10, 60>(self.layout);
        let (kind, size) = (self.layout.u8::<0xc>(), self.layout.u8::<0xd>());
        let unused = (kind, size, stored) == (0, 0, 0);
        Checked::new(unused || (kind, size, stored) == (1, 4, sum))
    }
}

/// The blocks that a revocation names.
pub(super) fn revoked_blocks<'a>(
    header: &Header,
    block: &'a [u8],
) -> Result<impl Iterator<Item = u64> + use<'a>> {
    const FIRST: usize = 16;
    let corrupt = || ErrorKind::Corrupt(CorruptKind::JournalLog).at(Place::Whole);
    let layout = Layout::<FIRST>::new(block).ok_or_else(corrupt)?;
    // The bytes in use, these sixteen included.
    let used = usize::try_from(be32::<0xc, FIRST>(layout)).map_err(|_| corrupt())?;
    if used > block.len().saturating_sub(tail(header)) {
        return Err(corrupt());
    }
    let width = if header.sixty_four_bit { 8 } else { 4 };
    let entries = block.get(FIRST..used.max(FIRST)).ok_or_else(corrupt)?;
    Ok(entries.chunks_exact(width).map(|entry| {
        entry.iter().fold(0, |number: u64, byte| number.wrapping_shl(8) | u64::from(*byte))
    }))
}

/// The bytes at the end of a block that are not for its contents.
fn tail(header: &Header) -> usize {
    if header.checks_blocks() { TAIL } else { 0 }
}

/// The size of a tag: with 32-bit checksums all fields are there; else the high half of the
/// number is there only with 64-bit numbers, and version 2 adds two bytes.
pub(super) fn tag_bytes(version_2: bool, version_3: bool, sixty_four_bit: bool) -> usize {
    match (version_3, version_2, sixty_four_bit) {
        (true, ..) => 16,
        (false, true, true) => 14,
        (false, true, false) => 10,
        (false, false, true) => 12,
        (false, false, false) => 8,
    }
}

/// What a descriptor says about a data block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// The block of the file system to which the data belong.
    pub(super) block: u64,
    /// The data began with the mark of the log's blocks, and zeros were written instead.
    pub(super) escaped: bool,
    checksum: u32,
}

const FLAG_ESCAPED: u16 = 1;
const FLAG_SAME_UUID: u16 = 2;
const FLAG_LAST: u16 = 8;

impl Tag {
    /// Checks the data as they lie in the log.
    pub(super) fn check(self, header: &Header, sequence: u32, data: &[u8]) -> Checked {
        let Checksums::Blocks { seed } = header.checksums else {
            return Checked::Right;
        };
        let sum: Crc32c = seed.add(&sequence.to_be_bytes()).add(data);
        let sum = if header.tag_checksum_32 { sum.get() } else { sum.low().into() };
        Checked::new(sum == self.checksum)
    }
}

/// The tags of a descriptor.
pub(super) fn tags<'a>(header: &'a Header, block: &'a [u8]) -> Tags<'a> {
    let end = block.len().saturating_sub(tail(header));
    Tags { header, rest: block.get(HEAD..end).unwrap_or_default() }
}

/// See [`tags`].
pub(super) struct Tags<'a> {
    header: &'a Header,
    rest: &'a [u8],
}

impl Iterator for Tags<'_> {
    type Item = Tag;

    fn next(&mut self) -> Option<Tag> {
        const UUID: usize = 16;
        let bytes = self.rest.get(..self.header.tag_bytes)?;
        let base = Layout::<8>::new(bytes)?;
        let flags = u16::from_be_bytes(base.array::<6, 2>());
        let high = Layout::<4>::at(bytes, 8).filter(|_| self.header.sixty_four_bit);
        let checksum = match Layout::<4>::at(bytes, 12).filter(|_| self.header.tag_checksum_32) {
            Some(checksum) => be32::<0, 4>(checksum),
            None => u16::from_be_bytes(base.array::<4, 2>()).into(),
        };
        let mut len = self.header.tag_bytes;
        if flags & FLAG_SAME_UUID == 0 {
            len = len.saturating_add(UUID);
        }
        self.rest =
            if flags & FLAG_LAST == 0 { self.rest.get(len..).unwrap_or_default() } else { &[] };
        Some(Tag {
            block: u64::from(high.map_or(0, |high| be32::<0, 4>(high))) << 32
                | u64::from(be32::<0, 8>(base)),
            escaped: flags & FLAG_ESCAPED != 0,
            checksum,
        })
    }
}
