//! Fast commits: changes since the last transaction, in a compact form.
//!
//! They are not replayed, because that means to allocate as a driver would. It is enough to know
//! the blocks that they give to files: what else a replay allocates has no contents yet.
//! Formats: Linux, `fs/ext4/fast_commit.h`; all numbers are little-endian.

use alloc::collections::BTreeSet;
use core::ops::{ControlFlow, Range};

use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Result};
use crate::layout::Layout;

use super::super::allocation::Suspects;
use super::super::geometry::Geometry;
use super::log::Log;
use crate::filesystem::checksum::Crc32c;

const ADD_RANGE: u16 = 1;
const TAIL: u16 = 8;
const HEAD: u16 = 9;
/// Removed ranges, names, inodes and padding, which don't matter here.
const OTHERS: [u16; 6] = [2, 3, 4, 5, 6, 7];

/// An entry: its kind, its contents, and the bytes of both as they lie on the disk.
struct Entry<'a> {
    kind: u16,
    value: &'a [u8],
    whole: &'a [u8],
}

/// The first entry of `bytes`, and what follows it; `None` if there is no room for one.
fn first_entry(bytes: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    const PREFIX: usize = 4;
    let prefix = Layout::<PREFIX>::new(bytes)?;
    let end = PREFIX.checked_add(prefix.u16::<2>().into())?;
    let (whole, rest) = bytes.split_at_checked(end)?;
    let value = whole.get(PREFIX..)?;
    Some((Entry { kind: prefix.u16::<0>(), value, whole }, rest))
}

/// What matters of the fast commits that follow the last transaction.
#[derive(Debug, Default)]
pub(super) struct FastCommits {
    /// Whether there are any.
    pub(super) any: bool,
    /// The groups in which they give blocks to files.
    pub(super) groups: Suspects,
}

/// Reads the fast commits that follow the last transaction, which make up transaction `sequence`.
///
/// # Errors
/// `Incompatible` if they need an unknown feature, `Corrupt` if one names blocks that don't exist.
pub(super) fn read(log: &Log<'_>, sequence: u32, geometry: &Geometry) -> Result<FastCommits> {
    let mut reader = Reader::new(sequence, geometry);
    let mut block = log.buffer();
    for number in log.header().fast_commits.clone() {
        log.read(number, &mut block)?;
        if reader.block(&block)?.is_break() {
            break;
        }
    }
    Ok(reader.finish())
}

struct Reader<'a> {
    sequence: u32,
    geometry: &'a Geometry,
    /// The sum of the entries of a commit up to here.
    sum: Crc32c,
    /// The groups named up to here.
    seen: BTreeSet<u32>,
    /// The groups named up to the end of the last complete commit.
    valid: BTreeSet<u32>,
    any_valid: bool,
    /// No block was read yet.
    at_start: bool,
}

impl<'a> Reader<'a> {
    fn new(sequence: u32, geometry: &'a Geometry) -> Self {
        Self {
            sequence,
            geometry,
            sum: Crc32c::from_seed(0),
            seen: BTreeSet::new(),
            valid: BTreeSet::new(),
            any_valid: false,
            at_start: true,
        }
    }

    /// The groups of the complete commits. If even the first one is broken off, recovery does not
    /// succeed: then, to be on the safe side, those of its entries.
    fn finish(self) -> FastCommits {
        let groups = if self.any_valid { self.valid } else { self.seen };
        let groups = Suspects::new(groups.into_iter().collect());
        FastCommits { any: self.any_valid || !groups.is_empty(), groups }
    }

