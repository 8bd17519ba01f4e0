//! The map of a saved disk: its partitions, and what the delta says of each.

use imagezip_core::device::ReadAt;
use imagezip_core::extent::ExtentSet;
use imagezip_core::sector::{Bytes, Sector, SectorCount, SectorRange};

use super::held::{Deadline, Held, Stack};
use super::sets::{Category, Sets, Usage};
use super::table;

/// How many areas have a drawing of their own.
const MAX_DRAWN: usize = 8;
/// How many cells all drawings have together, and each.
const ALL_CELLS: u64 = 2048;
const MOST_CELLS: u64 = 768;
/// How many cells an area has in which all is as in the base: there's little to see.
const FEW_CELLS: u64 = 120;
/// The smallest part of a disk that is a cell: 64 KiB, a hash block.
const LEAST_CELL: u64 = 128;

/// What a node has saved, as sectors of its disk.
#[derive(Clone, Debug)]
pub struct DiskMap {
    /// The node's name in its experiment.
    pub vname: String,
    /// The size of the node's disk.
    pub disk_size: Bytes,
    /// What of the disk was saved.
    pub scope: Scope,
    /// Whether it is a delta to a base image; else all that is in use was saved.
    pub has_base: bool,
    /// Whether it is known what the base has that was free in the end.
    pub knows_gone: bool,
    /// The partitions in the order of their places; of a disk without any, all of it.
    pub areas: Vec<Area>,
    /// What is in the sectors that are in no partition, if all of the disk was saved.
    pub outside: Usage,
    /// What is in all sectors that were saved, or could have been.
    pub total: Usage,
    /// For people: what isn't as it should be. A few sentences.
    pub notes: Vec<String>,
}

/// What of a disk was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of it.
    Disk,
    /// One partition. Where on the disk it is, the files don't say.
    Partition(u8),
}

/// A partition, or all of a disk without partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// The partition's number.
    pub number: Option<u32>,
    /// What is in it, or what it is for.
    pub label: String,
    /// Its sectors: of the disk or, if only it was saved, of itself.
    pub range: SectorRange,
    /// What is in all of them.
    pub usage: Usage,
    /// The same, part by part; none for those areas that have no drawing.
    pub cells: Vec<Usage>,
    /// How large a part is. The last one may be shorter.
    pub cell: SectorCount,
}

/// What a map is made of.
pub(super) struct Source<'a> {
    pub(super) vname: &'a str,
    pub(super) disk_size: Bytes,
    pub(super) sector_size: u32,
    pub(super) load_partition: u8,
    pub(super) base: Option<&'a Held<'a>>,
    /// What the base holds; it's what its signature tells.
    pub(super) base_extents: Option<&'a ExtentSet>,
    pub(super) delta: &'a Held<'a>,
    pub(super) in_use: Option<&'a ExtentSet>,
    pub(super) deadline: Deadline,
}

impl DiskMap {
    pub(super) fn make(source: &Source<'_>, mut notes: Vec<String>) -> anyhow::Result<Self> {
        let sets = match source.base_extents {
            Some(base) => Sets::of_delta(base, &source.delta.extents, source.in_use),
            None => Sets::of_full(source.delta.extents.clone()),
        };
        let is_disk = source.load_partition == 0;
        let stack = Stack {
            images: source.base.into_iter().chain([source.delta]).collect(),
            least: if is_disk { source.disk_size.whole_sectors() } else { SectorCount::ZERO },
            deadline: source.deadline,
        };
        let whole = stack.sectors();
        let (areas, scope) = if is_disk {
            let (found, said) = table::partitions(&stack, source.sector_size);
            notes.extend(said);
            let areas =
                found.into_iter().map(|found| (Some(found.number), found.label, found.range));
            (areas.collect(), Scope::Disk)
        } else {
            (Vec::new(), Scope::Partition(source.load_partition))
        };
        let areas = if areas.is_empty() {
            let label = table::content(&stack).unwrap_or("unknown content").to_owned();
            let number = Some(u32::from(source.load_partition)).filter(|number| *number > 0);
            vec![(number, label, whole)]
        } else {
            areas
        };
        source.deadline.check()?;
        let mut map = Self::of_sets(&sets, whole, areas, source.deadline)?;
        source.vname.clone_into(&mut map.vname);
        map.disk_size = source.disk_size.max(if is_disk { stack.size() } else { Bytes(0) });
        map.scope = scope;
        map.has_base = source.base_extents.is_some();
        map.knows_gone = source.in_use.is_some() || !map.has_base;
        map.notes = notes;
        Ok(map)
    }

