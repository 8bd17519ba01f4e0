//! The journal's own superblock, in the first block of its file.

use core::ops::Range;

use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Place, Result};
use crate::layout::Layout;

use super::super::geometry::BlockSize;
use super::record::{self, MAGIC, be32};
use crate::filesystem::checksum::Crc32c;

/// The size of the superblock, in bytes.
const SIZE: usize = 1024;

const COMPAT_CHECKSUM: u32 = 0x1;
const INCOMPAT_64BIT: u32 = 0x2;
const INCOMPAT_ASYNC_COMMIT: u32 = 0x4;
const INCOMPAT_CHECKSUM_V2: u32 = 0x8;
const INCOMPAT_CHECKSUM_V3: u32 = 0x10;
const INCOMPAT_FAST_COMMIT: u32 = 0x20;
/// All of these, and revoke records.
const KNOWN_INCOMPAT: u32 = 0x3f;
const CHECKSUM_TYPE_CRC32C: u8 = 4;
/// The blocks for fast commits, if the superblock doesn't say how many.
const DEFAULT_FAST_COMMIT_BLOCKS: u32 = 256;
/// The fewest blocks that must be left to the log.
const MIN_LOG_BLOCKS: u32 = 1024;

/// The superblock as it lies on the disk; all numbers are big-endian.
///
/// Offsets: Linux, Documentation/filesystems/ext4, "Journal (jbd2)".
struct View<'a>(Layout<'a, SIZE>);

#[rustfmt::skip]
impl View<'_> {
    fn magic(&self) -> u32 { be32::<0x0, SIZE>(self.0) }
    fn block_type(&self) -> u32 { be32::<0x4, SIZE>(self.0) }
    fn block_size(&self) -> u32 { be32::<0xc, SIZE>(self.0) }
    fn blocks(&self) -> u32 { be32::<0x10, SIZE>(self.0) }
    fn first(&self) -> u32 { be32::<0x14, SIZE>(self.0) }
    fn sequence(&self) -> u32 { be32::<0x18, SIZE>(self.0) }
    fn start(&self) -> u32 { be32::<0x1c, SIZE>(self.0) }
    fn error(&self) -> u32 { be32::<0x20, SIZE>(self.0) }
    fn compat(&self) -> u32 { be32::<0x24, SIZE>(self.0) }
    fn incompat(&self) -> u32 { be32::<0x28, SIZE>(self.0) }
    fn ro_compat(&self) -> u32 { be32::<0x2c, SIZE>(self.0) }
    fn uuid(&self) -> [u8; 16] { self.0.array::<0x30, 16>() }
    fn checksum_type(&self) -> u8 { self.0.u8::<0x50>() }
    fn fast_commit_blocks(&self) -> u32 { be32::<0x54, SIZE>(self.0) }
    fn checksum(&self) -> u32 { be32::<0xfc, SIZE>(self.0) }
}

/// What in the log is protected by checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checksums {
    None,
    /// Version 1: whole transactions.
    Transactions,
    /// Versions 2 and 3: every block by itself, with sums that start from this.
    Blocks {
        seed: Crc32c,
    },
}

/// Where the log begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// Its first block.
    pub(super) block: u32,
    /// The number of its first transaction.
    pub(super) sequence: u32,
}

/// What the journal's superblock says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The blocks that the log may use, in a ring.
    pub(super) ring: Range<u32>,
    /// The blocks that fast commits may use.
    pub(super) fast_commits: Range<u32>,
    /// `None` if the log is empty.
    pub(super) start: Option<Start>,
    pub(super) checksums: Checksums,
    /// The size of a descriptor's tag, in bytes, without the identifier that may follow.
    pub(super) tag_bytes: usize,
    /// Whether tags have the form that came with version 3 of the checksums.
    pub(super) tag_checksum_32: bool,
    pub(super) sixty_four_bit: bool,
    /// Commit blocks were written without waiting for what they commit.
    pub(super) async_commit: bool,
}

