//! What is on a device, by the signatures that file systems and layers leave.

use alloc::vec::Vec;

use super::traces::Traces;
use super::verdict::RawReason;
use super::{Allocation, bsd, btrfs, exfat, ext, f2fs, fat, lvm, ntfs, raid, swap, ufs, xfs};
use crate::device::ReadAt;
use crate::error::Result;
use crate::partition::{Partition, PartitionKind};
use crate::sector::Sector;

/// What is known about a device beside its content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    /// What the partition table says it is for.
    pub(super) kind: Option<PartitionKind>,
    /// The number of layers that it lies in.
    pub(super) depth: u8,
    /// Where on the disk it begins; `None` if it doesn't lie there in one piece.
    pub(super) start: Option<Sector>,
    /// Whether it is a part of a BSD slice. Then a disklabel at its start is that slice's.
    pub(super) in_slice: bool,
}

impl Context {
    /// A disk without a partition table.
    pub(super) const DISK: Self =
        Self { kind: None, start: Some(Sector::ZERO), in_slice: false, depth: 0 };

    /// That of a partition.
    pub(super) fn of(partition: &Partition) -> Self {
        let start = Some(partition.range.start());
        Self { kind: Some(partition.kind), start, ..Self::DISK }
    }

    /// That of a device inside a layer, which need not lie in one piece.
    pub(super) fn inside(self) -> Option<Self> {
        Some(Self { start: None, depth: self.depth.checked_add(1)?, ..Self::DISK })
    }
}

/// What the content of a device shows.
pub(super) enum Found {
    /// No signature that this program knows.
    Nothing,
    /// Something of which no free sectors can be told.
    Raw(RawReason),
    /// A file system that is understood.
    FileSystem(Allocation),
}

/// A kind of file system, or of a layer, that this program understands.
struct Parser {
    name: &'static str,
    /// Whether its signature is there.
    is_present: fn(&dyn ReadAt, &Traces) -> Result<bool>,
    /// Which sectors are in use.
    read: fn(&dyn ReadAt, &Traces, Context) -> Result<Found>,
}

const PARSERS: &[Parser] = &[
    Parser {
        name: "ext",
        is_present: |device, _| ext::is_present(device),
        read: |device, _, _| ext::allocation(device).map(Found::FileSystem),
    },
    Parser {
        name: "Btrfs",
        is_present: |device, _| btrfs::is_present(device),
        read: |device, _, _| btrfs::allocation(device).map(Found::FileSystem),
    },
    Parser {
        name: "F2FS",
        is_present: |_, traces| Ok(f2fs::is_present(traces.head())),
        read: |device, _, _| f2fs::allocation(device).map(Found::FileSystem),
    },
    Parser {
        name: "FAT",
        is_present: |device, _| fat::is_present(device),
        read: |device, _, _| fat::allocation(device).map(Found::FileSystem),
    },
    Parser {
        name: "exFAT",
        is_present: |device, _| exfat::is_present(device),
        read: |device, _, _| exfat::allocation(device).map(Found::FileSystem),
    },
    Parser {
        name: UFS,
        is_present: |device, _| ufs::is_present(device),
        read: |device, _, _| ufs::allocation(device).map(Found::FileSystem),
    },
    Parser {
        name: BSD,
        is_present: |_, traces| Ok(bsd::is_present(traces.head())),
        read: |device, traces, context| {
            bsd::allocation(device, traces.head(), context).map(Found::FileSystem)
        },
    },
    Parser {
        name: "NTFS",
        is_present: |device, _| ntfs::is_present(device),
        read: |device, _, _| ntfs::allocation(device).map(Found::FileSystem),
    },
    Parser {
        name: "swap space",
        is_present: |_, traces| Ok(swap::find(traces.head()).is_some()),
        read: |device, traces, _| match swap::find(traces.head()) {
            Some(swap::Mark::Swap(header)) => {
                swap::allocation(device, header).map(Found::FileSystem)
            }
            Some(swap::Mark::Hibernated) => Ok(Found::Raw(RawReason::Hibernated)),
            None => Ok(Found::Nothing),
        },
    },
    Parser {
        name: "XFS",
        is_present: |device, _| xfs::is_present(device),
        read: |device, _, _| xfs::allocation(device).map(Found::FileSystem),
    },
    Parser {
        name: lvm::NAME,
        is_present: |_, traces| Ok(lvm::is_present(traces.head())),
        read: |device, _, context| lvm::read(device, context),
    },
    Parser {
        name: raid::NAME,
        is_present: |device, _| raid::is_present(device),
        read: |device, _, context| raid::read(device, context),
    },
];

const UFS: &str = "UFS";
const BSD: &str = "BSD disklabel";

/// Looks for a file system or a layer.
///
/// Tools that take over a partition often leave what tells of its earlier use. Which of two is
/// the later one can't be told, so only what is alone is believed. But the data of a RAID array whose
/// superblock is behind them are at the start, where their own signature is seen, too.
///
/// # Errors
/// `Read` if the device fails; whatever the parser of what is there says.
pub(super) fn look(device: &dyn ReadAt, context: Context) -> Result<Found> {
    let traces = Traces::read(device)?;
    if let Some(found) = raid::read_enclosing(device, context)? {
        return Ok(found);
    }
    let mut known = present(device, &traces)?;
    let has_ufs = known.iter().any(|parser| parser.name == UFS);
    if context.in_slice {
        known.retain(|parser| parser.name != BSD);
    } else if has_ufs && bsd::begins_with_ufs(traces.head(), context) {
        let other = if bsd::is_expected(context) { UFS } else { BSD };
        known.retain(|parser| parser.name != other);
    }
    let foreign = traces.foreign();
    match (&known[..], &foreign[..]) {
        ([], []) => Ok(match Traces::remains(device)? {
            Some(owner) => Found::Raw(RawReason::Holds(owner)),
            None => Found::Nothing,
        }),
        ([parser], []) => (parser.read)(device, &traces, context),
        ([], [owner]) => Ok(Found::Raw(RawReason::Holds(owner))),
        ([first, second, ..], _) => Ok(ambiguous(first.name, second.name)),
        ([first], [second, ..]) => Ok(ambiguous(first.name, second)),
        ([], [first, second, ..]) => Ok(ambiguous(first, second)),
    }
}

fn ambiguous(first: &'static str, second: &'static str) -> Found {
    Found::Raw(RawReason::Ambiguous(first, second))
}

/// The parsers whose signature is there.
fn present(device: &dyn ReadAt, traces: &Traces) -> Result<Vec<&'static Parser>> {
    let mut found = Vec::new();
    for parser in PARSERS {
        if (parser.is_present)(device, traces)? {
            found.push(parser);
        }
    }
    Ok(found)
}

/// What lies on a device, if it left a signature: a file system, swap space, or a layer below
/// file systems.
///
/// # Errors
/// `Read` if the device fails.
pub fn signature(device: &dyn ReadAt) -> Result<Option<&'static str>> {
    let traces = Traces::read(device)?;
    let known = present(device, &traces)?.first().map(|parser| parser.name);
    match known.or_else(|| traces.foreign().first().copied()) {
        None => Traces::remains(device),
        found => Ok(found),
    }
}