    /// Counts what is in all areas.
    pub(super) fn of_sets(
        sets: &Sets,
        whole: SectorRange,
        areas: Vec<(Option<u32>, String, SectorRange)>,
        deadline: Deadline,
    ) -> anyhow::Result<Self> {
        let covered = areas.iter().map(|(_, _, range)| *range).collect();
        let covered = ExtentSet::from_unsorted(covered);
        let total = sets.usage(whole);
        let mut counted = Vec::with_capacity(areas.len());
        for (number, label, range) in areas {
            deadline.check()?;
            let usage = sets.usage(range);
            let (cells, cell) = (Vec::new(), SectorCount::ZERO);
            counted.push(Area { number, label, range, usage, cells, cell });
        }
        let mut map = Self {
            vname: String::new(),
            disk_size: whole.len().to_bytes(),
            scope: Scope::Disk,
            has_base: true,
            knows_gone: true,
            outside: total.without(&sets.usage_of(&covered)),
            areas: counted,
            total,
            notes: Vec::new(),
        };
        map.draw(sets);
        Ok(map)
    }

    /// Divides those areas into cells that have most in them.
    fn draw(&mut self, sets: &Sets) {
        let mut chosen: Vec<&mut Area> =
            self.areas.iter_mut().filter(|area| !area.usage.is_untouched()).collect();
        // The newest data first: a small partition that changed says more than a large one.
        let weight = |area: &Area| {
            let differs = [Category::Changed, Category::New, Category::Gone];
            let differs = differs.iter().any(|one| area.usage.sectors(*one) > 0);
            (differs, area.usage.in_use().get())
        };
        chosen.sort_by_key(|area| std::cmp::Reverse(weight(area)));
        chosen.truncate(MAX_DRAWN);
        let count = u64::try_from(chosen.len()).unwrap_or(u64::MAX).max(1);
        let room = (ALL_CELLS / count).min(MOST_CELLS);
        for area in chosen {
            let sectors = area.range.len().get();
            let room = if weight(area).0 { room } else { room.min(FEW_CELLS) };
            let cell = sectors.div_ceil(room).max(LEAST_CELL);
            let cell = cell.checked_next_power_of_two().unwrap_or(sectors).max(1);
            area.cell = SectorCount::new(cell).unwrap_or(area.range.len());
            area.cells = cells(sets, area.range, cell);
        }
    }

    /// Where an area begins on the disk, and how much of the disk it is.
    pub(super) fn position(&self, area: &Area) -> (f64, f64) {
        let whole = self.disk_size.get().max(1);
        (ratio(area.range.start().to_bytes().get(), whole), ratio(area.usage.size().get(), whole))
    }
}

/// A part of a whole as a number up to 1; 12 bits of it are enough for a drawing.
fn ratio(part: u64, whole: u64) -> f64 {
    let scaled = u128::from(part).saturating_mul(4096).checked_div(u128::from(whole));
    f64::from(u16::try_from(scaled.unwrap_or_default().min(4096)).unwrap_or_default()) / 4096.0
}

