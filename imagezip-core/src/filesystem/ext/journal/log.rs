//! The log, and a walk along it.

use alloc::vec;
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, Result};

use super::super::geometry::BlockSize;
use super::super::inode::{FileMap, damaged};
use super::header::{Header, Start};
use super::record::{self, Kind};

/// The blocks of the journal's file.
pub(super) struct Log<'a> {
    device: &'a dyn ReadAt,
    block_size: BlockSize,
    map: FileMap,
    header: Header,
}

impl<'a> Log<'a> {
    pub(super) fn open(
        device: &'a dyn ReadAt,
        block_size: BlockSize,
        map: FileMap,
    ) -> Result<Self> {
        let mut block = vec![0; block_size.len()];
        let first = map.block(0).and_then(|block| block_size.position(block));
        device.read_at(first.ok_or_else(damaged)?, &mut block)?;
        let header = Header::parse(&block, block_size, map.blocks())?;
        Ok(Self { device, block_size, map, header })
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// Where the log begins, if there is anything in it.
    pub(super) fn start(&self) -> Option<Start> {
        self.header.start
    }

    /// Room for a block.
    pub(super) fn buffer(&self) -> Vec<u8> {
        vec![0; self.block_size.len()]
    }

    /// The block of the file system in which block `number` of the journal lies.
    pub(super) fn locate(&self, number: u32) -> Result<u64> {
        self.map.block(number.into()).ok_or_else(damaged)
    }

    /// Reads block `number` of the journal.
    pub(super) fn read(&self, number: u32, buf: &mut [u8]) -> Result<()> {
        let position = self.block_size.position(self.locate(number)?);
        self.device.read_at(position.ok_or_else(damaged)?, buf)
    }

    /// A walk along all that seems to be in the log.
    pub(super) fn walk(&self, start: Start) -> Walk<'_, 'a> {
        let ring = &self.header.ring;
        Walk {
            log: self,
            at: start.block,
            sequence: start.sequence,
            end: None,
            left: ring.end.saturating_sub(ring.start),
            block: self.buffer(),
        }
    }

    /// A walk along the transactions before `end`.
    pub(super) fn walk_until(&self, start: Start, end: u32) -> Walk<'_, 'a> {
        Walk { end: Some(end), ..self.walk(start) }
    }
}

/// A walk along the log, from block to block, data left out.
pub(super) struct Walk<'l, 'a> {
    log: &'l Log<'a>,
    at: u32,
    /// The transaction to which the next block must belong.
    sequence: u32,
    /// The transaction before which the walk ends.
    end: Option<u32>,
    /// How many blocks of the ring the walk has not been to.
    left: u32,
    block: Vec<u8>,
}

impl Walk<'_, '_> {
    /// Goes on to the next block that is not data; `None` at the end of the log.
    ///
    /// # Errors
    /// `Corrupt` if the log ends before the walk was to end, or bites its own tail.
    pub(super) fn next(&mut self) -> Result<Option<Kind>> {
        if self.end == Some(self.sequence) {
            return Ok(None);
        }
        self.log.read(self.at, &mut self.block)?;
        let kind = record::kind(&self.block, self.sequence);
        if kind.is_some() {
            self.step()?;
        } else if self.end.is_some() {
            return Err(ErrorKind::Corrupt(CorruptKind::JournalLog).into());
        }
        Ok(kind)
    }

    /// The block to which the walk has come.
    pub(super) fn block(&self) -> &[u8] {
        &self.block
    }

    /// The transaction to which that block belongs.
    pub(super) fn sequence(&self) -> u32 {
        self.sequence
    }

    /// Passes the next data block, and tells its number.
    pub(super) fn next_data(&mut self) -> Result<u32> {
        let at = self.at;
        self.step()?;
        Ok(at)
    }

    /// Passes the data blocks of the descriptor to which the walk has come.
    pub(super) fn skip_data(&mut self) -> Result<()> {
        let count = record::tags(&self.log.header, &self.block).count();
        (0..count).try_for_each(|_| self.step())
    }

    /// Goes on to the next transaction.
    pub(super) fn end_transaction(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
    }

    fn step(&mut self) -> Result<()> {
        let past_all = || ErrorKind::Corrupt(CorruptKind::JournalLog);
        self.left = self.left.checked_sub(1).ok_or_else(past_all)?;
        let ring = &self.log.header.ring;
        let next = self.at.saturating_add(1);
        self.at = if next >= ring.end { ring.start } else { next };
        Ok(())
    }
}
