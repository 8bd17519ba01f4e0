//! Partition tables: which partitions a disk has, and what lies outside of them.

mod kind;

pub use kind::{Guid, MbrType, PartitionKind};

use crate::sector::SectorRange;

/// A partition of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number, as Linux counts them: logical partitions from 5 on.
    pub number: u32,
    /// Its sectors, all of them on the disk.
    pub range: SectorRange,
    /// What the table says it is for.
    pub kind: PartitionKind,
    /// Why its content can't be judged by itself, if so: then all of it counts as in use.
    pub doubt: Option<Doubt>,
}

/// What makes a partition's limits doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doubt {
    /// Another partition, or a part of the table itself, lies in the same place.
    Overlap,
    /// The table has it end beyond the disk.
    BeyondDisk,
}

impl core::fmt::Display for Doubt {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Overlap => "overlaps another partition",
            Self::BeyondDisk => "ends beyond the disk",
        })
    }
}
