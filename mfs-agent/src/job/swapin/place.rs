//! Where on the disk what was saved goes, if it may.

use imagezip_core::device::ReadAt;
use imagezip_core::partition::{self, LogicalSectorSize};
use imagezip_core::relocation::Placement;

use super::contents::Contents;
use crate::disk::Disk;
use crate::failure::{Failure, FailureKind, Result};

/// The place on the disk for what is loaded: the whole disk, or its partition.
///
/// # Errors
/// `DiskMisfit`: the disk has other sectors, or the partition's limits can't be right;
/// `PartitionAbsent`; what the core says of the partition table.
pub(super) fn find(contents: &Contents<'_>, disk: &Disk, device: &dyn ReadAt) -> Result<Placement> {
    let origin = contents.origin.filter(|origin| origin.sector_size != disk.sector_size);
    if let Some(origin) = origin {
        return Err(other_sectors("what was saved", origin.sector_size, disk));
    }
    let number = u32::from(contents.partition);
    if number == 0 {
        return Ok(Placement::default());
    }
    let table = partition::read(device, sector_size(disk)?).map_err(|error| {
        Failure::of_core(&error, format_args!("reading the partition table of {}", disk.name))
    })?;
    let partition = table.as_ref().and_then(|table| table.find(number)).ok_or_else(|| {
        FailureKind::PartitionAbsent.because(format_args!(
            "disk {disk} has no partition {number}, which LOADPART= asks for; the disk must have \
             been loaded before with an image that has one"
        ))
    })?;
    match partition.doubt {
        None => Ok(Placement::partition(partition.range)),
        Some(doubt) => Err(FailureKind::DiskMisfit
            .because(format_args!("partition {number} of disk {disk} {doubt}; it is not loaded"))),
    }
}

/// That `what` was made on a disk with sectors of `size` bytes, and this one has others.
pub(super) fn other_sectors(what: &str, size: u32, disk: &Disk) -> Failure {
    FailureKind::DiskMisfit.because(format_args!(
        "{what} comes from a disk with sectors of {size} bytes, but disk {disk} has some of {}; \
         partition tables and file systems would not be understood",
        disk.sector_size
    ))
}

/// The disk's sector size, for partition tables.
///
/// # Errors
/// `DiskMisfit`: it is one that disks don't have.
pub(super) fn sector_size(disk: &Disk) -> Result<LogicalSectorSize> {
    LogicalSectorSize::new(disk.sector_size.into()).ok_or_else(|| {
        FailureKind::DiskMisfit.because(format_args!(
            "disk {disk} has sectors of {} bytes, not 512 or 4096",
            disk.sector_size
        ))
    })
}
