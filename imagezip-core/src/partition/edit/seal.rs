//! A copy of a GPT with changed fields: its checksums made right, ready to be written.

use super::block_at;
use crate::error::{ErrorKind, Result};
use crate::overlay::Patch;
use crate::partition::LogicalSectorSize;
use crate::partition::gpt::{CRC, Copy};

/// Fields of the header, by offset.
const CHECKSUM: usize = 16;
const OWN_LBA: usize = 24;
const ALTERNATE_LBA: usize = 32;
const LAST_USABLE: usize = 48;
const ENTRIES_LBA: usize = 72;
const ENTRIES_CHECKSUM: usize = 88;

/// Where a copy lies, and the other one.
#[derive(Clone, Copy, Debug)]
pub(in crate::partition) struct Seat {
    /// The block of the header.
    pub(in crate::partition) own: u64,
    /// The block of the other copy's header.
    pub(in crate::partition) alternate: u64,
    /// The first block of the entries.
    pub(in crate::partition) entries: u64,
    /// The last block that partitions may use.
    pub(in crate::partition) last_usable: u64,
}

impl Copy {
    /// The entry of partition `number`.
    pub(in crate::partition) fn entry_mut(&mut self, number: u32) -> Option<&mut [u8]> {
        let len = usize::try_from(self.header().ok()?.entry_bytes()).ok()?;
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        self.entries.chunks_exact_mut(len).nth(index)
    }

    /// Puts the copy in another place.
    ///
    /// # Errors
    /// `Truncated` if there is no header.
    pub(in crate::partition) fn seat(&mut self, seat: Seat) -> Result<()> {
        self.set_u64(OWN_LBA, seat.own)?;
        self.set_u64(ALTERNATE_LBA, seat.alternate)?;
        self.set_u64(ENTRIES_LBA, seat.entries)?;
        self.set_u64(LAST_USABLE, seat.last_usable)
    }

    /// What has to be written for the copy.
    ///
    /// # Errors
    /// `Truncated` if there is no header.
    pub(in crate::partition) fn sealed(mut self, size: LogicalSectorSize) -> Result<[Patch; 2]> {
        self.set(ENTRIES_CHECKSUM, &CRC.checksum(&self.entries).to_le_bytes())?;
        // The checksum is made with its own field zero.
        self.set(CHECKSUM, &[0; 4])?;
        let covered = usize::try_from(self.header()?.covered_bytes()).ok();
        let covered = covered.and_then(|len| self.block.get(..len)).ok_or(ErrorKind::Truncated)?;
        self.set(CHECKSUM, &CRC.checksum(covered).to_le_bytes())?;
        let header = self.header()?;
        let (own, entries) = (header.own_lba(), header.entries_lba());
        Ok([
            Patch { at: block_at(size, entries), bytes: self.entries },
            Patch { at: block_at(size, own), bytes: self.block },
        ])
    }

    fn set_u64(&mut self, at: usize, value: u64) -> Result<()> {
        self.set(at, &value.to_le_bytes())
    }

    fn set(&mut self, at: usize, bytes: &[u8]) -> Result<()> {
        let field = self.block.get_mut(at..).and_then(|rest| rest.get_mut(..bytes.len()));
        field.ok_or(ErrorKind::Truncated)?.copy_from_slice(bytes);
        Ok(())
    }
}