    /// Reads the entries of a block. An entry doesn't cross blocks.
    fn block(&mut self, block: &[u8]) -> Result<ControlFlow<()>> {
        let is_head = first_entry(block).is_some_and(|(entry, _)| entry.kind == HEAD);
        if core::mem::take(&mut self.at_start) && !is_head {
            return Ok(ControlFlow::Break(()));
        }
        let mut rest = block;
        while let Some((entry, after)) = first_entry(rest) {
            if self.entry(&entry)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            rest = after;
        }
        // What remains is too short for an entry; or the entry in it is too long for the block.
        Ok(if rest.len() < 4 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    }

    fn entry(&mut self, entry: &Entry<'_>) -> Result<ControlFlow<()>> {
        match (entry.kind, entry.value.len()) {
            (HEAD, 8) => {
                let Some(value) = Layout::<8>::new(entry.value) else {
                    return Ok(ControlFlow::Break(()));
                };
                if value.u32::<4>() != self.sequence {
                    return Ok(ControlFlow::Break(()));
                }
                if value.u32::<0>() != 0 {
                    return Err(ErrorKind::Incompatible(IncompatibleKind::JournalFeature).into());
                }
            }
            (ADD_RANGE, 16) => {
                if let Some(blocks) = Layout::new(entry.value).map(added_blocks) {
                    self.add(&blocks)?;
                }
            }
            (TAIL, 8..) => return Ok(self.tail(entry)),
            (kind, _) if OTHERS.contains(&kind) => {}
            _ => return Ok(ControlFlow::Break(())),
        }
        self.sum = self.sum.add(entry.whole);
        Ok(ControlFlow::Continue(()))
    }

    fn add(&mut self, blocks: &Range<u64>) -> Result<()> {
        let corrupt = || ErrorKind::Corrupt(CorruptKind::JournalLog);
        let last = blocks.end.checked_sub(1).filter(|last| *last >= blocks.start);
        let first = self.geometry.group_of(blocks.start).ok_or_else(corrupt)?;
        let last = last.and_then(|last| self.geometry.group_of(last)).ok_or_else(corrupt)?;
        self.seen.extend(first..=last);
        Ok(())
    }

    /// The end of a commit. What follows belongs to the next one, or to an older one.
    fn tail(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        const SUMMED: usize = 8;
        let sum = self.sum.add(entry.whole.get(..SUMMED).unwrap_or_default());
        self.sum = Crc32c::from_seed(0);
        let Some(value) = Layout::<8>::new(entry.value) else {
            return ControlFlow::Break(());
        };
        if value.u32::<0>() != self.sequence || value.u32::<4>() != sum.get() {
            return ControlFlow::Break(());
        }
        self.valid.extend(&self.seen);
        self.any_valid = true;
        ControlFlow::Continue(())
    }
}

/// The blocks that an entry gives to a file: an inode's number, then an extent.
fn added_blocks(value: Layout<'_, 16>) -> Range<u64> {
    let start = u64::from(value.u16::<0xa>()) << 32 | u64::from(value.u32::<0xc>());
    let len = u64::from(value.u16::<0x8>());
    let len = len.checked_sub(0x8000).filter(|rest| *rest > 0).unwrap_or(len);
    start..start.saturating_add(len)
}

#[cfg(test)]
mod tests {
    use super::super::super::features::{Compat, Features, Incompat, RoCompat};
    use super::super::super::geometry::{Backups, BlockSize};
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    const SEQUENCE: u32 = 77;

    /// Ten groups of 1000 blocks.
    fn geometry() -> Geometry {
        let features =
            Features { compat: Compat(0), incompat: Incompat(0), ro_compat: RoCompat(0) };
        let geometry = Geometry {
            block_size: BlockSize::from_log(0).unwrap(),
            cluster_shift: 0,
            first_block: 1,
            end_block: 10_000,
            blocks_per_group: 1000,
            inodes_per_group: 8,
            inode_size: 128,
            descriptor_size: 32,
            reserved_gdt_blocks: 0,
            first_meta_bg: None,
            backups: Backups::new(features, [0; 2]),
            groups: 0,
        };
        geometry.with_groups().unwrap()
    }

    fn entry(kind: u16, value: &[u8]) -> Vec<u8> {
        let len = u16::try_from(value.len()).unwrap();
        [&kind.to_le_bytes()[..], &len.to_le_bytes(), value].concat()
    }

    fn head(sequence: u32) -> Vec<u8> {
        entry(HEAD, &[&[0; 4][..], &sequence.to_le_bytes()].concat())
    }

