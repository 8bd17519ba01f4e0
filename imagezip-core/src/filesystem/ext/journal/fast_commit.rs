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
use super::super::checksum::Crc32c;
use super::super::geometry::Geometry;
use super::log::Log;

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

/// The groups in which blocks are given to files by the fast commits that follow the last
/// transaction, which make up transaction `sequence`.
///
/// # Errors
/// `Incompatible` if they need an unknown feature, `Corrupt` if one names blocks that don't exist.
pub(super) fn groups(log: &Log<'_>, sequence: u32, geometry: &Geometry) -> Result<Suspects> {
    let mut reader = Reader {
        sequence,
        geometry,
        sum: Crc32c::from_seed(0),
        seen: BTreeSet::new(),
        valid: BTreeSet::new(),
        any_valid: false,
    };
    let mut block = log.buffer();
    for number in log.header().fast_commits.clone() {
        log.read(number, &mut block)?;
        let first = number == log.header().fast_commits.start;
        if first && first_entry(&block).is_none_or(|(entry, _)| entry.kind != HEAD) {
            break;
        }
        if reader.block(&block)?.is_break() {
            break;
        }
    }
    // If the first one is broken off already, recovery doesn't succeed: be on the safe side.
    let groups = if reader.any_valid { reader.valid } else { reader.seen };
    Ok(Suspects::new(groups.into_iter().collect()))
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
}

impl Reader<'_> {
    /// Reads the entries of a block. An entry doesn't cross blocks.
    fn block(&mut self, block: &[u8]) -> Result<ControlFlow<()>> {
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