impl Header {
    /// Takes the superblock apart of a journal whose file has `file_blocks` blocks.
    pub(super) fn parse(bytes: &[u8], block_size: BlockSize, file_blocks: u64) -> Result<Self> {
        let corrupt = || ErrorKind::Corrupt(CorruptKind::JournalSuperblock).at(Place::Whole);
        let unknown = || ErrorKind::Incompatible(IncompatibleKind::JournalFeature).at(Place::Whole);
        let view = View(Layout::new(bytes).ok_or_else(corrupt)?);
        // In version 1, the fields from the features on are not used.
        let version_2 = match (view.magic(), view.block_type()) {
            (MAGIC, 3) => false,
            (MAGIC, 4) => true,
            _ => return Err(corrupt()),
        };
        let field = |value: u32| if version_2 { value } else { 0 };
        let (compat, incompat) = (field(view.compat()), field(view.incompat()));
        if incompat & !KNOWN_INCOMPAT != 0 || field(view.ro_compat()) != 0 {
            return Err(unknown());
        }
        let has = |flag: u32| incompat & flag != 0;
        let checksums = match (
            compat & COMPAT_CHECKSUM != 0,
            has(INCOMPAT_CHECKSUM_V2),
            has(INCOMPAT_CHECKSUM_V3),
        ) {
            (false, false, false) => Checksums::None,
            (true, false, false) => Checksums::Transactions,
            (false, true, false) | (false, false, true) => {
                if view.checksum_type() != CHECKSUM_TYPE_CRC32C {
                    return Err(unknown());
                }
                if !checksum_is_right(bytes, &view) {
                    return Err(corrupt());
                }
                Checksums::Blocks { seed: Crc32c::START.add(&view.uuid()) }
            }
            _ => return Err(corrupt()),
        };
        if view.error() != 0 {
            return Err(ErrorKind::Corrupt(CorruptKind::JournalAborted).into());
        }
        let blocks = view.blocks();
        if view.block_size() != block_size.bytes() || u64::from(blocks) > file_blocks {
            return Err(corrupt());
        }
        let (end, fast_commits) = if has(INCOMPAT_FAST_COMMIT) {
            let wanted = match view.fast_commit_blocks() {
                0 => DEFAULT_FAST_COMMIT_BLOCKS,
                blocks => blocks,
            };
            let end = blocks.checked_sub(wanted).filter(|end| *end >= MIN_LOG_BLOCKS);
            let end = end.unwrap_or(blocks);
            // The block between the two is used by neither.
            (end, end.saturating_add(1)..blocks)
        } else {
            (blocks, blocks..blocks)
        };
        let ring = view.first()..end;
        let start = Start { block: view.start(), sequence: view.sequence() };
        if ring.start == 0 || ring.is_empty() || start.block != 0 && !ring.contains(&start.block) {
            return Err(corrupt());
        }
        let sixty_four_bit = has(INCOMPAT_64BIT);
        Ok(Self {
            ring,
            fast_commits,
            start: (start.block != 0).then_some(start),
            checksums,
            tag_bytes: record::tag_bytes(
                has(INCOMPAT_CHECKSUM_V2),
                has(INCOMPAT_CHECKSUM_V3),
                sixty_four_bit,
            ),
            tag_checksum_32: has(INCOMPAT_CHECKSUM_V3),
            sixty_four_bit,
            async_commit: has(INCOMPAT_ASYNC_COMMIT),
        })
    }

    /// Whether every block has a checksum.
    pub(super) fn checks_blocks(&self) -> bool {
        matches!(self.checksums, Checksums::Blocks { .. })
    }
}

