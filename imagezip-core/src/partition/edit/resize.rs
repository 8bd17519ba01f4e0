//! A GPT that came with an image from a disk of another size: its backup copy is moved to the end
//! of the disk (docs/format.md, "GPT").

use alloc::vec;
use alloc::vec::Vec;

use super::seal::Seat;
use crate::device::ReadAt;
use crate::error::{CorruptKind, Error, ErrorKind, Place, Result};
use crate::layout::Layout;
use crate::overlay::Patch;
use crate::partition::gpt::{self, Copy};
use crate::partition::mbr::Mbr;
use crate::partition::{LogicalSectorSize, MbrType};
use crate::sector::Bytes;

/// The block that the primary copy's entries usually begin in.
const ENTRIES: u64 = 2;

/// What to write to make the GPT of a disk fit the disk, after an image of a whole disk of another
/// size was loaded onto it.
///
/// Then the backup copy is in the disk's last block with its entries right before it, both headers
/// have the last usable block before these, and the protective MBR has the disk's number of blocks.
/// The names of disk and partitions, their places and types stay as they are. So does a hybrid MBR,
/// and a length of 0xFFFFFFFF blocks, which stands for a disk of any size.
///
/// Nothing has to be written if there is no GPT, or if its backup is in the last block and good.
/// Where the backup was before it stays, as other tools leave it: what lies there is unused, or a
/// partition's one day.
///
/// The patches are whole blocks. They are to be written in this order, each safe on the disk before
/// the next: then one copy of the table is good at every moment. The header of the primary copy is
/// the last, and until it is written another call gives the same patches.
///
/// A damaged primary copy is made anew if the other one is good, and where the damaged header says
/// that it is; the primary copy is written before the backup then. Nothing is made of a good copy
/// that only lies in the last block: it can be a backup of the table that the disk had before the
/// image was loaded.
///
/// # Errors
/// `Corrupt(PartitionLimits)` if a partition or the table has no room on the disk, at the partition
/// if it is one; `Corrupt(GptHeader)` if the entries lie where they can't be; the error of the
/// primary copy if no copy can be used; `Read` if the device fails.
pub fn fit_to_disk(device: &dyn ReadAt, size: LogicalSectorSize) -> Result<Vec<Patch>> {
    if device.sectors().is_empty() {
        return Ok(Vec::new());
    }
    let mut sector = [0; 512];
    device.read_at(Bytes(0), &mut sector)?;
    let is_announced = match Mbr::new(&sector) {
        Some(table) if !table.is_protective() => return Ok(Vec::new()),
        table => table.is_some(),
    };
    let disk = Disk { device, size, last: gpt::last_block(device, size) };
    match Copy::load(device, size, gpt::PRIMARY) {
        Ok(primary) => disk.moved(&primary),
        Err(error @ Error { kind: ErrorKind::Read(_), .. }) => Err(error),
        Err(error) if is_announced => match disk.other_copy()? {
            Some(other) => disk.repaired(&other),
            None => Err(error),
        },
        // Without an MBR only a good primary copy counts.
        Err(_) => Ok(Vec::new()),
    }
}

/// The disk that a table has to fit.
struct Disk<'a> {
    device: &'a dyn ReadAt,
    size: LogicalSectorSize,
    /// The last block.
    last: u64,
}

