//! What is decided about a partition, or about a part of one.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::Examined;
use crate::error::Error;
use crate::partition::{Doubt, MbrType};
use crate::sector::SectorCount;

/// A kind of file system, or of a layer below file systems, whose free sectors can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilesystemKind {
    /// ext2: no journal, no ext4 features.
    Ext2,
    /// ext3: ext2 with a journal.
    Ext3,
    /// ext4: with any feature that ext3 doesn't have.
    Ext4,
    /// Btrfs.
    Btrfs,
    /// F2FS.
    F2fs,
    /// FAT with entries of 12 bits.
    Fat12,
    /// FAT with entries of 16 bits.
    Fat16,
    /// FAT with entries of 32 bits.
    Fat32,
    /// exFAT.
    ExFat,
    /// NTFS.
    Ntfs,
    /// Linux swap space.
    Swap,
    /// A physical volume of LVM2.
    Lvm,
    /// A member of a Linux RAID1 array.
    Raid,
    /// UFS1 of the BSDs.
    Ufs1,
    /// UFS2 of the BSDs.
    Ufs2,
    /// A slice with a BSD disklabel: a layer.
    BsdSlice,
    /// XFS.
    Xfs,
}

/// A part of a partition that holds several, as a logical volume does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What its layer calls it: `a` in a BSD slice, `root` in a volume group.
    pub name: String,
    /// How many sectors it has.
    pub size: SectorCount,
    /// How many of them are in use.
    pub in_use: SectorCount,
    /// What was decided.
    pub verdict: Verdict,
    /// For people: what could not be trusted and so counts as in use.
    pub notes: Vec<String>,
    /// The parts of the part.
    pub parts: Vec<Self>,
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
    /// Nothing was found that this program knows.
    Unknown,
    /// It holds this, whose free sectors are not told.
    Holds(&'static str),
    /// A file system was found that contradicts itself or needs more than this program knows.
    Damaged(Error),
    /// There are traces of both, and no telling which of them is of an earlier use.
    Ambiguous(&'static str, &'static str),
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

impl Part {
    /// What was found in a part of a layer.
    pub(super) fn new(name: String, size: SectorCount, examined: Examined) -> Self {
        let Examined { in_use, verdict, size: _, notes, parts } = examined;
        Self { name, size, in_use: in_use.sector_count(), verdict, notes, parts }
    }
}

impl Verdict {
    /// Whether it is about this layer, as
    /// [`PartitionKind::container`](crate::partition::PartitionKind::container) calls it. What is raw
    /// for a reason of its own keeps it.
    pub(super) fn is_of_layer(&self, layer: &str) -> bool {
        match self {
            Self::Aware(kind) => kind.layer() == Some(layer),
            Self::Raw(reason) => *reason != RawReason::Unknown,
            Self::Skipped(_) => false,
        }
    }
}

impl FilesystemKind {
    /// Whether partitions with a file system of this kind have this type.
    pub(crate) fn suits(self, kind: MbrType) -> bool {
        match self {
            Self::Ext2 | Self::Ext3 | Self::Ext4 | Self::Btrfs | Self::F2fs | Self::Xfs => {
                kind == MbrType::LINUX
            }
            Self::Fat12 | Self::Fat16 | Self::Fat32 => kind.is_fat(),
            Self::ExFat => kind == MbrType::NTFS,
            Self::Ntfs => kind.is_ntfs(),
            Self::Swap => kind == MbrType::LINUX_SWAP,
            Self::Lvm => kind == MbrType::LINUX_LVM,
            Self::Raid => kind == MbrType::LINUX_RAID,
            Self::Ufs1 | Self::Ufs2 | Self::BsdSlice => {
                matches!(kind, MbrType::FREEBSD | MbrType::OPENBSD)
            }
        }
    }

    fn layer(self) -> Option<&'static str> {
        match self {
            Self::Lvm => Some(super::lvm::NAME),
            Self::Raid => Some(super::raid::NAME),
            _ => None,
        }
    }
}

impl fmt::Display for FilesystemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ext2 => "ext2",
            Self::Ext3 => "ext3",
            Self::Ext4 => "ext4",
            Self::Btrfs => "Btrfs",
            Self::F2fs => "F2FS",
            Self::Fat12 => "FAT12",
            Self::Fat16 => "FAT16",
            Self::Fat32 => "FAT32",
            Self::ExFat => "exFAT",
            Self::Ntfs => "NTFS",
            Self::Swap => "swap",
            Self::Lvm => super::lvm::NAME,
            Self::Raid => super::raid::NAME,
            Self::Ufs1 => "UFS1",
            Self::Ufs2 => "UFS2",
            Self::BsdSlice => "BSD slice",
            Self::Xfs => "XFS",
        })
    }
}

impl fmt::Display for RawReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Holds(what) => f.write_str(what),
            Self::Damaged(error) => error.fmt(f),
            Self::Ambiguous(first, second) => {
                write!(f, "has the signatures of {first} and {second}")
            }
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
