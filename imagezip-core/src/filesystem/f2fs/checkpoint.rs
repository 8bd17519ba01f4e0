//! Checkpoints: which state of the tables counts.

use alloc::vec;
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{CorruptKind, Error, ErrorKind, Place, Result};
use crate::filesystem::checksum::agree;
use crate::layout::Layout;

use super::checksum::crc32;
use super::superblock::Superblock;
use super::{BLOCK, SEGMENT, position};

/// Where the version bitmaps begin.
const BITMAPS: usize = 192;
/// Blocks behind the head of a pack, if there are summaries of the current node segments: of three
/// data and three node segments, and the last one, which is a copy of the head's first block.
const TAIL_WITH_NODES: u32 = 7;
/// The same without these.
const TAIL: u32 = 4;
/// Where among the summaries that of the current segment of cold data lies.
const COLD_DATA: u32 = 2;
/// The current node segments are of hot, warm and cold nodes.
const WARM_NODE: usize = 1;

/// The first block of a checkpoint pack as it lies on the disk.
struct View<'a>(Layout<'a, BITMAPS>);

#[rustfmt::skip]
impl View<'_> {
    fn version(&self) -> u64 { self.0.u64::<0>() }
    fn valid_blocks(&self) -> u64 { self.0.u64::<16>() }
    fn node_segments(&self) -> [u32; 3] { [self.0.u32::<36>(), self.0.u32::<40>(), self.0.u32::<44>()] }
    fn node_offsets(&self) -> [u16; 3] { [self.0.u16::<68>(), self.0.u16::<70>(), self.0.u16::<72>()] }
    fn flags(&self) -> u32 { self.0.u32::<132>() }
    fn blocks(&self) -> u32 { self.0.u32::<136>() }
    fn first_summary(&self) -> u32 { self.0.u32::<140>() }
    fn valid_nodes(&self) -> u32 { self.0.u32::<144>() }
    fn sit_bitmap(&self) -> u32 { self.0.u32::<156>() }
    fn nat_bitmap(&self) -> u32 { self.0.u32::<160>() }
    fn checksum_offset(&self) -> u32 { self.0.u32::<164>() }
}

/// The flags of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Flags(u32);

#[rustfmt::skip]
impl Flags {
    const UNMOUNTED: u32 = 0x1;
    const COMPACT_SUMMARIES: u32 = 0x4;
    const ERROR: u32 = 0x8;
    const NEEDS_CHECK: u32 = 0x10;
    const FASTBOOT: u32 = 0x20;
    const LARGE_NAT_BITMAP: u32 = 0x400;
    const RESIZING: u32 = 0x4000;

    fn has(self, flag: u32) -> bool { self.0 & flag != 0 }
}

/// The newest checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checkpoint {
    /// Its version.
    pub(super) version: u64,
    /// How many blocks of the main area are valid, or reserved without a place.
    pub(super) valid_blocks: u64,
    /// How many of them are nodes.
    pub(super) valid_nodes: u32,
    /// Which copy of each block of the segment information table counts: a bit for each.
    pub(super) sit_bitmap: Vec<u8>,
    /// The block with the journal of that table, and where in it the journal begins.
    pub(super) journal: (u32, usize),
    /// The next block for nodes of files, where the chain of later ones begins.
    pub(super) next_node: u32,
    flags: Flags,
}

impl Checkpoint {
    /// Reads the newest of the two packs that is complete, as Linux chooses it.
    pub(super) fn read(device: &dyn ReadAt, superblock: &Superblock) -> Result<Self> {
        let first = superblock.checkpoint;
        let second = first.saturating_add(SEGMENT);
        let none = || corrupt(first);
        let (start, head) = match (head(device, first)?, head(device, second)?) {
            (Some((a, head_a)), Some((b, head_b))) => {
                // Versions may wrap around.
                if b.wrapping_sub(a).cast_signed() > 0 { (second, head_b) } else { (first, head_a) }
            }
            (Some((_, head)), None) => (first, head),
            (None, Some((_, head))) => (second, head),
            (None, None) => return Err(none()),
        };
        let mut pack = head;
        let payload = usize::try_from(superblock.payload).map_err(|_| none())?;
        pack.resize(BLOCK.saturating_mul(payload.saturating_add(1)), 0);
        device.read_at(position(start), &mut pack)?;
        Self::parse(superblock, start, &pack).ok_or_else(|| corrupt(start))
    }

