//! The segment information table: which blocks of the main area are valid.

use alloc::vec;
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{CorruptKind, Error, ErrorKind, Place, Result};
use crate::extent::ExtentSet;
use crate::filesystem::bitmap::Bitmap;
use crate::filesystem::free_space::FreeSpace;
use crate::layout::Layout;

use super::checkpoint::Checkpoint;
use super::superblock::Superblock;
use super::{BLOCK, SEGMENT, position, sectors};

/// Bytes of an entry.
const ENTRY: usize = 74;
/// Entries in a block.
const PER_BLOCK: usize = BLOCK / ENTRY;
/// Blocks that are read at once.
const PIECE: usize = 16;

/// Where the journal begins in the summary of a segment.
pub(super) const JOURNAL_IN_SUMMARY: usize = 3584;
/// Bytes of a journal.
pub(super) const JOURNAL_BYTES: usize = 507;
/// The most entries that it has.
const JOURNAL_ENTRIES: usize = 6;
/// Bytes of an entry there: the segment's number comes first.
const JOURNAL_ENTRY: usize = 78;

/// The segment types from which on segments hold nodes, and from which on there are none.
const FIRST_NODE_TYPE: u16 = 3;
const TYPES: u16 = 6;

/// The free blocks of the main area, as sectors.
///
/// # Errors
/// `Corrupt` if the table contradicts itself or the checkpoint; `Read`.
pub(super) fn free_blocks(
    device: &dyn ReadAt,
    superblock: &Superblock,
    checkpoint: &Checkpoint,
) -> Result<ExtentSet> {
    let journal = journal(device, checkpoint)?;
    let mut table = Table { device, superblock, checkpoint, copies: [vec![], vec![]] };
    let mut found = Found { free: FreeSpace::new(), data: 0, nodes: 0 };
    let segments = usize::try_from(superblock.segments).unwrap_or(usize::MAX);
    let blocks = segments.div_ceil(PER_BLOCK);
    if blocks > usize::try_from(superblock.sit_blocks).unwrap_or_default() {
        return Err(corrupt(superblock.sit));
    }
    let mut segment = 0;
    for first in (0..blocks).step_by(PIECE) {
        let numbers = first..first.saturating_add(PIECE).min(blocks);
        table.read(first, numbers.len())?;
        for number in numbers {
            let (place, block) =
                table.block(first, number).ok_or_else(|| corrupt(superblock.sit))?;
            for entry in block.chunks_exact(ENTRY) {
                if segment >= superblock.segments {
                    break;
                }
                // The last one that was written, should there be several.
                let newer = journal.iter().rev().find(|(number, _)| *number == segment);
                let entry = newer.map_or(entry, |(_, entry)| &entry[..]);
                let start = superblock.main.start.saturating_add(segment.saturating_mul(SEGMENT));
                found.add(start, entry).ok_or_else(|| corrupt(place))?;
                segment = segment.saturating_add(1);
            }
        }
    }
    // The table has no checksums; Linux compares these numbers, too. Blocks that are reserved for
    // data have no place yet.
    if found.nodes != u64::from(checkpoint.valid_nodes)
        || found.nodes.saturating_add(found.data) > checkpoint.valid_blocks
    {
        return Err(corrupt(superblock.sit));
    }
    Ok(found.free.finish())
}

/// The table, read in pieces: of each block the copy that the checkpoint tells.
struct Table<'a> {
    device: &'a dyn ReadAt,
    superblock: &'a Superblock,
    checkpoint: &'a Checkpoint,
    copies: [Vec<u8>; 2],
}

impl Table<'_> {
    /// Reads the blocks from number `first` on, what is wanted of either copy.
    fn read(&mut self, first: usize, count: usize) -> Result<()> {
        let superblock = self.superblock;
        let starts = [superblock.sit, superblock.sit.saturating_add(superblock.sit_blocks)];
        let wanted = |copy| {
            let mut numbers = first..first.saturating_add(count);
            numbers.any(|number| self.copy(number) == copy)
        };
        let wanted = [wanted(0), wanted(1)];
        for ((start, wanted), bytes) in starts.into_iter().zip(wanted).zip(&mut self.copies) {
            if wanted {
                bytes.resize(count.saturating_mul(BLOCK), 0);
                let at = start.saturating_add(u32::try_from(first).unwrap_or(u32::MAX));
                self.device.read_at(position(at), bytes)?;
            }
        }
        Ok(())
    }

    /// Which copy of a block counts.
    fn copy(&self, number: usize) -> usize {
        let byte = self.checkpoint.sit_bitmap.get(number / 8).copied().unwrap_or_default();
        usize::from(byte << (number % 8) & 0x80 != 0)
    }

    /// The place and the bytes of a block, of those that were read from `first` on.
    fn block(&self, first: usize, number: usize) -> Option<(u32, &[u8])> {
        let copy = self.copy(number);
        let at = number.checked_sub(first)?.checked_mul(BLOCK)?;
        let bytes = self.copies.get(copy)?.get(at..)?.get(..BLOCK)?;
        let of_copy = if copy == 0 { 0 } else { self.superblock.sit_blocks };
        let place = self.superblock.sit.checked_add(of_copy)?;
        Some((place.checked_add(u32::try_from(number).ok()?)?, bytes))
    }
}

/// The entries that are newer than the table's: they are written with the checkpoint.
fn journal(device: &dyn ReadAt, checkpoint: &Checkpoint) -> Result<Vec<(u32, [u8; ENTRY])>> {
    let (place, at) = checkpoint.journal;
    let mut block = vec![0; BLOCK];
    device.read_at(position(place), &mut block)?;
    parse_journal(block.get(at..).unwrap_or_default()).ok_or_else(|| corrupt(place))
}

fn parse_journal(bytes: &[u8]) -> Option<Vec<(u32, [u8; ENTRY])>> {
    let count = usize::from(Layout::<2>::new(bytes)?.u16::<0>());
    if count > JOURNAL_ENTRIES {
        return None;
    }
    let entries = bytes.get(2..)?.chunks_exact(JOURNAL_ENTRY).take(count);
    let entry = |bytes| {
        let entry = Layout::<JOURNAL_ENTRY>::new(bytes)?;
        Some((entry.u32::<0>(), entry.array::<4, ENTRY>()))
    };
    entries.map(entry).collect()
}

/// What the entries say.
struct Found {
    free: FreeSpace,
    data: u64,
    nodes: u64,
}

impl Found {
    /// Adds the segment that begins at block `start`; `None` if its entry contradicts itself.
    fn add(&mut self, start: u32, entry: &[u8]) -> Option<()> {
        let entry = Layout::<ENTRY>::new(entry)?;
        let count_and_type = entry.u16::<0>();
        let (count, kind) = (u32::from(count_and_type & 0x3ff), count_and_type >> 10);
        let map = entry.array::<2, 64>();
        let set = map.iter().fold(0_u32, |sum, byte| sum.saturating_add(byte.count_ones()));
        if set != count || kind >= TYPES {
            return None;
        }
        let sum = if kind < FIRST_NODE_TYPE { &mut self.data } else { &mut self.nodes };
        *sum = sum.saturating_add(count.into());
        // The first block's bit is the highest of its byte.
        let map = map.map(u8::reverse_bits);
        for run in Bitmap::new(&map, SEGMENT)?.clear_runs() {
            let block = |number: u32| u64::from(start.saturating_add(number));
            self.free.add([sectors(block(run.start), block(run.end))]);
        }
        Some(())
    }
}

fn corrupt(block: u32) -> Error {
    ErrorKind::Corrupt(CorruptKind::AllocationMap).at(Place::Byte(position(block)))
}
