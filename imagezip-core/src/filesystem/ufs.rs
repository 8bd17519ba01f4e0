//! UFS1 and UFS2, the file systems of the BSDs (docs/format.md, "UFS").
//!
//! Which fragments are free is read from the bitmaps of the cylinder groups. Where a group
//! contradicts itself all of it counts as in use. Of a file system that was not unmounted cleanly
//! also that is in use which its inodes refer to: a check makes the bitmaps anew from these.
//! File systems of big-endian machines are raw.

use alloc::format;
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::Result;

use super::free_space::FreeSpace;
use super::{Allocation, FilesystemKind};

mod doubt;
mod flags;
mod geometry;
mod group;
mod inode;
mod superblock;

#[cfg(test)]
pub(super) mod tests;

use doubt::Doubts;
use group::Groups;
use superblock::Superblock;

/// Whether there is the mark of a superblock in one of the places where it may lie.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn is_present(device: &dyn ReadAt) -> Result<bool> {
    superblock::is_present(device)
}

/// The sectors in use of the file system that begins with `device`.
///
/// # Errors
/// `Corrupt` if the superblock is damaged, or there are several; `Incompatible` if it is of another
/// kind, or something below it has a journal; `TooLarge`; `Read` if the device fails.
pub(super) fn allocation(device: &dyn ReadAt) -> Result<Allocation> {
    let superblock = Superblock::read(device)?;
    let geometry = &superblock.geometry;
    let mut doubts = Doubts::default();
    let mut free = FreeSpace::new();
    let mut inodes = Vec::new();
    let mut groups = Groups::new(device, &superblock);
    for group in 0..geometry.groups {
        let count = match groups.get(group)? {
            Ok(found) => {
                free.add(found.free);
                found.inodes
            }
            Err(doubt) => {
                doubts.add(doubt, group);
                geometry.inodes_per_group
            }
        };
        if !superblock.is_clean {
            inodes.push(count);
        }
    }
    let mut free = free.finish();
    let mut notes: Vec<_> = doubts.notes().collect();
    if !superblock.is_clean {
        let referred = inode::referred(device, &superblock, &free, &inodes)?;
        free = free.difference(&referred);
        notes.push(format!(
            "it was not unmounted cleanly: what its inodes refer to counts as in use, \
             {} sectors beside what its bitmaps say",
            referred.sector_count()
        ));
    }
    let kind = if geometry.ufs2 { FilesystemKind::Ufs2 } else { FilesystemKind::Ufs1 };
    let size = geometry.sectors(&(0..geometry.size)).unwrap_or_else(|| device.sectors()).len();
    Ok(Allocation { notes, ..Allocation::new(free.complement(device.sectors()), kind, size) })
}