    fn add(start: u32, len: u16) -> Vec<u8> {
        let parts = [&[0; 8][..], &len.to_le_bytes(), &[0; 2], &start.to_le_bytes()];
        entry(ADD_RANGE, &parts.concat())
    }

    /// A block with these entries and their end.
    fn commit(sequence: u32, entries: &[Vec<u8>]) -> Vec<u8> {
        let mut block = entries.concat();
        let room = u16::try_from(1024 - block.len() - 4).unwrap();
        block.extend(TAIL.to_le_bytes());
        block.extend(room.to_le_bytes());
        block.extend(sequence.to_le_bytes());
        let sum = Crc32c::from_seed(0).add(&block).get();
        block.extend(sum.to_le_bytes());
        block.resize(1024, 0);
        block
    }

    fn groups(blocks: &[Vec<u8>]) -> Result<Vec<u32>> {
        let geometry = geometry();
        let mut reader = Reader::new(SEQUENCE, &geometry);
        for block in blocks {
            if reader.block(block)?.is_break() {
                break;
            }
        }
        let suspects = reader.finish().groups;
        Ok((0..10).filter(|group| suspects.doubt(*group).is_some()).collect())
    }

    #[test]
    fn complete_commits_count_up_to_the_first_that_is_not() {
        let first = commit(SEQUENCE, &[head(SEQUENCE), entry(6, &[1; 99]), add(2500, 10)]);
        let second = commit(SEQUENCE, &[add(3999, 5), add(7000, 0x8000 + 7)]);
        let older = commit(SEQUENCE - 1, &[add(9000, 1)]);
        let mut torn = commit(SEQUENCE, &[add(9000, 1)]);
        torn[9] ^= 1;
        let all = |blocks: &[&Vec<u8>]| {
            groups(&blocks.iter().map(|block| (*block).clone()).collect::<Vec<_>>()).unwrap()
        };
        assert_eq!(all(&[&first]), [2]);
        assert_eq!(all(&[&first, &second]), [2, 3, 4, 6, 7]);
        assert_eq!(all(&[&first, &older, &second]), [2]);
        assert_eq!(all(&[&first, &torn, &second]), [2]);
        assert_eq!(all(&[&first, &vec![0xff; 1024], &second]), [2]);
        // Of another transaction, or none.
        assert!(all(&[&commit(1, &[head(1), add(2500, 10)])]).is_empty());
        assert!(all(&[&second]).is_empty());
        assert!(all(&[&vec![0; 1024]]).is_empty());
    }

    #[test]
    fn a_first_commit_that_is_broken_off_counts() {
        let whole = commit(SEQUENCE, &[head(SEQUENCE), add(2500, 10)]);
        let mut torn = whole.clone();
        torn[17] ^= 1;
        assert_eq!(groups(&[torn]).unwrap(), [2]);
        assert_eq!(groups(&[whole[..40].to_vec()]).unwrap(), [2]);
    }

    #[test]
    fn what_recovery_would_refuse() {
        let feature = entry(HEAD, &[[1, 0, 0, 0], SEQUENCE.to_le_bytes()].concat());
        let error = groups(&[commit(SEQUENCE, &[feature])]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Incompatible(IncompatibleKind::JournalFeature));
        for range in [add(0, 1), add(9999, 2), add(20_000, 1), add(50, 0)] {
            let error = groups(&[commit(SEQUENCE, &[head(SEQUENCE), range])]).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Corrupt(CorruptKind::JournalLog));
        }
    }

    proptest! {
        #[test]
        fn noise(
            noise in prop::collection::vec(any::<u8>(), 0..200),
            kinds in prop::collection::vec((0..12_u16, 0..30_u16), 0..20),
        ) {
            let entries: Vec<_> = kinds
                .iter()
                .flat_map(|(kind, len)| entry(*kind, &noise[..noise.len().min((*len).into())]))
                .collect();
            drop(groups(&[[head(SEQUENCE), entries, noise].concat()]));
        }
    }
}
