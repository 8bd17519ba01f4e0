//! The ring of blocks that the log is. A block here has 512 bytes.

use alloc::vec;
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{Place, Result};
use crate::layout::Layout;
use crate::sector::{Bytes, SECTOR_BYTES, Sector};

use super::super::superblock::Superblock;
use super::record::MAGIC;
use super::wrong;

/// The size of a block, as a length in memory.
pub(super) const BLOCK: usize = 512;
/// How many blocks are read at once by those that look at single ones.
const WINDOW: u32 = 128;

/// The log of a file system.
pub(super) struct Ring<'a> {
    device: &'a dyn ReadAt,
    pub(super) superblock: &'a Superblock,
    /// How many blocks it has.
    pub(super) blocks: u32,
    window: Vec<u8>,
    window_start: Option<u32>,
}

impl<'a> Ring<'a> {
    pub(super) fn new(device: &'a dyn ReadAt, superblock: &'a Superblock) -> Self {
        // The log has less than 2 GiB.
        let blocks = u32::try_from(superblock.log.len().get()).unwrap_or(0);
        Self { device, superblock, blocks, window: Vec::new(), window_start: None }
    }

    /// Where a block is on the device.
    fn position(&self, block: u32) -> Bytes {
        let sector = self.superblock.log.start().get().saturating_add(u64::from(block));
        Sector::new(sector).unwrap_or(Sector::MAX).to_bytes()
    }

    /// The place of a block, for errors.
    pub(super) fn place(&self, block: u32) -> Place {
        Place::Byte(self.position(block))
    }

    /// The block after `count` more, at most the ring's length.
    pub(super) fn after(&self, block: u32, count: u32) -> u32 {
        let next = block.saturating_add(count);
        next.checked_sub(self.blocks).unwrap_or(next)
    }

    /// How many blocks come from one on before another.
    pub(super) fn distance(&self, from: u32, to: u32) -> u32 {
        match to.checked_sub(from) {
            Some(distance) => distance,
            None => self.blocks.saturating_sub(from).saturating_add(to),
        }
    }

    /// A single block.
    pub(super) fn block(&mut self, block: u32) -> Result<Layout<'_, BLOCK>> {
        let place = self.place(block);
        if block >= self.blocks {
            return Err(wrong(place));
        }
        let start = block.wrapping_div(WINDOW).wrapping_mul(WINDOW);
        if self.window_start != Some(start) {
            self.window_start = None;
            let count = WINDOW.min(self.blocks.saturating_sub(start));
            self.window.resize(len(count), 0);
            self.device.read_at(self.position(start), &mut self.window)?;
            self.window_start = Some(start);
        }
        Layout::at(&self.window, len(block.saturating_sub(start))).ok_or_else(|| wrong(place))
    }

    /// Reads `count` blocks; after the last one of the ring comes the first.
    pub(super) fn read(&self, block: u32, count: u32) -> Result<Vec<u8>> {
        if block >= self.blocks || count > self.blocks {
            return Err(wrong(self.place(block)));
        }
        let mut bytes = vec![0; len(count)];
        let before_end = len(self.blocks.saturating_sub(block));
        let (first, second) = match bytes.split_at_mut_checked(before_end) {
            Some(parts) => parts,
            None => (bytes.as_mut_slice(), [].as_mut_slice()),
        };
        self.device.read_at(self.position(block), first)?;
        self.device.read_at(self.position(0), second)?;
        Ok(bytes)
    }

    /// The number of the round in which a block was written.
    pub(super) fn cycle(&mut self, block: u32) -> Result<u32> {
        let view = self.block(block)?;
        let first = view.be32::<0>();
        Ok(if first == MAGIC { view.be32::<4>() } else { first })
    }

    /// Whether a record begins in a block.
    pub(super) fn is_header(&mut self, block: u32) -> Result<bool> {
        Ok(self.block(block)?.be32::<0>() == MAGIC)
    }
}

/// The bytes of so many blocks, as a length in memory.
pub(super) fn len(blocks: u32) -> usize {
    usize::try_from(u64::from(blocks).saturating_mul(SECTOR_BYTES)).unwrap_or(usize::MAX)
}
