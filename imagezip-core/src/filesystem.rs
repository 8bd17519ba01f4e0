//! Which sectors of a file system are in use.
//!
//! A file system is found by its content, never by the type in the partition table alone. What is
//! not understood is raw: all of it counts as in use.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::device::ReadAt;
use crate::error::{Error, ErrorKind, Result};
use crate::extent::ExtentSet;
use crate::partition::{Doubt, Partition};
use crate::sector::SectorCount;

pub mod content;
pub mod ext;
pub mod swap;

mod traces;

#[cfg(test)]
mod tests;

pub use content::Content;
use traces::Traces;

/// What was found out about one file system.
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
}

/// A kind of file system whose free sectors can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilesystemKind {
    /// ext2: no journal, no ext4 features.
    Ext2,
    /// ext3: ext2 with a journal.
    Ext3,
    /// ext4: with any feature that ext3 doesn't have.
    Ext4,
    /// Linux swap space.
    Swap,
}

/// What was decided about a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its file system is understood: only sectors in use are saved.
    Aware(FilesystemKind),
    /// All of it is saved.
    Raw(RawReason),
    /// None of it is saved.
    Skipped(SkipReason),
}

/// Why all of a partition is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RawReason {
    /// No file system was found whose free sectors can be told.
    Unknown,
    /// A file system was found that contradicts itself or needs more than this program knows.
    Damaged(Error),
    /// Beside a file system there are traces of this other owner of the partition.
    Ambiguous(&'static str),
    /// By its type the partition belongs to this other layer.
    Container(&'static str),
    /// It is swap space that holds a hibernated system.
    Hibernated,
    /// The partition table gives no clear limits.
    Limits(Doubt),
    /// The caller asked for it.
    Requested,
}

/// Why nothing of a partition is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SkipReason {
    /// The caller asked for it.
    Requested,
    /// The caller asked for fewer sectors than come before it.
    BeyondCount,
    /// By its type it is FreeBSD swap, which has no signature, and there is no sign of anything
    /// else.
    FreebsdSwap,
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
}

impl Examined {
    /// All of `device` counts as in use.
    pub(crate) fn raw(device: &dyn ReadAt, reason: RawReason) -> Self {
        let in_use = ExtentSet::from(device.sectors());
        let size = device.sectors().len();
        Self { in_use, verdict: Verdict::Raw(reason), size, notes: Vec::new() }
    }

    /// Nothing of `device` is saved.
    pub(crate) fn skipped(device: &dyn ReadAt, reason: SkipReason) -> Self {
        let verdict = Verdict::Skipped(reason);
        let size = device.sectors().len();
        Self { in_use: ExtentSet::new(), verdict, size, notes: Vec::new() }
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
    if let Some(layer) = partition.and_then(|partition| partition.kind.container()) {
        return Ok(Examined::raw(device, RawReason::Container(layer)));
    }
    match look(device) {
        Ok(Found::FileSystem(Allocation { in_use, kind, size, notes })) => {
            Ok(Examined { in_use, verdict: Verdict::Aware(kind), size, notes })
        }
        Ok(Found::Nothing) if partition.is_some_and(|found| found.kind.is_freebsd_swap()) => {
            Ok(Examined::skipped(device, SkipReason::FreebsdSwap))
        }
        Ok(Found::Nothing) => Ok(Examined::raw(device, RawReason::Unknown)),
        Ok(Found::Raw(reason)) => Ok(Examined::raw(device, reason)),
        Err(error @ Error { kind: ErrorKind::Read(_) | ErrorKind::Write(_), .. }) => Err(error),
        Err(error) => Ok(Examined::raw(device, RawReason::Damaged(error))),
    }
}

/// What lies on a device whose files can't be told, if it left a signature: a file system, swap
/// space, or a layer below file systems.
///
/// # Errors
/// `Read` if the device fails.
pub fn signature(device: &dyn ReadAt) -> Result<Option<&'static str>> {
    let traces = Traces::read(device)?;
    let swap = || swap::find(traces.head()).map(|_| "swap space");
    Ok(traces.layer().or(traces.filesystem()).or_else(swap))
}

/// What the content of a device shows.
enum Found {
    /// No signature that this program knows.
    Nothing,
    /// Something of which no free sectors can be told.
    Raw(RawReason),
    /// A file system that is understood.
    FileSystem(Allocation),
}

/// Looks for a file system.
fn look(device: &dyn ReadAt) -> Result<Found> {
    let traces = Traces::read(device)?;
    match (ext::is_present(device)?, swap::find(traces.head())) {
        (true, Some(_)) => Ok(Found::Raw(RawReason::Ambiguous("swap"))),
        (false, Some(swap::Mark::Hibernated)) => Ok(Found::Raw(RawReason::Hibernated)),
        // An old superblock outlives the start of a layer below: only those two can be mixed up.
        (true, None) => match traces.layer() {
            Some(layer) => Ok(Found::Raw(RawReason::Ambiguous(layer))),
            None => ext::allocation(device).map(Found::FileSystem),
        },
        // An old mark of swap space outlives the start of most other file systems.
        (false, Some(swap::Mark::Swap(header))) => match traces.layer().or(traces.filesystem()) {
            Some(other) => Ok(Found::Raw(RawReason::Ambiguous(other))),
            None => swap::allocation(device, header).map(Found::FileSystem),
        },
        (false, None) => Ok(match traces.layer().or(traces.filesystem()) {
            Some(_) => Found::Raw(RawReason::Unknown),
            None => Found::Nothing,
        }),
    }
}

impl fmt::Display for FilesystemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ext2 => "ext2",
            Self::Ext3 => "ext3",
            Self::Ext4 => "ext4",
            Self::Swap => "swap",
        })
    }
}

impl fmt::Display for RawReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Damaged(error) => error.fmt(f),
            Self::Ambiguous(other) => write!(f, "also has the signature of {other}"),
            Self::Container(layer) => write!(f, "belongs to {layer}"),
            Self::Hibernated => f.write_str("swap with a hibernated system"),
            Self::Limits(doubt) => doubt.fmt(f),
            Self::Requested => f.write_str("requested"),
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requested => "requested",
            Self::BeyondCount => "beyond the sectors that were asked for",
            Self::FreebsdSwap => "FreeBSD swap",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aware(kind) => write!(f, "aware({kind})"),
            Self::Raw(reason) => write!(f, "raw({reason})"),
            Self::Skipped(reason) => write!(f, "skipped({reason})"),
        }
    }
}
