//! The feature bits of a superblock.

use crate::error::{ErrorKind, IncompatibleKind, Place, Result};
use crate::sector::Bytes;

/// Defines a set of feature bits as they lie on the disk.
macro_rules! feature_set {
    ($(#[$meta:meta])* $name:ident { $($(#[$flag_meta:meta])* $flag:ident = $bit:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) struct $name(pub(super) u32);

        impl $name {
            $($(#[$flag_meta])* pub(super) const $flag: Self = Self($bit);)+

            /// Whether all bits of `flags` are set.
            pub(super) const fn has(self, flags: Self) -> bool {
                self.0 & flags.0 == flags.0
            }
        }
    };
}

feature_set! {
    /// Features that a driver may ignore.
    Compat {
        HAS_JOURNAL = 0x4,
        SPARSE_SUPER2 = 0x200,
    }
}

feature_set! {
    /// Features that a driver must know to read the file system.
    Incompat {
        FILETYPE = 0x2,
        RECOVER = 0x4,
        JOURNAL_DEV = 0x8,
        META_BG = 0x10,
        EXTENTS = 0x40,
        SIXTY_FOUR_BIT = 0x80,
        MMP = 0x100,
        FLEX_BG = 0x200,
        EA_INODE = 0x400,
        DIRDATA = 0x1000,
        CSUM_SEED = 0x2000,
        LARGEDIR = 0x4000,
        INLINE_DATA = 0x8000,
        ENCRYPT = 0x1_0000,
        CASEFOLD = 0x2_0000,
    }
}

feature_set! {
    /// Features that a driver must know to write to the file system.
    RoCompat {
        SPARSE_SUPER = 0x1,
        LARGE_FILE = 0x2,
        BTREE_DIR = 0x4,
        HUGE_FILE = 0x8,
        GDT_CSUM = 0x10,
        DIR_NLINK = 0x20,
        EXTRA_ISIZE = 0x40,
        QUOTA = 0x100,
        BIGALLOC = 0x200,
        METADATA_CSUM = 0x400,
        READONLY = 0x1000,
        PROJECT = 0x2000,
        SHARED_BLOCKS = 0x4000,
        VERITY = 0x8000,
        ORPHAN_PRESENT = 0x1_0000,
    }
}

/// The features with which it is known where the allocation is described.
const KNOWN_INCOMPAT: u32 = Incompat::FILETYPE.0
    | Incompat::RECOVER.0
    | Incompat::META_BG.0
    | Incompat::EXTENTS.0
    | Incompat::SIXTY_FOUR_BIT.0
    | Incompat::MMP.0
    | Incompat::FLEX_BG.0
    | Incompat::EA_INODE.0
    | Incompat::DIRDATA.0
    | Incompat::CSUM_SEED.0
    | Incompat::LARGEDIR.0
    | Incompat::INLINE_DATA.0
    | Incompat::ENCRYPT.0
    | Incompat::CASEFOLD.0;

/// The same of the features that concern only writing.
const KNOWN_RO_COMPAT: u32 = RoCompat::SPARSE_SUPER.0
    | RoCompat::LARGE_FILE.0
    | RoCompat::BTREE_DIR.0
    | RoCompat::HUGE_FILE.0
    | RoCompat::GDT_CSUM.0
    | RoCompat::DIR_NLINK.0
    | RoCompat::EXTRA_ISIZE.0
    | RoCompat::QUOTA.0
    | RoCompat::BIGALLOC.0
    | RoCompat::METADATA_CSUM.0
    | RoCompat::READONLY.0
    | RoCompat::PROJECT.0
    | RoCompat::SHARED_BLOCKS.0
    | RoCompat::VERITY.0
    | RoCompat::ORPHAN_PRESENT.0;

/// All features of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Features {
    pub(super) compat: Compat,
    pub(super) incompat: Incompat,
    pub(super) ro_compat: RoCompat,
}

impl Features {
    /// Fails if there is a feature that could change where the allocation is described.
    pub(super) fn check(self) -> Result<()> {
        let place = Place::Byte(Bytes(super::superblock::POSITION));
        if self.incompat.has(Incompat::JOURNAL_DEV) {
            return Err(ErrorKind::Incompatible(IncompatibleKind::JournalDevice).at(place));
        }
        if self.incompat.0 & !KNOWN_INCOMPAT != 0 || self.ro_compat.0 & !KNOWN_RO_COMPAT != 0 {
            return Err(ErrorKind::Incompatible(IncompatibleKind::Feature).at(place));
        }
        Ok(())
    }

    /// Whether there are features that ext3 doesn't have.
    pub(super) fn beyond_ext3(self) -> bool {
        let incompat = Incompat::FILETYPE.0 | Incompat::RECOVER.0 | Incompat::META_BG.0;
        let ro_compat = RoCompat::SPARSE_SUPER.0 | RoCompat::LARGE_FILE.0 | RoCompat::BTREE_DIR.0;
        self.incompat.0 & !incompat != 0 || self.ro_compat.0 & !ro_compat != 0
    }

    /// Whether metadata carry CRC-32C checksums.
    pub(super) fn metadata_checksums(self) -> bool {
        self.ro_compat.has(RoCompat::METADATA_CSUM)
    }

    /// Whether group descriptors carry checksums, and so may say that a bitmap was never written.
    pub(super) fn descriptor_checksums(self) -> bool {
        self.metadata_checksums() || self.ro_compat.has(RoCompat::GDT_CSUM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(incompat: u32, ro_compat: u32) -> Features {
        Features {
            compat: Compat(u32::MAX),
            incompat: Incompat(incompat),
            ro_compat: RoCompat(ro_compat),
        }
    }

    #[test]
    fn every_unknown_bit_is_refused_on_its_own() {
        for bit in 0..32 {
            let incompat = features(1 << bit, 0).check();
            assert_eq!(incompat.is_ok(), 0x3_f7d6 & 1 << bit != 0, "incompat bit {bit}");
            let ro_compat = features(0, 1 << bit).check();
            assert_eq!(ro_compat.is_ok(), 0x1_f77f & 1 << bit != 0, "ro_compat bit {bit}");
        }
    }

    #[test]
    fn what_makes_an_ext4() {
        assert!(!features(0x2 | 0x4, 0x1 | 0x2).beyond_ext3());
        assert!(features(0x40, 0).beyond_ext3());
        assert!(features(0, 0x10).beyond_ext3());
    }
}
