//! NTFS (docs/format.md, "NTFS").
//!
//! Which clusters are free is read from the volume's bitmap. That is enough where Windows has ended its use of
//! the volume, as its log tells. Other drivers write no log, and so nothing tells whether they were interrupted: then the
//! clusters of all files count as in use, whatever the bitmap says. Where the log has something to be done, all of the
//! volume counts as in use. What lies behind the last cluster, as the copy of the boot sector does, always does.
//!
//! Of the files with which Windows swaps and hibernates, the content is left out if nobody will miss it (`paging`).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::whole_disk::is_right;
use super::{Allocation, FilesystemKind, read_if_there};
use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, Result};
use crate::sector::Bytes;

mod attribute;
mod bitmap;
mod boot;
mod log;
mod mft;
mod names;
mod paging;
mod record;
mod runs;
mod scan;
mod stream;
mod volume;

use boot::Geometry;
use log::Log;
use mft::Mft;
use paging::Unneeded;

/// Whether there is a boot sector of NTFS.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn is_present(device: &dyn ReadAt) -> Result<bool> {
    let mut bytes = [0; boot::SIZE];
    Ok(read_if_there(device, Bytes(0), &mut bytes)? && boot::is_ntfs(&bytes))
}

/// Whether a volume begins on `device` whose MFT is where the boot sector says, so that this can't be left over from an
/// earlier use.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn fills(device: &dyn ReadAt) -> Result<bool> {
    Ok(is_present(device)? && is_right(mft_begins(device))?)
}

fn mft_begins(device: &dyn ReadAt) -> Result<()> {
    let geometry = Geometry::parse(&boot_sector(device)?, device.size())?;
    let start = geometry.bytes(geometry.mft_cluster).ok_or(ErrorKind::Truncated)?;
    let mut mark = [0; 4];
    device.read_at(Bytes(start), &mut mark)?;
    if mark == record::MAGIC { Ok(()) } else { Err(record::damaged(mft::number::MFT)) }
}

fn boot_sector(device: &dyn ReadAt) -> Result<[u8; boot::SIZE]> {
    let mut bytes = [0; boot::SIZE];
    device.read_at(Bytes(0), &mut bytes)?;
    Ok(bytes)
}

/// The sectors in use of the volume that fills `device`.
///
/// # Errors
/// `Corrupt` if the volume is damaged, `Incompatible(Unclean)` if its log has something to be done, `Incompatible(Version)`
/// if it is of an unknown version, and `Read` if the device fails.
pub(super) fn allocation(device: &dyn ReadAt) -> Result<Allocation> {
    let geometry = Geometry::parse(&boot_sector(device)?, device.size())?;
    let mft = Mft::open(device, geometry)?;
    let is_dirty = volume::is_dirty(&mft)?;
    let log = log::state(&mft)?;
    let mut free = bitmap::free(&mft)?;
    let mut notes = Vec::new();
    let mut unneeded = Unneeded::default();
    if !is_dirty {
        unneeded = paging::unneeded(&mft, &mut notes)?;
    }
    if log == Log::Closed && !is_dirty {
        if !scan::claimed(&mft, mft::number::FIRST_FREE, &free, &unneeded)?.is_empty() {
            return Err(ErrorKind::Corrupt(CorruptKind::AllocationMap).into());
        }
        free = free.union(&unneeded.sectors);
    } else {
        let claimed = scan::claimed(&mft, u64::MAX, &free, &unneeded)?;
        note_doubts(&mut notes, is_dirty, free.intersection(&claimed).sector_count().get());
        free = free.union(&unneeded.sectors).difference(&claimed);
    }
    let in_use = free.complement(device.sectors());
    Ok(Allocation { notes, ..Allocation::new(in_use, FilesystemKind::Ntfs, geometry.size) })
}

fn note_doubts(notes: &mut Vec<String>, is_dirty: bool, claimed: u64) {
    if is_dirty {
        notes.push("the volume is marked for a check: what any file has counts as in use".into());
    }
    if claimed > 0 {
        notes.push(format!(
            "the bitmap lacks {claimed} sectors that files have: they count as in use"
        ));
    }
}

#[cfg(test)]
mod tests;
