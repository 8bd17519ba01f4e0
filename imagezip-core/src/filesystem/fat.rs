//! FAT12, FAT16 and FAT32 (docs/format.md, "FAT").
//!
//! A cluster is free if all FATs say so, no chain leads to it and no file begins in it. Nothing of
//! this repairs a file system that was not unmounted, so what is left of it after a repair is in
//! the image. What is no cluster always counts as in use: the boot sectors, the FATs, the root
//! directory of FAT12 and FAT16, and what is left over at the end.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::Result;

use super::Allocation;
use super::clusters::ClusterSet;
use super::whole_disk::is_right;

mod boot_sector;
mod directory;
mod table;

use boot_sector::Geometry;

/// Whether there is the boot sector of a FAT file system.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn is_present(device: &dyn ReadAt) -> Result<bool> {
    boot_sector::is_present(device)
}

/// Whether a FAT file system begins on `device` that is whole as far as its shape goes, so that
/// its boot sector can't be left over from an earlier use.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn fills(device: &dyn ReadAt) -> Result<bool> {
    if !is_present(device)? {
        return Ok(false);
    }
    is_right(Geometry::read(device).and_then(|geometry| table::check(device, &geometry)))
}

/// The sectors in use of the file system that fills `device`.
///
/// # Errors
/// `Corrupt(FatGeometry)` or `Corrupt(FileSystemSize)` if the boot sector contradicts itself or
/// the size of the device, `Incompatible(Version)` if it is of a version that is not known,
/// `Corrupt(AllocationMap)` if the FAT is of another file system, `TooLarge(Metadata)` if there are too
/// many directories, and `Read` if the device fails.
pub(super) fn allocation(device: &dyn ReadAt) -> Result<Allocation> {
    let geometry = Geometry::read(device)?;
    let mut in_use = ClusterSet::new(geometry.heap.clusters)?;
    let summary = table::read(device, &geometry, &mut in_use)?;
    let added = directory::walk(device, &geometry, &mut in_use)?;
    let free = in_use.free_sectors(&geometry.heap);
    let kind = geometry.width.kind();
    let all =
        Allocation::new(free.complement(device.sectors()), kind, geometry.size.whole_sectors());
    let is_dirty = geometry.is_dirty || summary.is_dirty;
    Ok(Allocation { notes: notes(is_dirty, summary.differing, added), ..all })
}

fn notes(is_dirty: bool, differing: u64, added: u64) -> Vec<String> {
    let mut notes = Vec::new();
    if is_dirty {
        notes.push("it was not unmounted cleanly, or had errors".to_string());
    }
    if differing > 0 {
        let what = "clusters are free in one FAT and not in another";
        notes.push(format!("{differing} {what}: they count as in use"));
    }
    if added > 0 {
        let what = "clusters are free in the FAT, though files begin there";
        notes.push(format!("{added} {what}: they count as in use"));
    }
    notes
}

#[cfg(test)]
pub(crate) mod tests;
