//! What is written when all data are loaded: what depends on the disk.

use imagezip_core::buffer::PageBuffer;
use imagezip_core::device::{ReadAt, WriteAt};
use imagezip_core::error::{CorruptKind, ErrorKind, Place};
use imagezip_core::overlay::Patch;
use imagezip_core::partition::edit::{fit_to_disk, set_type};
use imagezip_core::sector::{Bytes, Sector};
use imagezip_core::swapinfo::Part;

use super::contents::Origin;
use super::place::sector_size;
use crate::disk::Disk;
use crate::disk::target::TargetDisk;
use crate::failure::{Failure, Result};

/// Fits the partition table to the disk, if the whole of it was loaded, and gives the partition
/// that was loaded, or that the node boots from, another type, if one is wanted.
///
/// # Errors
/// What the core says of the partition table; `Write`, or that the disk doesn't give back what was
/// written.
pub(super) fn fit_table(
    disk: &Disk,
    target: &TargetDisk<'_>,
    (part, origin): (&Part, Option<Origin>),
    partition_type: Option<u32>,
) -> Result<()> {
    let failed = |error| {
        Failure::of_core(&error, format_args!("fitting the partition table of {}", disk.name))
    };
    let size = sector_size(disk)?;
    // A table that came from a disk of this size stays as it is, also if the user has damaged it.
    let fits = origin.is_some_and(|origin| origin.disk_size == disk.size);
    if part.load_partition == 0 && !fits {
        let patches = fit_to_disk(target, size).map_err(failed)?;
        if !patches.is_empty() {
            log::info!("the partition table is fitted to the size of disk {}", disk.name);
        }
        write(target, &patches).map_err(failed)?;
    }
    if let Some(kind) = partition_type {
        let number = match part.load_partition {
            0 => part.boot_partition,
            number => number,
        };
        let patches = set_type(target, size, number.into(), kind).map_err(failed)?;
        write(target, &patches).map_err(failed)?;
        log::info!("partition {number} has the type {kind:#x}");
    }
    Ok(())
}

/// Writes patches in their order, each safe on the disk and read back from there before the next.
fn write(target: &TargetDisk<'_>, patches: &[Patch]) -> imagezip_core::Result<()> {
    let mut buffer = PageBuffer::new();
    patches.iter().try_for_each(|patch| {
        target.write_at(patch.at, &patch.bytes)?;
        target.sync()?;
        prove(target, patch, &mut buffer)
    })
}

/// Reads the pages of a patch.
fn prove(
    target: &TargetDisk<'_>,
    patch: &Patch,
    buffer: &mut PageBuffer,
) -> imagezip_core::Result<()> {
    let page = u64::try_from(PageBuffer::PAGE).unwrap_or(u64::MAX);
    let at = patch.at.get();
    let len = u64::try_from(patch.bytes.len()).unwrap_or(u64::MAX);
    let start = at.saturating_sub(at.checked_rem(page).unwrap_or_default());
    let end = at.saturating_add(len).checked_next_multiple_of(page).unwrap_or(u64::MAX);
    let index = |at: u64| usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX);
    let found = buffer.grown(index(end.min(target.size().get())));
    target.read_at(Bytes(start), found)?;
    if found.get(index(at)..index(at.saturating_add(len))) == Some(&patch.bytes) {
        return Ok(());
    }
    let sector = Sector::ZERO.saturating_add(patch.at.whole_sectors());
    Err(ErrorKind::Corrupt(CorruptKind::TargetNotAsWritten).at(Place::Sector(sector)))
}
