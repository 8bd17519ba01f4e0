//! What was written after the checkpoint and counts all the same.
//!
//! A file that is synchronized gets no checkpoint: its nodes go into the current segment of such
//! nodes, each with the place of the next one, and Linux reads this chain at every mount. That
//! the checkpoint was made when the file system was unmounted doesn't say that it wasn't mounted
//! since.

use alloc::vec;
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{ErrorKind, Limit, Result};
use crate::extent::ExtentSet;
use crate::layout::Layout;
use crate::sector::SectorRange;

use super::checkpoint::Checkpoint;
use super::superblock::Superblock;
use super::{BLOCK, position, sectors};

/// Blocks that are read at once.
const PIECE: u32 = 16;
/// Where a node's footer begins.
const FOOTER: usize = 4072;
/// Where an inode has its list of blocks.
const INODE_BLOCKS: core::ops::Range<usize> = 360..4052;

/// So many ranges are merged at once.
const BATCH: usize = 1 << 16;
/// The most extents that are kept: 16 MiB of memory.
const MOST: usize = 1 << 20;

/// The sectors of the chain's nodes, of all blocks that they name, and of the block where the
/// chain ends.
///
/// That block, too, has to be as it is here: if it were what another state of the same file
/// system has there, the chain would go on.
///
/// # Errors
/// `TooLarge` if they are in more pieces than this program keeps; `Read`.
pub(super) fn later_blocks(
    device: &dyn ReadAt,
    superblock: &Superblock,
    checkpoint: &Checkpoint,
) -> Result<ExtentSet> {
    let mut chain = Chain { device, superblock, first: 0, bytes: Vec::new() };
    let mut later = Ranges::default();
    let mut at = checkpoint.next_node;
    // A chain that leads back into itself is noticed by a mark that is moved after 1, 2, 4, …
    // steps (Brent).
    let (mut mark, mut steps, mut limit) = (at, 0_u32, 1_u32);
    while superblock.main.contains(&at) {
        later.add(at)?;
        let node = Layout::<BLOCK>::new(chain.block(at)?).ok_or(ErrorKind::Truncated)?;
        // Linux wants a checksum in the upper half, or doesn't look at it, by the age of both.
        if u64::from(node.u32::<{ FOOTER + 12 }>()) != checkpoint.version & u64::from(u32::MAX) {
            break;
        }
        let is_inode = node.u32::<FOOTER>() == node.u32::<{ FOOTER + 4 }>();
        let list = if is_inode { INODE_BLOCKS } else { 0..FOOTER };
        let list = node.as_bytes().get(list).unwrap_or_default();
        // Other nodes, inline data and attributes are taken for lists, too, which adds to what
        // is in use at most.
        for block in list.chunks_exact(4).filter_map(|bytes| bytes.first_chunk()) {
            let block = u32::from_le_bytes(*block);
            if superblock.main.contains(&block) {
                later.add(block)?;
            }
        }
        at = node.u32::<{ FOOTER + 20 }>();
        if at == mark {
            break;
        }
        steps = steps.saturating_add(1);
        if steps == limit {
            (mark, steps, limit) = (at, 0, limit.saturating_mul(2));
        }
    }
    later.finish()
}

/// Blocks of the main area, read some ahead.
struct Chain<'a> {
    device: &'a dyn ReadAt,
    superblock: &'a Superblock,
    /// The block with which `bytes` begin.
    first: u32,
    bytes: Vec<u8>,
}

impl Chain<'_> {
    fn block(&mut self, number: u32) -> Result<&[u8]> {
        if self.place(number).is_none() {
            let count = self.superblock.main.end.saturating_sub(number).min(PIECE);
            let len = usize::try_from(count).unwrap_or_default().saturating_mul(BLOCK);
            self.bytes = vec![0; len];
            self.first = number;
            self.device.read_at(position(number), &mut self.bytes)?;
        }
        let at = self.place(number).unwrap_or_default();
        Ok(self.bytes.get(at..).unwrap_or_default())
    }

    fn place(&self, number: u32) -> Option<usize> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?.checked_mul(BLOCK)?;
        (at < self.bytes.len()).then_some(at)
    }
}

/// Ranges in any order, merged now and then.
#[derive(Default)]
struct Ranges {
    new: Vec<SectorRange>,
    merged: ExtentSet,
}

impl Ranges {
    fn add(&mut self, block: u32) -> Result<()> {
        let block = u64::from(block);
        let range = sectors(block, block.saturating_add(1));
        match self.new.last_mut() {
            Some(last) if last.end() == range.start() => {
                *last = SectorRange::new(last.start(), range.end()).unwrap_or(*last);
            }
            _ => self.new.push(range),
        }
        if self.new.len() < BATCH { Ok(()) } else { self.merge() }
    }

    fn merge(&mut self) -> Result<()> {
        let new = ExtentSet::from_unsorted(core::mem::take(&mut self.new));
        self.merged = self.merged.union(&new);
        let few = self.merged.extent_count() <= MOST;
        if few { Ok(()) } else { Err(ErrorKind::TooLarge(Limit::Metadata).into()) }
    }

    fn finish(mut self) -> Result<ExtentSet> {
        self.merge()?;
        Ok(self.merged)
    }
}