impl Disk<'_> {
    /// The patches for a disk whose primary copy is good.
    fn moved(&self, primary: &Copy) -> Result<Vec<Patch>> {
        let header = primary.header()?;
        if header.alternate_lba() == self.last && self.has_backup_of(primary)? {
            return Ok(Vec::new());
        }
        let [first, second] = self.seats(primary, header.entries_lba())?;
        let mut patches = self.copy_at(primary, second)?;
        patches.extend(self.fitted_mbr()?);
        // Its entries are there.
        patches.extend(self.copy_at(primary, first)?.pop());
        Ok(patches)
    }

    /// The patches for a disk whose primary copy is damaged.
    fn repaired(&self, other: &Copy) -> Result<Vec<Patch>> {
        let header = other.header()?;
        if header.own_lba() == self.last {
            // It is where everybody finds it.
            return Ok(Vec::new());
        }
        let end = ENTRIES.saturating_add(header.table_blocks(self.size));
        if end > header.first_usable() {
            return Err(ErrorKind::Corrupt(CorruptKind::GptHeader).into());
        }
        let [first, second] = self.seats(other, ENTRIES)?;
        let mut patches = self.copy_at(other, first)?;
        patches.extend(self.fitted_mbr()?);
        patches.extend(self.copy_at(other, second)?);
        Ok(patches)
    }

    /// The copy that the damaged primary header leads to.
    fn other_copy(&self) -> Result<Option<Copy>> {
        let Some(lba) = gpt::claimed_alternate(self.device, self.size)? else { return Ok(None) };
        let Some(copy) = self.copy_if_good(lba)? else { return Ok(None) };
        let is_backup = copy.header()?.alternate_lba() == gpt::PRIMARY;
        Ok(is_backup.then_some(copy))
    }

    /// Whether a good backup of this table, and not of another one, is in the last block.
    fn has_backup_of(&self, primary: &Copy) -> Result<bool> {
        let Some(copy) = self.copy_if_good(self.last)? else { return Ok(false) };
        let (backup, primary) = (copy.header()?, primary.header()?);
        Ok(backup.alternate_lba() == gpt::PRIMARY && backup.disk_guid() == primary.disk_guid())
    }

    /// The copy whose header is in block `lba`, if it can be used.
    fn copy_if_good(&self, lba: u64) -> Result<Option<Copy>> {
        match Copy::load(self.device, self.size, lba) {
            Err(error @ Error { kind: ErrorKind::Read(_), .. }) => Err(error),
            copy => Ok(copy.ok()),
        }
    }

    /// Where the copies belong if the entries of the primary one begin in block `entries`.
    fn seats(&self, copy: &Copy, entries: u64) -> Result<[Seat; 2]> {
        let limits = |place| ErrorKind::Corrupt(CorruptKind::PartitionLimits).at(place);
        let header = copy.header()?;
        let room = header.table_blocks(self.size);
        let end = self.last.checked_sub(room).filter(|end| *end > header.first_usable());
        let end = end.ok_or_else(|| limits(Place::Whole))?;
        let mut last_usable = end.saturating_sub(1);
        if let Some(number) = copy.partition_behind(last_usable)? {
            return Err(limits(Place::Partition(number)));
        }
        if entries < ENTRIES || entries.saturating_add(room) > end {
            return Err(ErrorKind::Corrupt(CorruptKind::GptHeader).into());
        }
        if header.own_lba().max(header.alternate_lba()) == self.last {
            // It was made for this size. Whoever made it may have left more room.
            last_usable = last_usable.min(header.last_usable());
        }
        let (own, alternate) = (gpt::PRIMARY, self.last);
        let primary = Seat { own, alternate, entries, last_usable };
        let backup = Seat { own: alternate, alternate: own, entries: end, last_usable };
        Ok([primary, backup])
    }

    /// The entries, if there are any, and the header of a copy in its place.
    fn copy_at(&self, copy: &Copy, seat: Seat) -> Result<Vec<Patch>> {
        let mut copy = copy.clone();
        copy.seat(seat)?;
        let blocks = copy.header()?.table_blocks(self.size);
        let [mut entries, header] = copy.sealed(self.size)?;
        let whole = usize::try_from(blocks.saturating_mul(self.size.bytes()));
        entries.bytes.resize(whole.map_err(|_| ErrorKind::Truncated)?, 0);
        Ok([entries, header].into_iter().filter(|patch| !patch.bytes.is_empty()).collect())
    }

    /// The block with the MBR, if it guards the whole disk and has another disk's length.
    fn fitted_mbr(&self) -> Result<Option<Patch>> {
        let mut bytes = vec![0; usize::from(self.size.0)];
        self.device.read_at(Bytes(0), &mut bytes)?;
        let is_protective =
            bytes.first_chunk().and_then(Mbr::new).is_some_and(|t| t.is_protective());
        let entries = bytes.get_mut(446..510).unwrap_or_default().chunks_exact_mut(16);
        let mut used = entries.filter(|entry| entry.iter().any(|byte| *byte != 0));
        let (Some(entry), None, true) = (used.next(), used.next(), is_protective) else {
            return Ok(None);
        };
        let Some(fields) = Layout::<16>::new(entry) else { return Ok(None) };
        let (kind, start, len) = (fields.u8::<4>(), fields.u32::<8>(), fields.u32::<12>());
        let fitting = u32::try_from(self.last).unwrap_or(u32::MAX);
        let guards_all = MbrType(kind) == MbrType::GPT_PROTECTIVE && start == 1;
        if !guards_all || len == fitting || len == u32::MAX {
            return Ok(None);
        }
        if let Some((_, field)) = entry.split_last_chunk_mut() {
            *field = fitting.to_le_bytes();
        }
        Ok(Some(Patch { at: Bytes(0), bytes }))
    }
}

#[cfg(test)]
mod tests;
