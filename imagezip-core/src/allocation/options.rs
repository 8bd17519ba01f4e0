//! What a caller can ask of a scan.

use core::fmt;

use crate::extent::ExtentSet;
use crate::partition::{LogicalSectorSize, MbrType};
use crate::sector::SectorCount;

/// What of a disk is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The whole disk: `LOADPART=0`.
    WholeDisk,
    /// One partition, by its number; sectors of the image count from its start.
    Partition(u32),
    /// A device that is one file system. No partition table is looked for. What is there is found
    /// by its content; the type only says what the caller expects.
    FileSystem(Option<MbrType>),
    /// All sectors of a device, whatever is there.
    Raw,
}

/// How free space is judged, and what else is or isn't saved.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The disk's own sector size, in which its partition table counts.
    pub sector_size: LogicalSectorSize,
    /// Free ranges shorter than this are saved with the rest: fewer, longer regions load faster.
    /// A base image and its deltas should be made with the same value.
    pub least_free: SectorCount,
    /// These are not saved.
    pub ignored: &'a [Target],
    /// All sectors of these are saved.
    pub raw: &'a [Target],
    /// Whether the space of a partition after the end of its file system is left out.
    pub without_slack: bool,
    /// The image is only about so many sectors of what is selected, from its start.
    pub count: Option<SectorCount>,
    /// The sectors outside of all partitions that are not saved, if the caller knows better than
    /// the partition table.
    pub unused: Option<&'a ExtentSet>,
}

/// The value of [`Options::least_free`] that image tools have always used.
pub const LEAST_FREE: SectorCount = SectorCount::from_u32(64);

impl Options<'_> {
    /// What is saved if nobody asks for anything else.
    pub const fn new(sector_size: LogicalSectorSize) -> Self {
        Self {
            sector_size,
            least_free: LEAST_FREE,
            ignored: &[],
            raw: &[],
            without_slack: false,
            count: None,
            unused: None,
        }
    }
}

/// A partition, or a part of a BSD slice, as people name it: `2`, `1c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The number of the partition.
    pub partition: u32,
    /// The part, if not all of the partition is meant: its index in the slice's disklabel, 0 for
    /// `a`.
    pub part: Option<u8>,
}

impl Target {
    /// The partition or part that `text` names: a number from 1 on, perhaps with a letter from
    /// `a` to `p`.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, part) = match text.as_bytes().split_last() {
            Some((letter @ b'a'..=b'p', _)) => {
                (text.get(..text.len().checked_sub(1)?)?, Some(letter.wrapping_sub(b'a')))
            }
            _ => (text, None),
        };
        let digits = number.bytes().all(|digit| digit.is_ascii_digit());
        let partition = number.parse().ok().filter(|number| digits && *number > 0)?;
        Some(Self { partition, part })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.partition)?;
        match self.part {
            Some(part) => write!(f, "{}", char::from(b'a'.saturating_add(part))),
            None => Ok(()),
        }
    }
}
