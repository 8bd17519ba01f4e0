//! Which sectors of a disk an image has to hold.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::device::{ReadAt, Window};
use crate::error::{CorruptKind, ErrorKind, Place, Result};
use crate::extent::ExtentSet;
use crate::filesystem::{Examined, Part, RawReason, SkipReason, Verdict, examine, metadata_at_end};
use crate::partition::{self, Doubt, MbrType, Partition, PartitionKind};
use crate::sector::{Bytes, Sector, SectorCount, SectorRange};

mod options;
mod parts;
mod table;

#[cfg(test)]
mod tests;

pub use options::{LEAST_FREE, Options, Selection, Target};
pub use table::{Row, Table, rows};

/// The sectors of a disk that an image has to hold, and why.
#[derive(Clone, Debug)]
pub struct DiskMap {
    /// What the image is about: the disk, or one partition.
    pub area: SectorRange,
    /// The sectors to save, counted from the start of `area`.
    pub in_use: ExtentSet,
    /// Those among them that are free, in ranges shorter than [`Options::least_free`].
    pub forgotten: ExtentSet,
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
    /// The parts of a partition that holds several.
    pub parts: Vec<Part>,
}

/// Finds out which sectors of a disk, or of one of its partitions, have to be saved.
///
/// A disk without a partition table is examined as one file system; what isn't understood is
/// saved whole.
///
/// # Errors
/// `Read` if the device fails; `Corrupt(NoSuchPartition)` if the selected partition is not in the
/// table, or there is no table; other `Corrupt` kinds if there are only damaged tables.
pub fn scan(device: &dyn ReadAt, selection: Selection, options: Options<'_>) -> Result<DiskMap> {
    let disk = device.sectors();
    let mut scan = Scan::new(device, options);
    let selected = match selection {
        Selection::Raw => {
            scan.add(0, disk, Examined::raw(device, RawReason::Requested));
            disk
        }
        Selection::FileSystem(expected) => {
            scan.file_system(expected)?;
            disk
        }
        Selection::Partition(number) => scan.partition(number)?,
        Selection::WholeDisk => {
            scan.whole_disk()?;
            disk
        }
    };
    Ok(scan.finish(selected))
}

struct Scan<'a> {
    device: &'a dyn ReadAt,
    options: Options<'a>,
    free: Vec<SectorRange>,
    reports: Vec<Report>,
    notes: Vec<String>,
}

impl<'a> Scan<'a> {
    fn new(device: &'a dyn ReadAt, options: Options<'a>) -> Self {
        let (free, reports, notes) = (Vec::new(), Vec::new(), Vec::new());
        Self { device, options, free, reports, notes }
    }

    fn file_system(&mut self, expected: Option<MbrType>) -> Result<()> {
        let range = self.device.sectors();
        let Some(expected) = expected else {
            let examined = examine(self.device, None)?;
            self.add(0, range, examined);
            return Ok(());
        };
        let kind = PartitionKind::Mbr(expected);
        let claimed = Partition { number: 0, range, kind, doubt: None, entry: Bytes(0) };
        let examined = examine(self.device, Some(&claimed))?;
        if contradicts(expected, &examined.verdict) {
            let verdict = &examined.verdict;
            self.notes.push(format!("a file system of type {expected} was expected: {verdict}"));
        }
        self.add(0, range, examined);
        Ok(())
    }

    fn partition(&mut self, number: u32) -> Result<SectorRange> {
        let place = Place::Partition(number);
        let missing = || ErrorKind::Corrupt(CorruptKind::NoSuchPartition).at(place);
        let table = partition::read(self.device, self.options.sector_size)?.ok_or_else(missing)?;
        let partition = table.find(number).ok_or_else(missing)?;
        self.examine(partition, partition.range)?;
        let range = partition.range;
        self.notes = table.notes;
        Ok(range)
    }

    fn whole_disk(&mut self) -> Result<()> {
        let disk = self.device.sectors();
        let Some(table) = partition::read(self.device, self.options.sector_size)? else {
            let examined = examine(self.device, None)?;
            self.add(0, disk, examined);
            return Ok(());
        };
        for partition in &table.partitions {
            self.examine(partition, disk)?;
        }
        for target in self.options.ignored.iter().chain(self.options.raw) {
            if table.find(target.partition).is_none() {
                self.notes.push(format!("there is no partition {target}"));
            }
        }
        match self.options.unused {
            Some(unused) => self.free.extend(unused),
            None => self.outside(&table.unused)?,
        }
        self.notes.extend(table.notes);
        Ok(())
    }

