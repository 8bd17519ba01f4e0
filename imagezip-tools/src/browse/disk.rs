//! The file systems on a disk.

use anyhow::{Context, bail};
use imagezip_core::device::{ReadAt, Window};
use imagezip_core::filesystem::signature;
use imagezip_core::partition::{self, LogicalSectorSize, PartitionTable};
use imagezip_core::sector::SectorRange;

use super::volume::Volume;

/// A disk, or a file system that fills its device.
pub struct Disk<'a> {
    device: &'a dyn ReadAt,
    /// What people know it as.
    name: String,
    table: Option<PartitionTable>,
}

/// A part of a disk: a partition, or all of it.
pub type Part<'a> = Window<'a, dyn ReadAt + 'a>;

/// What is known of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its number.
    pub number: u32,
    /// Its sectors on the disk.
    pub range: SectorRange,
    /// Its type in the partition table.
    pub kind: String,
    /// What is in it, if that is known: `ext4`, `swap space`.
    pub content: Option<String>,
    /// Whether its files can be read.
    pub readable: bool,
}

impl<'a> Disk<'a> {
    /// The disk `device`, which is known as `name`.
    ///
    /// # Errors
    /// If it can't be read, or its partition table is damaged.
    pub fn open(device: &'a dyn ReadAt, name: &str) -> anyhow::Result<Self> {
        // Images don't say how large the disk's sectors were. A GPT is where they say it is.
        let table = match partition::read(device, LogicalSectorSize::B512) {
            Err(error) => match partition::read(device, LogicalSectorSize::B4096) {
                Ok(Some(table)) => Ok(Some(table)),
                _ => Err(error),
            },
            other => other,
        };
        let table = table.with_context(|| format!("reading the partition table of {name}"))?;
        Ok(Self { device, name: name.to_owned(), table })
    }

    /// Whether there are partitions.
    pub fn has_partitions(&self) -> bool {
        self.table.is_some()
    }

    /// All partitions, with what is in them.
    ///
    /// # Errors
    /// If the disk can't be read.
    pub fn partitions(&self) -> anyhow::Result<Vec<Listed>> {
        let partitions = self.table.iter().flat_map(|table| &table.partitions);
        partitions
            .map(|partition| {
                let (number, range) = (partition.number, partition.range);
                let part = self.window(range)?;
                let (content, readable) = match Volume::open(&part) {
                    Ok(Some(volume)) => (Some(volume.name()), true),
                    Ok(None) => (signature(&part)?.map(str::to_owned), false),
                    Err(error) => (Some(format!("{error:#}")), false),
                };
                Ok(Listed { number, range, kind: partition.kind.to_string(), content, readable })
            })
            .collect()
    }

    /// The part with partition `number`, or all of a disk without partitions.
    ///
    /// # Errors
    /// If there is no such partition, or there are partitions and none was named; then those that
    /// there are are named.
    pub fn part(&self, number: Option<u32>) -> anyhow::Result<Part<'_>> {
        let name = &self.name;
        match (&self.table, number) {
            (None, None) => self.window(self.device.sectors()),
            (None, Some(number)) => {
                bail!("{name} has no partition table, and so no partition {number}: write :/PATH")
            }
            (Some(table), Some(number)) => match table.find(number) {
                Some(partition) => self.window(partition.range),
                None => {
                    bail!("{name} has no partition {number}, only {}", numbers(table))
                }
            },
            (Some(table), None) => bail!(
                "{name} is of a disk with partitions ({}): say which, as in {}:/PATH",
                numbers(table),
                table.partitions.first().map_or(1, |first| first.number)
            ),
        }
    }

    fn window(&self, range: SectorRange) -> anyhow::Result<Part<'_>> {
        Window::new(self.device, range).context("the partition ends beyond the disk")
    }

    /// The file system in a part of this disk.
    ///
    /// # Errors
    /// If there is none whose files can be read; what is there is named, if that is known.
    pub fn volume<'p>(
        &self,
        part: &'p Part<'_>,
        number: Option<u32>,
    ) -> anyhow::Result<Volume<'p>> {
        let place = || match number {
            Some(number) => format!("partition {number} of {}", self.name),
            None => self.name.clone(),
        };
        if let Some(volume) = Volume::open(part).with_context(place)? {
            return Ok(volume);
        }
        let what = signature(part).with_context(place)?.unwrap_or("something unknown");
        bail!("{}: holds {what}: only files of ext2, ext3, ext4 and FAT can be read", place())
    }
}

/// The numbers of a disk's partitions.
fn numbers(table: &PartitionTable) -> String {
    let numbers: Vec<_> = table.partitions.iter().map(|p| p.number.to_string()).collect();
    numbers.join(", ")
}
