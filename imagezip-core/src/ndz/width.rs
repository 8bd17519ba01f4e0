//! The two widths of sector numbers in a chunk's tables.

/// How wide the sector numbers in a chunk's tables are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// Up to version 4.
    Bits32,
    /// From version 5 on.
    Bits64,
}

impl Width {
    /// The size of a region's entry.
    pub(super) const fn region_bytes(self) -> usize {
        match self {
            Self::Bits32 => 8,
            Self::Bits64 => 16,
        }
    }

    /// The size of a relocation's entry.
    pub(super) const fn reloc_bytes(self) -> usize {
        match self {
            Self::Bits32 => 16,
            Self::Bits64 => 24,
        }
    }
}
