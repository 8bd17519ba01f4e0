//! A device on which blocks are replaced by what the log has for them.

use alloc::collections::BTreeMap;

use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, Limit, Result};
use crate::sector::Bytes;

use super::super::geometry::BlockSize;
use super::MAX_BLOCKS;
use super::record::MAGIC;

/// Where the contents of a replaced block are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Place {
    /// In this block of the device, which is one of the log; if `escaped`, without its first
    /// four bytes, which are the mark of the log's blocks.
    Log { block: u64, escaped: bool },
    /// Nowhere: what the log has is damaged.
    Lost,
}

/// A device with some blocks replaced. Reading one that is lost fails as `Corrupt`.
pub(in super::super) struct Overlay<'a> {
    device: &'a dyn ReadAt,
    block_size: BlockSize,
    replaced: BTreeMap<u64, Place>,
}

impl<'a> Overlay<'a> {
    pub(super) fn new(device: &'a dyn ReadAt, block_size: BlockSize) -> Self {
        Self { device, block_size, replaced: BTreeMap::new() }
    }

    /// Replaces a block, which may be replaced already.
    pub(super) fn replace(&mut self, block: u64, by: Place) -> Result<()> {
        self.replaced.insert(block, by);
        if self.replaced.len() > MAX_BLOCKS {
            return Err(ErrorKind::TooLarge(Limit::Journal).into());
        }
        Ok(())
    }

    /// Whether any of these bytes are in a block that is replaced.
    pub(in super::super) fn touches(&self, start: Bytes, end: Bytes) -> bool {
        let (first, _) = self.block_size.locate(start);
        let mut replaced = self.replaced.range(first..).map(|(block, _)| *block);
        let next = replaced.next().and_then(|block| self.block_size.position(block));
        next.is_some_and(|next| next < end)
    }

    /// Reads from a single block.
    fn read_in_block(&self, at: Bytes, buf: &mut [u8]) -> Result<()> {
        let (number, offset) = self.block_size.locate(at);
        let (block, escaped) = match self.replaced.get(&number) {
            None => return self.device.read_at(at, buf),
            Some(Place::Log { block, escaped }) => (*block, *escaped),
            Some(Place::Lost) => {
                let kind = ErrorKind::Corrupt(CorruptKind::JournalChecksum);
                return Err(kind.at(crate::error::Place::Byte(at)));
            }
        };
        let position = self.block_size.position(block);
        let position = position.zip(u64::try_from(offset).ok());
        let position = position.and_then(|(block, offset)| block.checked_add(offset));
        self.device.read_at(position.ok_or(ErrorKind::Truncated)?, buf)?;
        if escaped {
            let mark = MAGIC.to_be_bytes();
            let missing = mark.get(offset..).unwrap_or_default();
            buf.iter_mut().zip(missing).for_each(|(byte, missing)| *byte = *missing);
        }
        Ok(())
    }
}

impl ReadAt for Overlay<'_> {
    fn size(&self) -> Bytes {
        self.device.size()
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        let (mut at, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let (_, in_block) = self.block_size.locate(at);
            let len = self.block_size.len().saturating_sub(in_block).min(rest.len());
            let (piece, after) = rest.split_at_mut(len);
            self.read_in_block(at, piece)?;
            let next = u64::try_from(len).ok().and_then(|len| at.checked_add(len));
            (at, rest) = (next.ok_or(ErrorKind::Truncated)?, after);
        }
        Ok(())
    }
}
