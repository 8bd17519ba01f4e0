//! A partition table while it is read: entries as they stand there become ranges on the disk.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{DiskId, Doubt, Partition, PartitionKind, PartitionTable};
use crate::extent::ExtentSet;
use crate::sector::{Bytes, Sector, SectorRange};

/// The most notes that a table can cause.
const MAX_NOTES: usize = 32;

/// What was read of a table so far. Positions and lengths are 512-byte sectors.
pub(super) struct Draft {
    disk: SectorRange,
    partitions: Vec<Partition>,
    containers: Vec<SectorRange>,
    structures: Vec<SectorRange>,
    complete: bool,
    notes: Vec<String>,
}

impl Draft {
    pub(super) fn new(disk: SectorRange) -> Self {
        Self {
            disk,
            partitions: Vec::new(),
            containers: Vec::new(),
            structures: Vec::new(),
            complete: true,
            notes: Vec::new(),
        }
    }

    /// Something that people should know about the table.
    pub(super) fn note(&mut self, text: String) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(text);
        }
    }

    /// Part of the table can't be read, so there may be partitions that aren't known.
    pub(super) fn incomplete(&mut self, text: String) {
        self.complete = false;
        self.note(text);
    }

    /// What of a range lies on the disk.
    pub(super) fn on_disk(&self, start: u64, len: u64) -> SectorRange {
        let start = Sector::new(start).unwrap_or(Sector::MAX);
        let end = Sector::new(start.get().saturating_add(len)).unwrap_or(Sector::MAX);
        SectorRange::new(start, end)
            .and_then(|range| range.intersection(self.disk))
            .unwrap_or(SectorRange::EMPTY)
    }

    /// An entry that is in use, and its position.
    pub(super) fn partition(
        &mut self,
        number: u32,
        start: u64,
        len: u64,
        kind: PartitionKind,
        entry: Bytes,
    ) {
        let range = self.on_disk(start, len);
        if range.is_empty() {
            self.note(format!("partition {number}: begins beyond the disk: ignored"));
            return;
        }
        let doubt = (range.len().get() < len).then_some(Doubt::BeyondDisk);
        self.partitions.push(Partition { number, range, kind, doubt, entry });
    }

    /// An extended partition: logical partitions lie inside, others must not.
    pub(super) fn container(&mut self, start: u64, len: u64) {
        self.containers.push(self.on_disk(start, len));
    }

    /// Sectors that the table itself occupies: no partition may lie there, and they are saved.
    pub(super) fn structure(&mut self, start: u64, len: u64) {
        self.structures.push(self.on_disk(start, len));
    }

    /// The sectors from the first partition or container to the end of the last one.
    pub(super) fn span(&self) -> Option<SectorRange> {
        let ranges = || {
            let partitions = self.partitions.iter().map(|partition| partition.range);
            partitions.chain(self.containers.iter().copied()).filter(|range| !range.is_empty())
        };
        let start = ranges().map(SectorRange::start).min()?;
        SectorRange::new(start, ranges().map(SectorRange::end).max()?)
    }

    /// The table. Of `unused`, which lies outside of [`Draft::span`], only counts what the table does
    /// not occupy; nothing of it if part of the table is not known.
    pub(super) fn finish(mut self, disk_id: DiskId, unused: &ExtentSet) -> PartitionTable {
        self.partitions.sort_by_key(|partition| partition.number);
        self.doubt_overlapping(&self.containers.clone(), |number| number <= 4);
        self.doubt_overlapping(&self.structures.clone(), |_| true);
        for index in 0..self.partitions.len() {
            let Some(Partition { number, doubt: Some(doubt), .. }) = self.partitions.get(index)
            else {
                continue;
            };
            self.note(format!("partition {number}: {doubt}: counted as fully in use"));
        }
        let mut used = self.structures;
        used.extend(self.partitions.iter().map(|partition| partition.range));
        let used = ExtentSet::from_unsorted(used);
        let unused = if self.complete {
            unused.intersection(&self.disk.into()).difference(&used)
        } else {
            ExtentSet::new()
        };
        PartitionTable { disk_id, partitions: self.partitions, unused, notes: self.notes }
    }

    /// Marks the partitions that overlap one another or one of `others`, among those whose number
    /// is `concerned`.
    fn doubt_overlapping(&mut self, others: &[SectorRange], concerned: impl Fn(u32) -> bool) {
        let partitions = self.partitions.iter().enumerate();
        let mut occupants: Vec<(SectorRange, Option<usize>)> = partitions
            .filter(|(_, partition)| concerned(partition.number))
            .map(|(index, partition)| (partition.range, Some(index)))
            .chain(others.iter().map(|range| (*range, None)))
            .filter(|(range, _)| !range.is_empty())
            .collect();
        occupants.sort_unstable();
        // The occupant so far that reaches furthest. Whatever overlaps an earlier one overlaps it
        // too, and an earlier one that is overlapped is overlapped by its next neighbour already.
        let mut reach: Option<(SectorRange, Option<usize>)> = None;
        for (range, index) in occupants {
            match reach {
                Some((before, earlier)) if range.start() < before.end() => {
                    self.doubt(index);
                    self.doubt(earlier);
                    if range.end() > before.end() {
                        reach = Some((range, index));
                    }
                }
                _ => reach = Some((range, index)),
            }
        }
    }

    fn doubt(&mut self, index: Option<usize>) {
        if let Some(partition) = index.and_then(|index| self.partitions.get_mut(index)) {
            partition.doubt = partition.doubt.or(Some(Doubt::Overlap));
        }
    }
}
