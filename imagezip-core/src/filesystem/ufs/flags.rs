//! The flags of a superblock.

/// Flags of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flags(pub(super) u32);

impl Flags {
    /// It was not clean when it was mounted.
    pub(super) const UNCLEAN: u32 = 0x1;
    /// Its blocks are written in an order that keeps bitmaps and inodes from contradicting each
    /// other.
    pub(super) const SOFT_UPDATES: u32 = 0x2;
    /// A driver met an inconsistency.
    pub(super) const NEEDS_CHECK: u32 = 0x4;
    /// A layer below has a journal of all that is written (FreeBSD).
    pub(super) const BLOCK_JOURNAL: u32 = 0x40;
    /// The old field for flags says that these ones are in use.
    pub(super) const UPDATED: u8 = 0x80;
    /// A journal of its own, of `NetBSD`; a form of access lists of FreeBSD.
    pub(super) const WAPBL: u32 = 0x100;
    /// Which metadata have checksums is told (FreeBSD).
    pub(super) const CHECKSUMS: u32 = 0x200;

    pub(super) fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    /// Whether the order of writes is as soft updates have it.
    pub(super) fn has_soft_updates(self) -> bool {
        self.has(Self::SOFT_UPDATES)
    }
}
