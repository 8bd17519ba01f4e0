//! exFAT (docs/format.md, "exFAT").
//!
//! Which clusters are free is read from the allocation bitmap. If the file system was not unmounted
//! that may be older than the directories, so what files have by these counts as in use, too. What
//! is no cluster always does: the boot regions, the FATs, and what is left over at the end.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, Result};

use super::whole_disk::is_right;
use super::{Allocation, FilesystemKind};

mod bitmap;
mod boot_region;
mod chain;
mod directory;

use boot_region::Geometry;

/// Whether there is the boot sector of exFAT.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn is_present(device: &dyn ReadAt) -> Result<bool> {
    boot_region::is_present(device)
}

/// Whether an exFAT file system begins on `device` whose boot region is whole, so that it can't
/// be left over from an earlier use.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn fills(device: &dyn ReadAt) -> Result<bool> {
    Ok(is_present(device)? && is_right(Geometry::read(device).map(drop))?)
}

/// The sectors in use of the file system that fills `device`.
///
/// # Errors
/// `Corrupt` if the boot region is damaged or contradicts the size of the device, if the allocation
/// bitmap is damaged or there is none, or if files share very many clusters, `Incompatible(Version)` if
/// it is of a version that is not known, `TooLarge(Metadata)` if it needs too much memory, and `Read` if the
/// device fails.
pub(super) fn allocation(device: &dyn ReadAt) -> Result<Allocation> {
    let geometry = Geometry::read(device)?;
    let bitmaps = directory::bitmaps(device, &geometry)?;
    if bitmaps.is_empty() {
        return Err(ErrorKind::Corrupt(CorruptKind::AllocationMap).into());
    }
    let mut in_use = bitmap::read(device, &geometry, &bitmaps)?;
    let notes = if geometry.is_dirty {
        notes(directory::walk(device, &geometry, &mut in_use)?)
    } else {
        Vec::new()
    };
    let in_use = in_use.free_sectors(&geometry.heap).complement(device.sectors());
    let all = Allocation::new(in_use, FilesystemKind::ExFat, geometry.size.whole_sectors());
    Ok(Allocation { notes, ..all })
}

/// What to say about a file system that was not unmounted, of whose files so many clusters were
/// free in the bitmap.
fn notes(added: u64) -> Vec<String> {
    let mut notes = Vec::from(["it was not unmounted cleanly".to_string()]);
    if added > 0 {
        let what = "clusters are free in the allocation bitmap, though files have them";
        notes.push(format!("{added} {what}: they count as in use"));
    }
    notes
}

#[cfg(test)]
pub(crate) mod tests;
