//! F2FS (docs/format.md, "F2FS").
//!
//! Which blocks are free is read from the segment information table, as the newest checkpoint
//! has it. What was written after the checkpoint is lost with the power, but for files that were
//! synchronized: Linux finds these at the next mount, by a chain of node blocks. The chain and
//! what it leads to count as in use.

use alloc::format;
use alloc::vec;

use crate::device::ReadAt;
use crate::error::Result;
use crate::sector::{Bytes, Sector, SectorRange};

use super::{Allocation, FilesystemKind};

mod checkpoint;
mod checksum;
mod recovery;
mod segments;
mod superblock;

#[cfg(test)]
mod tests;

use checkpoint::Checkpoint;
use superblock::Superblock;

/// Bytes in a block. With others only machines whose pages are as large can use the file system.
const BLOCK: usize = 4096;
/// Sectors in a block.
const BLOCK_SECTORS: u64 = 8;
/// Blocks in a segment.
const SEGMENT: u32 = 512;

/// Whether there is the mark of a superblock where the first one lies.
///
/// The second one alone is what a file system of another kind leaves that was made later.
pub(super) fn is_present(head: &[u8]) -> bool {
    superblock::has_magic(head)
}

/// The sectors in use of the file system that fills `device`.
///
/// # Errors
/// `Corrupt` if the file system contradicts itself, `Incompatible` if it has features that this
/// program doesn't know, `TooLarge` if what was written after the checkpoint is in too many
/// pieces, and `Read` if the device fails.
pub(super) fn allocation(device: &dyn ReadAt) -> Result<Allocation> {
    let superblock = Superblock::read(device)?;
    let checkpoint = Checkpoint::read(device, &superblock)?;
    if let Some(reason) = superblock.distrust().or_else(|| checkpoint.distrust()) {
        let all = device.sectors();
        let note = format!("all of it counts as in use: {reason}");
        let kind = FilesystemKind::F2fs;
        return Ok(Allocation {
            notes: vec![note],
            ..Allocation::new(all.into(), kind, all.len())
        });
    }
    let free = segments::free_blocks(device, &superblock, &checkpoint)?;
    let later = recovery::later_blocks(device, &superblock, &checkpoint)?;
    let in_use = free.complement(device.sectors()).union(&later);
    let size = sectors(0, superblock.end.into()).len();
    Ok(Allocation::new(in_use, FilesystemKind::F2fs, size))
}

/// The sectors of the blocks from `start` up to, not including, `end`.
fn sectors(start: u64, end: u64) -> SectorRange {
    let sector =
        |block: u64| Sector::new(block.saturating_mul(BLOCK_SECTORS)).unwrap_or(Sector::MAX);
    SectorRange::new(sector(start), sector(end)).unwrap_or(SectorRange::EMPTY)
}

/// Where a block begins.
fn position(block: u32) -> Bytes {
    sectors(block.into(), block.into()).start().to_bytes()
}