    /// Takes the pack that begins at block `start` apart, whose first blocks are `head`.
    fn parse(superblock: &Superblock, start: u32, head: &[u8]) -> Option<Self> {
        let view = View(Layout::new(head)?);
        let flags = Flags(view.flags());
        let sit_bytes = view.sit_bitmap();
        if sit_bytes != superblock.sit_blocks / 8 {
            return None;
        }
        let sit_at = if flags.has(Flags::LARGE_NAT_BITMAP) {
            // The checksum is before the bitmaps, and theirs is the rest.
            let nat_bytes = usize::try_from(view.nat_bitmap()).ok()?;
            if usize::try_from(view.checksum_offset()) != Ok(BITMAPS) {
                return None;
            }
            BITMAPS.checked_add(4)?.checked_add(nat_bytes)?
        } else if superblock.payload > 0 {
            BLOCK
        } else {
            BITMAPS
        };
        let sit_bitmap = head.get(sit_at..)?.get(..usize::try_from(sit_bytes).ok()?)?.to_vec();

        let journal = if flags.has(Flags::COMPACT_SUMMARIES) {
            // Two journals come first, that of the node address table before ours.
            (start.checked_add(view.first_summary())?, super::segments::JOURNAL_BYTES)
        } else {
            let nodes = flags.has(Flags::UNMOUNTED | Flags::FASTBOOT);
            let tail = if nodes { TAIL_WITH_NODES } else { TAIL };
            let summary = view.blocks().checked_sub(tail)?.checked_add(COLD_DATA)?;
            (start.checked_add(summary)?, super::segments::JOURNAL_IN_SUMMARY)
        };
        let in_pack = start.checked_add(1)?..start.checked_add(view.blocks())?;
        if !in_pack.contains(&journal.0) {
            return None;
        }

        let segment = *view.node_segments().get(WARM_NODE)?;
        let offset = u32::from(*view.node_offsets().get(WARM_NODE)?);
        if segment >= superblock.segments || offset >= SEGMENT {
            return None;
        }
        let next_node = segment
            .checked_mul(SEGMENT)?
            .checked_add(offset)?
            .checked_add(superblock.main.start)?;
        Some(Self {
            version: view.version(),
            valid_blocks: view.valid_blocks(),
            valid_nodes: view.valid_nodes(),
            sit_bitmap,
            journal,
            next_node,
            flags,
        })
    }

    /// Why the tables of the checkpoint can't be trusted, if so.
    pub(super) fn distrust(&self) -> Option<&'static str> {
        if self.flags.has(Flags::ERROR) {
            Some("it is marked as having errors")
        } else if self.flags.has(Flags::NEEDS_CHECK) {
            Some("it is marked for a check")
        } else if self.flags.has(Flags::RESIZING) {
            Some("a change of its size was interrupted")
        } else {
            None
        }
    }
}

/// The version of the pack that begins at block `start`, and its first block, if it is complete:
/// its last block is of the same version, and both have the right checksum.
fn head(device: &dyn ReadAt, start: u32) -> Result<Option<(u64, Vec<u8>)>> {
    let mut block = vec![0; BLOCK];
    device.read_at(position(start), &mut block)?;
    let Some((version, blocks)) = summed_up(&block) else {
        return Ok(None);
    };
    if blocks <= 2 || blocks > SEGMENT {
        return Ok(None);
    }
    let mut last = vec![0; BLOCK];
    let at = start.saturating_add(blocks).saturating_sub(1);
    device.read_at(position(at), &mut last)?;
    let complete = summed_up(&last).is_some_and(|(last, _)| last == version);
    Ok(complete.then_some((version, block)))
}

/// Version and number of blocks of a pack, by its first or last block, if the checksum is right.
fn summed_up(block: &[u8]) -> Option<(u64, u32)> {
    let view = View(Layout::new(block)?);
    let offset = usize::try_from(view.checksum_offset()).ok()?;
    if offset < BITMAPS {
        return None;
    }
    let (before, rest) = block.split_at_checked(offset)?;
    let (stored, after) = rest.split_first_chunk::<4>()?;
    let right = agree(crc32(&[before, after]), u32::from_le_bytes(*stored));
    right.then(|| (view.version(), view.blocks()))
}

fn corrupt(block: u32) -> Error {
    ErrorKind::Corrupt(CorruptKind::Checkpoint).at(Place::Byte(position(block)))
}
