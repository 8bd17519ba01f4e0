//! Where on the disk what was saved goes, if it may.

use imagezip_core::device::ReadAt;
use imagezip_core::partition::{self, LogicalSectorSize};
use imagezip_core::relocation::Placement;
use imagezip_core::swapinfo::Meta;

use crate::disk::Disk;
use crate::failure::{Failure, FailureKind, Result};

/// The place on the disk for what `meta` describes: the whole disk, or its partition.
///
/// # Errors
/// `DiskMisfit`: the disk has other sectors, or the partition's limits can't be right;
/// `PartitionAbsent`; what the core says of the partition table.
pub(super) fn find(meta: &Meta, disk: &Disk, device: &dyn ReadAt) -> Result<Placement> {
    if meta.sector_size != disk.sector_size {
        return Err(FailureKind::DiskMisfit.because(format_args!(
            "what was saved comes from a disk with sectors of {} bytes, but disk {disk} has some \
             of {}; partition tables and file systems would not be understood",
            meta.sector_size, disk.sector_size
        )));
    }
    let number = u32::from(meta.load_partition);
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
