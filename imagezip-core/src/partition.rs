//! Partition tables: which partitions a disk has, and what lies outside of them.
//!
//! What is read is what Linux would show: `mbr` and `gpt` follow its rules on which table
//! counts and how partitions are numbered. Saving a disk must not fail because its table has a
//! fault that Linux lives with. So an entry whose limits can't be right becomes a partition with a
//! [`Doubt`], whose sectors all count as in use, and a note for people.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::device::ReadAt;
use crate::error::Result;
use crate::extent::ExtentSet;
use crate::sector::{Bytes, SECTOR_BYTES, Sector, SectorRange};

pub mod boot;
pub mod disklabel;
mod draft;
pub mod edit;
mod gpt;
mod kind;
mod mbr;

#[cfg(test)]
mod tests;

pub(crate) use gpt::CRC;
pub use kind::{Guid, MbrType, PartitionKind};

/// A disk's partition table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionTable {
    /// The name that the table gives the disk; also tells which kind of table it is.
    pub disk_id: DiskId,
    /// The partitions, by ascending number. An extended partition is not among them, only the
    /// logical ones inside.
    pub partitions: Vec<Partition>,
    /// Sectors outside of all partitions that need not be saved (docs/format.md, "Sectors outside
    /// partitions").
    pub unused: ExtentSet,
    /// For people: what is wrong with the table. A bounded number of lines.
    pub notes: Vec<String>,
}

/// A partition of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number, as Linux counts them: logical partitions from 5 on.
    pub number: u32,
    /// Its sectors: at least one, all of them on the disk.
    pub range: SectorRange,
    /// What the table says it is for.
    pub kind: PartitionKind,
    /// Why its limits can't be trusted, if so: then all of it counts as in use.
    pub doubt: Option<Doubt>,
    /// Where on the disk its entry of the table begins; in the copy that was read, under a GPT.
    pub entry: Bytes,
}

/// What makes a partition's limits doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doubt {
    /// Another partition, or a part of the table itself, lies in the same place.
    Overlap,
    /// The table has it end beyond the disk; its range ends with the disk.
    BeyondDisk,
}

/// The name that a partition table gives its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiskId {
    /// The 32-bit disk signature of an MBR.
    Mbr(u32),
    /// The disk GUID of a GPT.
    Gpt(Guid),
}

/// Bytes in a block as partition tables count them: the logical sector size of the device.
///
/// Results are in sectors of 512 bytes whatever this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogicalSectorSize(u16);

impl LogicalSectorSize {
    /// 512 bytes: nearly all disks.
    pub const B512: Self = Self(512);
    /// 4096 bytes: disks called "4K native".
    pub const B4096: Self = Self(4096);

    /// A size in bytes, if it is one that disks have.
    pub fn new(bytes: u64) -> Option<Self> {
        [Self::B512, Self::B4096].into_iter().find(|size| size.bytes() == bytes)
    }

    /// The size in bytes.
    pub fn bytes(self) -> u64 {
        u64::from(self.0)
    }

    /// `blocks` of this size as 512-byte sectors, or as many as 64 bits hold.
    fn sectors(self, blocks: u64) -> u64 {
        blocks.saturating_mul(self.bytes().wrapping_div(SECTOR_BYTES))
    }

    /// The number of blocks of this size before sector `end`.
    fn blocks(self, end: Sector) -> u64 {
        end.to_bytes().get().div_ceil(self.bytes())
    }
}

impl DiskId {
    /// The name that `text` spells: a GUID such as `0FC63DAF-8483-4772-8E79-3D69D8477DE4`, or the
    /// eight hexadecimal digits of an MBR's signature with or without `0x` before them, in capital
    /// or small letters. These are the forms in which `blkid` shows a `PTUUID`, `sgdisk --print` a
    /// disk identifier and `sfdisk --disk-id` either. `None` if it's anything else, or all zero,
    /// which tables without a name have.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        if digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return u32::from_str_radix(digits, 16).ok().filter(|id| *id != 0).map(Self::Mbr);
        }
        Guid::parse(text).filter(|guid| *guid != Guid::ZERO).map(Self::Gpt)
    }
}

impl PartitionTable {
    /// The partition with this number.
    pub fn find(&self, number: u32) -> Option<&Partition> {
        self.partitions.iter().find(|partition| partition.number == number)
    }
}

/// Reads the partition table of a disk; `None` if it has none.
///
/// A GPT counts where a protective MBR announces it, or where there is no MBR at all; a GPT that
/// is left over beside the MBR of a later life of the disk does not. An MBR without partitions is
/// no table: the sector may be the boot sector of a file system that fills the disk. If it is, for
/// all one can see, entries that can't be partitions are no table either, and with others nothing
/// outside of the partitions is unused.
///
/// # Errors
/// `Read` if the device fails. `Corrupt`, `TooLarge` or `Truncated` if the MBR announces a GPT and
/// neither of its copies can be used; the error is that of the primary one, unless there is no
/// trace of it.
pub fn read(device: &dyn ReadAt, size: LogicalSectorSize) -> Result<Option<PartitionTable>> {
    if device.sectors().is_empty() {
        return Ok(None);
    }
    let mut sector = [0; 512];
    device.read_at(Bytes(0), &mut sector)?;
    match mbr::Mbr::new(&sector) {
        Some(table) if table.is_protective() => gpt::read(device, size).map(Some),
        Some(table) => mbr::read(device, size, &table),
        None => gpt::read_unprotected(device, size),
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Overlap => "overlaps another partition or the partition table",
            Self::BeyondDisk => "ends beyond the disk",
        })
    }
}

impl fmt::Display for DiskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mbr(id) => write!(f, "0x{id:08x}"),
            Self::Gpt(guid) => guid.fmt(f),
        }
    }
}
