//! Keys of items, and the numbers of trees and item types.

use crate::layout::Layout;

/// A key as it lies on the disk, in bytes.
pub(super) const KEY_BYTES: usize = 17;

/// What the items of all trees are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) object: u64,
    pub(super) kind: u8,
    pub(super) offset: u64,
}

impl Key {
    /// The first key there can be.
    pub(super) const FIRST: Self = Self::new(0, 0, 0);

    pub(super) const fn new(object: u64, kind: u8, offset: u64) -> Self {
        Self { object, kind, offset }
    }

    /// The key at the start of `bytes`.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let key = Layout::<KEY_BYTES>::new(bytes)?;
        Some(Self::new(key.u64::<0>(), key.u8::<8>(), key.u64::<9>()))
    }
}

/// Trees by the number that their blocks carry as owner.
pub(super) mod owner {
    pub(in super::super) const ROOT: u64 = 1;
    pub(in super::super) const EXTENT: u64 = 2;
    pub(in super::super) const CHUNK: u64 = 3;
    pub(in super::super) const FREE_SPACE: u64 = 10;
    pub(in super::super) const BLOCK_GROUP: u64 = 11;
    /// -6.
    pub(in super::super) const LOG: u64 = 0xffff_ffff_ffff_fffa;
}

/// Types of items.
pub(super) mod kind {
    pub(in super::super) const EXTENT_DATA: u8 = 108;
    pub(in super::super) const ROOT: u8 = 132;
    /// An extent of data, or of metadata with its length in the key.
    pub(in super::super) const EXTENT: u8 = 168;
    /// An extent of metadata with its level in the key.
    pub(in super::super) const METADATA: u8 = 169;
    /// The first and the last of the types that tell who refers to an extent.
    pub(in super::super) const REFERENCES: core::ops::RangeInclusive<u8> = 172..=184;
    pub(in super::super) const BLOCK_GROUP: u8 = 192;
    pub(in super::super) const FREE_SPACE_INFO: u8 = 198;
    pub(in super::super) const FREE_SPACE_EXTENT: u8 = 199;
    pub(in super::super) const FREE_SPACE_BITMAP: u8 = 200;
    pub(in super::super) const DEVICE: u8 = 216;
    pub(in super::super) const CHUNK: u8 = 228;
}
