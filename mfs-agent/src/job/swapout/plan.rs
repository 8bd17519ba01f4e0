//! What is saved of what, and the base that it is compared with.

use alloc::string::ToString;

use imagezip_core::allocation::{DiskMap, Options, Selection, Table, rows, scan};
use imagezip_core::codec::Level;
use imagezip_core::error::{CorruptKind, ErrorKind};
use imagezip_core::partition::LogicalSectorSize;
use imagezip_core::pipeline::Source;
use imagezip_core::swapinfo::Part;

use crate::cmdline::Node;
use crate::disk::Disk;
use crate::disk::device::DiskDevice;
use crate::failure::{Failure, FailureKind, Result};
use crate::job::base::BaseImage;
use crate::progress::Progress;
use crate::project::swapinfo::SwapInfo;
use crate::ranges::SyncRanges;
use crate::threads::Threads;

/// Everything that an image is made of, and who makes it.
#[derive(Clone, Copy)]
pub(super) struct Plan<'a> {
    pub(super) node: &'a Node,
    pub(super) part: &'a Part,
    pub(super) disk: &'a Disk,
    pub(super) device: &'a DiskDevice<'a>,
    /// What of the disk is in use.
    pub(super) map: &'a DiskMap,
    /// `None` for a full image.
    pub(super) base: Option<&'a BaseImage>,
    pub(super) level: Level,
    pub(super) info: &'a SwapInfo,
    pub(super) threads: &'a dyn Threads,
    pub(super) ranges: &'a dyn SyncRanges,
    pub(super) progress: &'static Progress,
}

impl<'a> Plan<'a> {
    /// The same for the core.
    pub(super) fn source(&self) -> Source<'a> {
        let base = self.base.map(|base| &base.signature);
        Source { base, level: self.level, ..Source::new(self.device, self.map) }
    }
}

/// Finds out what is in use on the disk, or on the partition that `part` names.
///
/// # Errors
/// `DiskAbsent`, `PartitionAbsent`, or what the core says of the partition table.
pub(super) fn allocation(device: &DiskDevice<'_>, disk: &Disk, part: &Part) -> Result<DiskMap> {
    let sector_size = LogicalSectorSize::new(disk.sector_size.into()).ok_or_else(|| {
        let Disk { name, sector_size, .. } = disk;
        FailureKind::DiskAbsent.because(format_args!(
            "disk {name} has sectors of {sector_size} bytes, not 512 or 4096"
        ))
    })?;
    let selection = match part.load_partition {
        0 => Selection::WholeDisk,
        number => Selection::Partition(number.into()),
    };
    let map =
        scan(device, selection, Options::new(sector_size)).map_err(|error| match error.kind {
            ErrorKind::Corrupt(CorruptKind::NoSuchPartition) => FailureKind::PartitionAbsent
                .because(format_args!(
                    "disk {} has no partition {}, which LOADPART= of .part asks for",
                    disk.name, part.load_partition
                )),
            _ => {
                Failure::of_core(&error, format_args!("reading the file systems of {}", disk.name))
            }
        })?;
    for note in &map.notes {
        log::warn!("partition table: {note}");
    }
    let rows = rows(&map.partitions);
    for line in Table(&rows).to_string().lines() {
        log::info!("{line}");
    }
    for row in &rows {
        for note in &row.notes {
            log::warn!("partition {}: {note}", row.name);
        }
    }
    Ok(map)
}
