//! ext2, ext3 and ext4.
//!
//! Which blocks are free is read from the bitmaps of the block groups, as they are after the
//! recovery of the journal: that is done in memory, the disk is never written. Wherever the file
//! system contradicts itself, all of the group counts as in use; where nothing can be trusted,
//! all of the partition does. What lies in no group always counts as in use: the boot block, and
//! the partition's space after the end of the file system.
//!
//! The facts about the format are from Linux, Documentation/filesystems/ext4, and from what
//! e2fsprogs makes.

use alloc::format;
use alloc::vec;

use crate::device::ReadAt;
use crate::error::{CorruptKind, Error, ErrorKind, IncompatibleKind, Result};
use crate::extent::ExtentSet;

use super::{Allocation, FilesystemKind};

mod allocation;
mod checksum;
mod doubt;
mod extent_tree;
mod features;
pub mod files;
mod geometry;
mod group;
mod indirect;
mod inode;
mod journal;
mod superblock;

use allocation::Suspects;
use doubt::Doubts;
use features::Incompat;
use geometry::Geometry;
use superblock::Superblock;

/// Whether there is the mark of a superblock where the primary one lies.
///
/// # Errors
/// `Read` if the device fails.
pub fn is_present(device: &dyn ReadAt) -> Result<bool> {
    match Superblock::read(device) {
        Err(Error {
            kind: ErrorKind::Truncated | ErrorKind::Corrupt(CorruptKind::ExtMagic),
            ..
        }) => Ok(false),
        Err(error @ Error { kind: ErrorKind::Read(_), .. }) => Err(error),
        _ => Ok(true),
    }
}

/// The sectors in use of the file system that fills `device`.
///
/// # Errors
/// `Corrupt` if the superblock is damaged or none, `Incompatible` if the file system has features
/// that this program doesn't know, or a journal on another device that needs recovery, and
/// `Read` if the device fails.
pub fn allocation(device: &dyn ReadAt) -> Result<Allocation> {
    let superblock = Superblock::read(device)?;
    if !superblock.features.incompat.has(Incompat::RECOVER) {
        return by_bitmaps(device, &superblock, &Suspects::default());
    }
    // Errors are marked on the disk at once, past the journal.
    if let Some(reason) = distrust(&superblock) {
        return Ok(all(device, kind(&superblock), reason));
    }
    match recovered(device, &superblock) {
        Err(error) if !matches!(error.kind, ErrorKind::Read(_)) && !is_external(&error) => {
            let reason = format!("its journal can't be replayed: {error}");
            Ok(all(device, kind(&superblock), &reason))
        }
        outcome => outcome,
    }
}

/// Whether the journal is on another device.
fn is_external(error: &Error) -> bool {
    error.kind == ErrorKind::Incompatible(IncompatibleKind::ExternalJournal)
}

/// The allocation as it is after recovery.
fn recovered(device: &dyn ReadAt, superblock: &Superblock) -> Result<Allocation> {
    let recovered = journal::recover(device, superblock)?;
    by_bitmaps(&recovered.device, &recovered.superblock, &recovered.suspects)
}

/// The allocation that the bitmaps tell.
fn by_bitmaps(
    device: &dyn ReadAt,
    superblock: &Superblock,
    suspects: &Suspects,
) -> Result<Allocation> {
    let kind = kind(superblock);
    if let Some(reason) = distrust(superblock) {
        return Ok(all(device, kind, reason));
    }
    let mut doubts = Doubts::default();
    let free = allocation::free_sectors(device, superblock, suspects, &mut doubts)?;
    let in_use = free.complement(device.sectors());
    let Geometry { block_size, end_block, .. } = superblock.geometry;
    let size = block_size.sectors(&(0..end_block)).unwrap_or_else(|| device.sectors()).len();
    Ok(Allocation { notes: doubts.notes(), ..Allocation::new(in_use, kind, size) })
}

fn kind(superblock: &Superblock) -> FilesystemKind {
    match superblock.journal {
        _ if superblock.features.beyond_ext3() => FilesystemKind::Ext4,
        Some(_) => FilesystemKind::Ext3,
        None => FilesystemKind::Ext2,
    }
}

/// Why no bitmap of the file system can be trusted, if so.
fn distrust(superblock: &Superblock) -> Option<&'static str> {
    if superblock.state.has_errors() {
        Some("it is marked as having errors")
    } else if superblock.state.is_valid() {
        None
    } else if superblock.journal.is_some() {
        Some("it is marked for a check")
    } else {
        Some("it has no journal and was not unmounted cleanly")
    }
}

/// All of the device, for `reason`: not even the size of the file system can be trusted.
fn all(device: &dyn ReadAt, kind: FilesystemKind, reason: &str) -> Allocation {
    let note = format!("all of it counts as in use: {reason}");
    let all = device.sectors();
    Allocation { notes: vec![note], ..Allocation::new(ExtentSet::from(all), kind, all.len()) }
}

#[cfg(test)]
mod tests;
