//! Btrfs on a single device (docs/format.md, "Btrfs").
//!
//! What is in use is what the extent tree says, chunk by chunk, and what a log of fsynced files
//! refers to that was not replayed yet. The counters of each block group and the free-space tree
//! check it; a chunk about which they disagree counts as in use. Metadata are believed only if
//! checksum, generation, level, owner and keys are what the pointer to them says, so a walk meets
//! no block twice and ends.
//!
//! The facts about the format are from the documentation of btrfs-progs and of the kernel, and from
//! what both make.

use crate::device::ReadAt;
use crate::error::Result;
use crate::sector::Bytes;

use super::Allocation;

mod allocation;
mod blake2b;
mod checksum;
mod chunk;
mod extents;
mod free_space;
mod key;
mod log;
mod node;
mod superblock;
mod tree;

use superblock::Superblock;

/// Whether there is the mark of a superblock where the primary one lies.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn is_present(device: &dyn ReadAt) -> Result<bool> {
    superblock::is_marked(device, Bytes(superblock::POSITIONS[0]))
}

/// The sectors in use of the file system that fills `device`.
///
/// # Errors
/// `Corrupt` if the superblock or a tree that is needed is damaged, or they contradict each other;
/// `Incompatible` if the file system is of several devices, of a RAID profile, or has features that
/// this program doesn't know; `TooLarge` if it has more chunks, or a longer log, than any real one;
/// and `Read` if the device fails.
pub(super) fn allocation(device: &dyn ReadAt) -> Result<Allocation> {
    let superblock = Superblock::read(device)?;
    allocation::read(device, &superblock)
}

#[cfg(test)]
mod tests;