fn checksum_is_right(bytes: &[u8], view: &View<'_>) -> bool {
    let part = |from: usize, to: usize| bytes.get(from..to).unwrap_or_default();
    let sum = Crc32c::START.add(part(0, 0xfc)).add(&[0; 4]).add(part(0x100, SIZE));
    sum.get() == view.checksum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    /// A superblock of version 2 with these numbers set after its first fields.
    fn header(fields: &[(usize, u32)]) -> Result<Header> {
        let mut block: Vec<u8> = vec![0; SIZE];
        let usual = [(0x0, MAGIC), (0x4, 4), (0xc, 1024), (0x10, 4096), (0x14, 1), (0x18, 9)];
        for (at, value) in usual.iter().chain(fields) {
            block[*at..at + 4].copy_from_slice(&value.to_be_bytes());
        }
        block[0x50] = CHECKSUM_TYPE_CRC32C;
        let sum = Crc32c::START.add(&block).get();
        block[0xfc..0x100].copy_from_slice(&sum.to_be_bytes());
        Header::parse(&block, BlockSize::from_log(0).unwrap(), 4096)
    }

    #[test]
    fn forms_of_the_log() {
        let empty = header(&[]).unwrap();
        assert_eq!((empty.ring.clone(), empty.start), (1..4096, None));
        assert!(empty.fast_commits.is_empty());
        let log = header(&[(0x1c, 4095)]).unwrap();
        assert_eq!(log.start, Some(Start { block: 4095, sequence: 9 }));
        for (compat, incompat, tag_bytes) in [
            (0, 0, 8),
            (1, 1, 8),
            (0, 2, 12),
            (0, 8, 10),
            (0, 0xa, 14),
            (0, 0x10, 16),
            (0, 0x12, 16),
        ] {
            let header = header(&[(0x24, compat), (0x28, incompat)]).unwrap();
            assert_eq!(header.tag_bytes, tag_bytes, "{incompat:x}");
            assert_eq!(header.checks_blocks(), incompat & 0x18 != 0);
            assert_eq!(header.checksums == Checksums::Transactions, compat == 1);
        }
    }

    #[test]
    fn room_for_fast_commits() {
        let room = |blocks| {
            let header = header(&[(0x28, 0x20), (0x54, blocks)]).unwrap();
            (header.ring, header.fast_commits)
        };
        assert_eq!(room(64), (1..4032, 4033..4096));
        assert_eq!(room(0), (1..3840, 3841..4096));
        // More would leave too little to the log.
        assert_eq!(room(3072), (1..1024, 1025..4096));
        assert!(room(3073).1.is_empty());
    }

    #[test]
    fn version_1_has_no_features() {
        let header = header(&[(0x4, 3), (0x28, u32::MAX), (0x1c, 5)]).unwrap();
        assert_eq!((header.checksums, header.tag_bytes), (Checksums::None, 8));
    }

    #[test]
    fn what_cannot_be() {
        let kind = |fields: &[(usize, u32)]| header(fields).unwrap_err().kind;
        let corrupt = ErrorKind::Corrupt(CorruptKind::JournalSuperblock);
        let unknown = ErrorKind::Incompatible(IncompatibleKind::JournalFeature);
        assert_eq!(kind(&[(0x0, 1)]), corrupt);
        assert_eq!(kind(&[(0x4, 5)]), corrupt);
        assert_eq!(kind(&[(0xc, 4096)]), corrupt);
        assert_eq!(kind(&[(0x10, 4097)]), corrupt);
        assert_eq!(kind(&[(0x14, 0)]), corrupt);
        assert_eq!(kind(&[(0x14, 4096)]), corrupt);
        assert_eq!(kind(&[(0x1c, 4096)]), corrupt);
        assert_eq!(kind(&[(0x28, 0x18)]), corrupt);
        assert_eq!(kind(&[(0x24, 1), (0x28, 0x10)]), corrupt);
        assert_eq!(kind(&[(0x28, 0x40)]), unknown);
        assert_eq!(kind(&[(0x2c, 1)]), unknown);
        assert_eq!(kind(&[(0x20, 5)]), ErrorKind::Corrupt(CorruptKind::JournalAborted));
    }
}
