//! Which sectors of a disk an image has to hold.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::device::{ReadAt, Window};
use crate::error::{CorruptKind, ErrorKind, Place, Result};
use crate::extent::ExtentSet;
use crate::filesystem::{Examined, Verdict, examine};
use crate::partition::{self, LogicalSectorSize, Partition};
use crate::sector::{Sector, SectorCount, SectorRange};

/// What of a disk is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The whole disk: `LOADPART=0`.
    WholeDisk,
    /// One partition, by its number; sectors of the image count from its start.
    Partition(u32),
}

/// How free space is judged.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The disk's own sector size, in which its partition table counts.
    pub sector_size: LogicalSectorSize,
    /// Free ranges shorter than this are saved with the rest: fewer, longer regions load faster.
    /// A base image and its deltas should be made with the same value.
    pub least_free: SectorCount,
}

/// The value of [`Options::least_free`] that image tools have always used.
pub const LEAST_FREE: SectorCount = SectorCount::from_u32(64);

/// The sectors of a disk that an image has to hold, and why.
#[derive(Clone, Debug)]
pub struct DiskMap {
    /// What the image is about: the disk, or one partition.
    pub area: SectorRange,
    /// The sectors to save, counted from the start of `area`.
    pub in_use: ExtentSet,
    /// The partitions that were examined; a disk without a table counts as one, with number 0.
    pub partitions: Vec<Report>,
    /// For people: what the partition table made doubtful.
    pub notes: Vec<String>,
}

/// What was decided about a partition.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its number, 0 for a disk without a table.
    pub number: u32,
    /// Where it lies on the disk.
    pub range: SectorRange,
    /// What was decided.
    pub verdict: Verdict,
    /// How many of its sectors are in use.
    pub in_use: SectorCount,
    /// For people: what of the file system could not be trusted.
    pub notes: Vec<String>,
}

/// Finds out which sectors of a disk, or of one of its partitions, have to be saved.
///
/// A disk without a partition table is examined as one file system; what isn't understood is
/// saved whole.
///
/// # Errors
/// `Read` if the device fails; `Corrupt(NoSuchPartition)` if the selected partition is not in the
/// table, or there is no table; other `Corrupt` kinds if there are only damaged tables.
pub fn scan(device: &dyn ReadAt, selection: Selection, options: Options) -> Result<DiskMap> {
    let table = partition::read(device, options.sector_size)?;
    let missing =
        |number| ErrorKind::Corrupt(CorruptKind::NoSuchPartition).at(Place::Entry(number));
    let mut scan = Scan::default();
    let area = match (selection, table) {
        (Selection::Partition(number), table) => {
            let table = table.ok_or_else(|| missing(u64::from(number)))?;
            let partition = table.find(number).ok_or_else(|| missing(u64::from(number)))?;
            scan.examine(device, partition.range, Some(partition))?;
            let area = partition.range;
            scan.notes = table.notes;
            area
        }
        (Selection::WholeDisk, None) => {
            scan.examine(device, device.sectors(), None)?;
            device.sectors()
        }
        (Selection::WholeDisk, Some(table)) => {
            for partition in &table.partitions {
                scan.examine(device, partition.range, Some(partition))?;
            }
            scan.free.extend(table.unused.iter());
            scan.notes = table.notes;
            device.sectors()
        }
    };
    let free = ExtentSet::from_unsorted(scan.free).without_short(options.least_free);
    let in_use = free.complement(area).relative_to(area.start());
    Ok(DiskMap { area, in_use, partitions: scan.reports, notes: scan.notes })
}

#[derive(Default)]
struct Scan {
    free: Vec<SectorRange>,
    reports: Vec<Report>,
    notes: Vec<String>,
}

impl Scan {
    fn examine(
        &mut self,
        device: &dyn ReadAt,
        range: SectorRange,
        partition: Option<&Partition>,
    ) -> Result<()> {
        let truncated = || ErrorKind::Truncated.at(Place::Sector(range.start()));
        let window = Window::new(device, range).ok_or_else(truncated)?;
        let Examined { in_use, verdict, notes } = examine(&window, partition)?;
        let free = in_use.complement(SectorRange::first(range.len())).absolute_from(range.start());
        self.free.extend(free.iter());
        self.reports.push(Report {
            number: partition.map_or(0, |partition| partition.number),
            range,
            verdict,
            in_use: in_use.sector_count(),
            notes,
        });
        Ok(())
    }
}

impl DiskMap {
    /// The number of sectors that the image is about.
    pub fn sectors(&self) -> SectorCount {
        self.area.len()
    }

    /// The sector of the disk that is the image's first.
    pub fn base(&self) -> Sector {
        self.area.start()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.number == 0 {
            f.write_str("disk without partitions")?;
        } else {
            write!(f, "partition {}", self.number)?;
        }
        write!(
            f,
            ": sectors {}, {}, {} of {} in use",
            self.range,
            self.verdict,
            self.in_use,
            self.range.len()
        )
    }
}
