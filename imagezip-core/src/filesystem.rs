//! Which sectors of a file system are in use.
//!
//! A file system is found by its content, never by the type in the partition table alone. What is
//! not understood is raw: all of it counts as in use.

use alloc::string::String;
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{Error, ErrorKind, Result};
use crate::extent::ExtentSet;
use crate::partition::{Partition, PartitionKind};
use crate::sector::{Bytes, Sector, SectorCount};

pub mod content;
pub mod ext;

mod bitmap;
mod bsd;
mod btrfs;
mod checksum;
mod clusters;
mod f2fs;
mod free_space;
mod inside;
mod look;
mod lvm;
mod ntfs;
mod raid;
mod swap;
mod traces;
mod ufs;
mod verdict;
mod xfs;

// Tests of partition tables have their disks.
pub(crate) mod exfat;
pub(crate) mod fat;
pub(crate) mod whole_disk;

#[cfg(test)]
mod tests;

pub use content::Content;
pub use look::signature;
pub use verdict::{FilesystemKind, Part, RawReason, SkipReason, Verdict};

use look::{Context, Found};

/// What was found out about one file system, or about a layer with several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// The sectors in use, counted from the start of the partition.
    pub in_use: ExtentSet,
    /// The kind of file system.
    pub kind: FilesystemKind,
    /// How many sectors it has; the partition may have more.
    pub size: SectorCount,
    /// For people: what could not be trusted and so counts as in use. A bounded number of lines.
    pub notes: Vec<String>,
    /// The parts of a layer.
    pub parts: Vec<Part>,
}

impl Allocation {
    /// A file system without parts, of which nothing is in doubt.
    fn new(in_use: ExtentSet, kind: FilesystemKind, size: SectorCount) -> Self {
        Self { in_use, kind, size, notes: Vec::new(), parts: Vec::new() }
    }
}

/// A partition, examined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// The sectors to save, counted from the start of the partition.
    pub in_use: ExtentSet,
    /// What was decided.
    pub verdict: Verdict,
    /// How many sectors are the file system's; of a raw partition, all.
    pub size: SectorCount,
    /// For people: what could not be trusted and so counts as in use.
    pub notes: Vec<String>,
    /// The parts of a layer.
    pub parts: Vec<Part>,
}

impl Examined {
    /// All of `device` counts as in use.
    pub(crate) fn raw(device: &dyn ReadAt, reason: RawReason) -> Self {
        Self::of(device, Verdict::Raw(reason), ExtentSet::from(device.sectors()))
    }

    /// Nothing of `device` is saved.
    pub(crate) fn skipped(device: &dyn ReadAt, reason: SkipReason) -> Self {
        Self::of(device, Verdict::Skipped(reason), ExtentSet::new())
    }

    fn of(device: &dyn ReadAt, verdict: Verdict, in_use: ExtentSet) -> Self {
        let size = device.sectors().len();
        Self { in_use, verdict, size, notes: Vec::new(), parts: Vec::new() }
    }
}

/// Finds the file system on `device` by its content and tells which of its sectors are in use.
///
/// `partition` is what the partition table says about it; `None` if there is no table and the
/// device is all there is.
///
/// # Errors
/// `Read` if the device fails. Whatever else is wrong makes the verdict raw.
pub fn examine(device: &dyn ReadAt, partition: Option<&Partition>) -> Result<Examined> {
    if let Some(doubt) = partition.and_then(|partition| partition.doubt) {
        return Ok(Examined::raw(device, RawReason::Limits(doubt)));
    }
    let context = partition.map_or(Context::DISK, Context::of);
    let examined = examine_in(device, context)?;
    // Its sectors mean what the layer says that the type names, or nothing that is known.
    match context.kind.and_then(PartitionKind::container) {
        Some(layer) if !examined.verdict.is_of_layer(layer) => {
            Ok(Examined::raw(device, RawReason::Container(layer)))
        }
        _ => Ok(examined),
    }
}

/// The metadata of a layer at the end of a whole disk, by one of its sectors. Its data are the disk from the
/// start on, so the partition table is inside of it, and may know nothing of the metadata.
///
/// # Errors
/// `Read` if the device fails.
pub(crate) fn metadata_at_end(disk: &dyn ReadAt) -> Result<Option<(&'static str, Sector)>> {
    traces::Traces::at_end(disk)
}

/// Fills `buf` with the bytes from `at` on. Returns whether so many are there.
fn read_if_there(device: &dyn ReadAt, at: Bytes, buf: &mut [u8]) -> Result<bool> {
    match device.read_at(at, buf) {
        Ok(()) => Ok(true),
        Err(Error { kind: ErrorKind::Truncated, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Finds what is on `device`, which may be a part of a layer.
fn examine_in(device: &dyn ReadAt, context: Context) -> Result<Examined> {
    match look::look(device, context) {
        Ok(Found::FileSystem(Allocation { in_use, kind, size, notes, parts })) => {
            Ok(Examined { in_use, verdict: Verdict::Aware(kind), size, notes, parts })
        }
        Ok(Found::Nothing) if context.kind.is_some_and(PartitionKind::is_freebsd_swap) => {
            Ok(match bsd::need_of_swap(device)? {
                Some(reason) => Examined::raw(device, reason),
                None => Examined::skipped(device, SkipReason::FreebsdSwap),
            })
        }
        Ok(Found::Nothing) => Ok(Examined::raw(device, RawReason::Unknown)),
        Ok(Found::Raw(reason)) => Ok(Examined::raw(device, reason)),
        Err(error @ Error { kind: ErrorKind::Read(_) | ErrorKind::Write(_), .. }) => Err(error),
        Err(error) => Ok(Examined::raw(device, RawReason::Damaged(error))),
    }
}
