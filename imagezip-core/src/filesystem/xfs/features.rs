//! The feature bits of a superblock.

use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Place, Result};
use crate::sector::Bytes;

/// Bits of the version of a file system, whose low four bits are the number.
pub(super) mod version {
    /// The log has the second form.
    pub(in super::super) const LOG_V2: u16 = 0x0400;
    /// The second set of feature bits is valid.
    pub(in super::super) const MORE_BITS: u16 = 0x8000;
}

/// Second set of version 4: lazy counters, attributes 2, parent pointers of IRIX, 32-bit project
/// numbers, file types in directories.
const KNOWN_V4: u32 = 0x2 | 0x8 | 0x10 | 0x80 | 0x200;

/// File types in directories, sparse inode chunks, another UUID in metadata, large timestamps,
/// large extent counters, exchange of ranges, parent pointers. Not known are those that keep
/// what is free elsewhere: a directory of metadata, zones.
const KNOWN_INCOMPAT: u32 = 0x1 | 0x2 | Incompat::META_UUID | 0x8 | 0x20 | 0x40 | 0x80;
/// B-trees of free inodes, of owners, of reference counts; counters of the inode B-trees' blocks.
const KNOWN_RO_COMPAT: u32 = 0x1 | 0x2 | 0x4 | 0x8;
/// Log items of extended attributes.
const KNOWN_LOG_INCOMPAT: u32 = 0x1;

/// Single bits of what a driver must know.
pub(super) struct Incompat;

impl Incompat {
    /// Metadata have another UUID than the superblock shows.
    pub(super) const META_UUID: u32 = 0x4;
    /// No driver mounts it before it is repaired.
    const NEEDS_REPAIR: u32 = 0x10;
}

/// All features of a file system, but those in the bits of its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Features {
    /// Version 4.
    V4 {
        /// The second set of bits.
        second: u32,
    },
    /// Version 5.
    V5 { ro_compat: u32, incompat: u32, log_incompat: u32 },
}

impl Features {
    /// Fails if there is a feature that could change what is free or where that is described.
    pub(super) fn check(self) -> Result<()> {
        let place = Place::Byte(Bytes(0));
        let unknown = match self {
            Self::V4 { second } => second & !KNOWN_V4 != 0,
            Self::V5 { incompat, .. } if incompat & Incompat::NEEDS_REPAIR != 0 => {
                return Err(ErrorKind::Corrupt(CorruptKind::NeedsRepair).at(place));
            }
            Self::V5 { ro_compat, incompat, log_incompat } => {
                ro_compat & !KNOWN_RO_COMPAT != 0
                    || incompat & !KNOWN_INCOMPAT != 0
                    || log_incompat & !KNOWN_LOG_INCOMPAT != 0
            }
        };
        if unknown {
            return Err(ErrorKind::Incompatible(IncompatibleKind::Feature).at(place));
        }
        Ok(())
    }

    /// Whether metadata carry checksums, and say whose they are.
    pub(super) const fn has_checksums(self) -> bool {
        matches!(self, Self::V5 { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unknown_bit_is_refused_on_its_own() {
        for bit in 0..32 {
            let flag = 1_u32 << bit;
            let check = |known: u32, features: Features| {
                assert_eq!(features.check().is_ok(), known & flag != 0, "{features:?}");
            };
            let (ro_compat, incompat, log_incompat) = (0, 0, 0);
            check(0x29a, Features::V4 { second: flag });
            check(0xef, Features::V5 { incompat: flag, ro_compat, log_incompat });
            check(0xf, Features::V5 { ro_compat: flag, incompat, log_incompat });
            check(0x1, Features::V5 { log_incompat: flag, ro_compat, incompat });
        }
    }
}