    /// Takes the sectors outside of partitions for free that nobody uses.
    fn outside(&mut self, unused: &ExtentSet) -> Result<()> {
        let Some((owner, at)) = metadata_at_end(self.device)? else {
            self.free.extend(unused);
            return Ok(());
        };
        let holds = |range: &SectorRange| range.start() <= at && at < range.end();
        if unused.iter().any(|range| holds(&range)) {
            self.notes.push(format!("behind the partitions are metadata of {owner}"));
        }
        self.free.extend(unused.iter().filter(|range| !holds(range)));
        Ok(())
    }

    /// Examines a partition as the options say, if it is among the sectors of `selected` that
    /// count.
    fn examine(&mut self, partition: &Partition, selected: SectorRange) -> Result<()> {
        let range = partition.range;
        let truncated = || ErrorKind::Truncated.at(Place::Sector(range.start()));
        let window = Window::new(self.device, range).ok_or_else(truncated)?;
        let whole = Target { partition: partition.number, part: None };
        let shared = partition.doubt == Some(Doubt::Overlap);
        let ignored = self.options.ignored.contains(&whole);
        let mut examined = if ignored && !shared {
            Examined::skipped(&window, SkipReason::Requested)
        } else if range.intersection(self.area(selected)).is_none() {
            Examined::skipped(&window, SkipReason::BeyondCount)
        } else if self.options.raw.contains(&whole) {
            Examined::raw(&window, RawReason::Requested)
        } else {
            examine(&window, Some(partition))?
        };
        if ignored && shared {
            // What is in it may be another partition's.
            examined.notes.push("it is saved, because it is not alone in its place".to_string());
        }
        parts::apply(&window, partition, self.options, &mut examined)?;
        self.add(partition.number, range, examined);
        Ok(())
    }

    /// Takes over what was found out about the sectors of `range`.
    fn add(&mut self, number: u32, range: SectorRange, examined: Examined) {
        let Examined { mut in_use, verdict, size, notes, parts } = examined;
        let whole = SectorRange::first(range.len());
        if self.options.without_slack && matches!(verdict, Verdict::Aware(_)) {
            let (file_system, _) = whole.split_at(Sector::ZERO.saturating_add(size));
            in_use = in_use.within(file_system).collect();
        }
        self.free.extend(&in_use.complement(whole).absolute_from(range.start()));
        let in_use = in_use.sector_count();
        self.reports.push(Report { number, range, verdict, in_use, notes, parts });
    }

    /// The part of what is selected that the image is about.
    fn area(&self, selected: SectorRange) -> SectorRange {
        match self.options.count {
            Some(count) => selected.split_at(selected.start().saturating_add(count)).0,
            None => selected,
        }
    }

    fn finish(mut self, selected: SectorRange) -> DiskMap {
        let area = self.area(selected);
        if let Some(count) = self.options.count.filter(|count| *count > area.len()) {
            self.notes.push(format!("only {} of {count} sectors are there", area.len()));
        }
        let free = ExtentSet::from_unsorted(self.free);
        let left_out = free.without_short(self.options.least_free);
        let forgotten = free.difference(&left_out).within(area).collect::<ExtentSet>();
        DiskMap {
            area,
            in_use: left_out.complement(area).relative_to(area.start()),
            forgotten: forgotten.relative_to(area.start()),
            partitions: self.reports,
            notes: self.notes,
        }
    }
}

/// Whether a file system was found that nobody would give this type.
fn contradicts(expected: MbrType, verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Aware(found) if !found.suits(expected))
}

impl DiskMap {
    /// What is known already: the image is about the sectors of `area` and has to hold `in_use`,
    /// which are counted from its start.
    pub const fn known(area: SectorRange, in_use: ExtentSet) -> Self {
        let forgotten = ExtentSet::new();
        Self { area, in_use, forgotten, partitions: Vec::new(), notes: Vec::new() }
    }

    /// The number of sectors that really are in use: without those that are only saved because
    /// they are few.
    pub fn allocated(&self) -> SectorCount {
        let forgotten = self.forgotten.sector_count();
        let rest = self.in_use.sector_count().get().saturating_sub(forgotten.get());
        SectorCount::new(rest).unwrap_or_default()
    }

    /// The number of sectors that the image is about.
    pub fn sectors(&self) -> SectorCount {
        self.area.len()
    }

    /// The sector of the disk that is the image's first.
    pub fn base(&self) -> Sector {
        self.area.start()
    }
}
