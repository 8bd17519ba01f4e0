//! Where the blocks of any file lie, holes and all.

use alloc::vec::Vec;

use crate::error::{ErrorKind, Limit, Result};
use crate::filesystem::{Content, content::Piece};

use super::super::geometry::BlockSize;
use super::super::inode::{Extent, Places, Source};

/// The most pieces of a file. What is kept in memory for one takes 24 bytes.
const MAX_PIECES: usize = 1 << 20;
/// The most blocks that are read to find the places of others.
const MAX_DESCENTS: u32 = 1 << 20;

/// The places of the blocks that were written.
pub(super) struct SparseMap {
    block_size: BlockSize,
    /// The size of the file in bytes.
    size: u64,
    /// The same in blocks, of which the last may be a part.
    blocks: u64,
    /// The first block of which nothing was told yet.
    next: u64,
    extents: Vec<Extent>,
    descents: u32,
}

impl SparseMap {
    /// Nothing is known yet of a file of `size` bytes.
    pub(super) fn new(block_size: BlockSize, size: u64) -> Self {
        let blocks = size.div_ceil(u64::from(block_size.bytes()).max(1));
        Self { block_size, size, blocks, next: 0, extents: Vec::new(), descents: 0 }
    }

    /// What the file holds.
    pub(super) fn content(self) -> Result<Content> {
        let block_size = self.block_size;
        let too_large = || ErrorKind::TooLarge(Limit::FilePieces);
        let pieces: Result<Vec<_>> = self
            .extents
            .iter()
            .map(|extent| {
                let bytes = |blocks| block_size.position(blocks).ok_or_else(too_large);
                Ok(Piece {
                    at: bytes(extent.logical)?.get(),
                    position: bytes(extent.physical)?,
                    len: bytes(extent.len)?.get(),
                })
            })
            .collect();
        Ok(Content::new(self.size, pieces?))
    }
}

impl Places for SparseMap {
    fn missing(&self) -> Option<u64> {
        (self.next < self.blocks).then_some(self.next)
    }

    fn append(&mut self, source: Source<'_>, extent: Extent) -> Result<()> {
        let end = extent.physical.checked_add(extent.len).ok_or_else(|| source.damaged())?;
        if !source.superblock.geometry.contains(&(extent.physical..end)) {
            return Err(source.damaged());
        }
        self.next = extent.logical.saturating_add(extent.len);
        if !extent.written {
            return Ok(());
        }
        let full = self.extents.len() >= MAX_PIECES;
        match self.extents.last_mut() {
            Some(last)
                if last.physical.checked_add(last.len) == Some(extent.physical)
                    && last.logical.checked_add(last.len) == Some(extent.logical) =>
            {
                last.len = last.len.saturating_add(extent.len);
            }
            _ if full => return Err(ErrorKind::TooLarge(Limit::FilePieces).into()),
            _ => self.extents.push(extent),
        }
        Ok(())
    }

    fn skip(&mut self, _: Source<'_>, len: u64) -> Result<()> {
        self.next = self.next.saturating_add(len);
        Ok(())
    }

    fn descend(&mut self) -> Result<()> {
        self.descents = self.descents.saturating_add(1);
        if self.descents > MAX_DESCENTS {
            return Err(ErrorKind::TooLarge(Limit::FilePieces).into());
        }
        Ok(())
    }
}
