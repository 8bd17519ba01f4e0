//! XFS, versions 4 and 5 (docs/format.md, "XFS").
//!
//! Which blocks are free is read from the free-space B-tree of each allocation group, as it is
//! after the recovery of the log: that is done in memory, the disk is never written. A group that
//! contradicts itself counts as in use; where the log can't be understood, all of the partition
//! does. What lies in no group always counts as in use.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{Error, ErrorKind, IncompatibleKind, Result};
use crate::extent::ExtentSet;
use crate::overlay::Overlay;
use crate::sector::Bytes;

use super::free_space::FreeSpace;
use super::{Allocation, FilesystemKind, read_if_there};

mod btree;
mod features;
mod geometry;
mod group;
mod log;
mod superblock;

#[cfg(test)]
mod tests;

use superblock::{MAGIC, Superblock};

/// Groups that count as in use are told one by one up to this number.
const MOST_NOTES: usize = 8;

/// Whether the mark of a superblock is there.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn is_present(device: &dyn ReadAt) -> Result<bool> {
    let mut mark = [0; 4];
    Ok(read_if_there(device, Bytes(0), &mut mark)? && mark == MAGIC.to_be_bytes())
}

/// The sectors in use of the file system that fills `device`.
///
/// # Errors
/// `Corrupt` if the superblock is damaged or the file system is marked for repair, `Incompatible`
/// if it has features that this program doesn't know, a log on another device, or one that needs
/// recovery and is not understood; `Read` if the device fails.
pub(super) fn allocation(device: &dyn ReadAt) -> Result<Allocation> {
    let superblock = Superblock::read(device, &ExtentSet::new())?;
    let recovered = log::recover(device, &superblock).map_err(unclean)?;
    let Some(log::Recovered { patches, patched, needed }) = recovered else {
        return by_trees(device, &superblock, &ExtentSet::new(), &ExtentSet::new());
    };
    let device = Overlay::new(device, patches, ExtentSet::new());
    let superblock = Superblock::read(&device, &patched)?;
    by_trees(&device, &superblock, &patched, &needed)
}

/// Whatever is wrong with the log, the reason is that it matters. A device that fails stays an
/// error.
fn unclean(error: Error) -> Error {
    match error.kind {
        ErrorKind::Corrupt(_) | ErrorKind::Truncated | ErrorKind::TooLarge(_) => {
            ErrorKind::Incompatible(IncompatibleKind::Unclean).at(error.place)
        }
        _ => error,
    }
}

/// The allocation that the B-trees tell. `patched` are the sectors that the log has changed: their
/// checksums are not known. Those of `needed` count as in use.
fn by_trees(
    device: &dyn ReadAt,
    superblock: &Superblock,
    patched: &ExtentSet,
    needed: &ExtentSet,
) -> Result<Allocation> {
    let geometry = &superblock.geometry;
    let mut free = FreeSpace::new();
    let mut notes: Vec<String> = Vec::new();
    let mut doubtful = 0_u32;
    for number in 0..geometry.ag_count {
        match group::free_sectors(device, superblock, patched, number) {
            Ok(sectors) => free.add(&sectors),
            Err(error @ Error { kind: ErrorKind::Read(_), .. }) => return Err(error),
            Err(error) => {
                doubtful = doubtful.saturating_add(1);
                if notes.len() < MOST_NOTES {
                    notes.push(format!("allocation group {number} counts as in use: {error}"));
                }
            }
        }
    }
    let more = usize::try_from(doubtful).unwrap_or(usize::MAX).saturating_sub(notes.len());
    if more > 0 {
        notes.push(format!("{more} more allocation groups count as in use"));
    }
    let in_use = free.finish().complement(device.sectors()).union(needed);
    let size = geometry.size().whole_sectors();
    Ok(Allocation { notes, ..Allocation::new(in_use, FilesystemKind::Xfs, size) })
}