/// What is in each part of `range` that has `cell` sectors.
fn cells(sets: &Sets, range: SectorRange, cell: u64) -> Vec<Usage> {
    let mut cells = Vec::new();
    let mut rest = range;
    while !rest.is_empty() {
        let end = rest.start().get().saturating_add(cell);
        let end = Sector::new(end).unwrap_or(Sector::MAX);
        let (part, after) = rest.split_at(end);
        cells.push(sets.usage(part));
        rest = after;
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::super::sets::tests::range;
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn deadline() -> Deadline {
        Deadline::after(Duration::from_mins(1))
    }

    proptest! {
        /// Whatever is where, the parts are the whole.
        #[test]
        fn the_parts_are_the_whole(
            pieces in prop::collection::vec((0..u64::from(u32::MAX), 1..5000_u64, 0..3_u8), 0..40),
            cuts in prop::collection::btree_set(1..(1_u64 << 33), 0..12),
            size in 1..(1_u64 << 33),
        ) {
            let whole = SectorRange::first(SectorCount::new(size).unwrap());
            let of = |kind: u8| {
                let some = pieces.iter().filter(|(_, _, of)| *of == kind || *of == 2);
                let ranges = some.filter_map(|(at, len, _)| {
                    SectorRange::with_len(Sector::new(at * 2)?, SectorCount::new(*len)?)?.intersection(whole)
                });
                ExtentSet::from_unsorted(ranges.collect())
            };
            let (base, delta) = (of(0), of(1));
            let sets = Sets::of_delta(&base, &delta, None);
            let ends: Vec<_> = cuts.iter().copied().filter(|cut| *cut < size).collect();
            let areas: Vec<_> = ends.windows(2).step_by(2).map(|pair| {
                let [start, end] = [pair[0], pair[1]].map(|at| Sector::new(at).unwrap());
                (Some(1), String::new(), SectorRange::new(start, end).unwrap())
            }).collect();
            let map = DiskMap::of_sets(&sets, whole, areas, deadline()).unwrap();
            prop_assert_eq!(map.total.size(), whole.len().to_bytes());
            for category in Category::ALL {
                let parts = map.areas.iter().map(|area| area.usage.sectors(category)).sum::<u64>();
                prop_assert_eq!(parts + map.outside.sectors(category), map.total.sectors(category));
                if let Some(set) = sets.get(category) {
                    prop_assert_eq!(map.total.sectors(category), set.sector_count().get());
                }
                for area in map.areas.iter().filter(|area| !area.cells.is_empty()) {
                    let cells = area.cells.iter().map(|cell| cell.sectors(category)).sum::<u64>();
                    prop_assert_eq!(cells, area.usage.sectors(category));
                }
            }
            let cells = map.areas.iter().map(|area| area.cells.len()).sum::<usize>();
            prop_assert!(cells as u64 <= ALL_CELLS);
        }
    }

    #[test]
    fn those_areas_are_drawn_that_have_most_in_them() {
        let of = |first: u32| (Some(first / 1000), String::new(), range(first, first + 1000));
        let areas: Vec<_> = (0..12).map(|number| of(number * 1000)).collect();
        let base: ExtentSet = [range(0, 900), range(2000, 12_000)].into_iter().collect();
        let delta = ExtentSet::from(range(1500, 1501));
        let sets = Sets::of_delta(&base, &delta, None);
        let map = DiskMap::of_sets(&sets, range(0, 12_000), areas, deadline()).unwrap();
        let drawn: Vec<_> = map.areas.iter().map(|area| !area.cells.is_empty()).collect();
        assert_eq!(drawn.iter().filter(|drawn| **drawn).count(), MAX_DRAWN);
        assert!(drawn[1], "what the delta has most to say about");
        assert!(!drawn[0], "what there is least in");
    }

    #[test]
    fn the_largest_disk_there_can_be() {
        let whole = SectorRange::first(SectorCount::new(u64::MAX / 512).unwrap());
        let sets = Sets::of_delta(&ExtentSet::from(whole), &ExtentSet::from(range(9, 10)), None);
        let areas = vec![(None, String::new(), whole)];
        let map = DiskMap::of_sets(&sets, whole, areas, deadline()).unwrap();
        assert!(map.areas[0].cells.len() as u64 <= MOST_CELLS);
        assert_eq!(map.areas[0].cells[0].sectors(Category::Changed), 1);
    }
}
