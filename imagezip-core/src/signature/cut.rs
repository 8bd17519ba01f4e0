//! Cutting sectors into hash blocks (docs/format.md, "Hash blocks").

use crate::sector::{Sector, SectorCount, SectorRange};

/// The size of hash blocks, in sectors: 1 (512 bytes) to 65536 (32 MiB).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HashBlockSize(u32);

impl HashBlockSize {
    /// 64 KiB.
    pub const DEFAULT: Self = Self(128);
    /// 32 MiB.
    pub const MAX: Self = Self(65_536);

    /// Blocks of `sectors`, if there can be such.
    pub const fn new(sectors: u32) -> Option<Self> {
        if sectors >= 1 && sectors <= Self::MAX.0 { Some(Self(sectors)) } else { None }
    }

    /// The number of sectors.
    pub const fn sectors(self) -> u32 {
        self.0
    }

    /// The start of the block after the one that holds `sector`.
    pub fn end_of(self, sector: Sector) -> Sector {
        // There is no block of no sectors, so there is always a remainder.
        let size = u64::from(self.0);
        let into = sector.get().checked_rem(size).unwrap_or_default();
        let left = SectorCount::new(size.saturating_sub(into)).unwrap_or(SectorCount::ZERO);
        sector.saturating_add(left)
    }

    /// All sectors of the blocks that `range` has sectors in.
    #[must_use]
    pub fn around(self, range: SectorRange) -> SectorRange {
        let into = range.start().get().checked_rem(u64::from(self.0)).unwrap_or_default();
        let into = SectorCount::new(into).unwrap_or(SectorCount::ZERO);
        let start = range.start().checked_sub(into).unwrap_or(range.start());
        let last = range.end().checked_sub(SectorCount::from_u32(1)).unwrap_or(range.start());
        let end = if range.is_empty() { start } else { self.end_of(last) };
        SectorRange::new(start, end).unwrap_or(range)
    }
}

impl Default for HashBlockSize {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Cuts `range` at every bound of a block. Blocks are counted from sector 0, not from the start
/// of the range, so the first and the last piece may be short.
pub const fn cut(range: SectorRange, block: HashBlockSize) -> Cuts {
    Cuts { rest: range, block }
}

/// The pieces that [`cut`] makes, in ascending order.
#[derive(Clone, Debug)]
pub struct Cuts {
    rest: SectorRange,
    block: HashBlockSize,
}

impl Iterator for Cuts {
    type Item = SectorRange;

    fn next(&mut self) -> Option<SectorRange> {
        if self.rest.is_empty() {
            return None;
        }
        let (piece, rest) = self.rest.split_at(self.block.end_of(self.rest.start()));
        self.rest = rest;
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn pieces_are_the_range_and_lie_in_blocks(
            start in 0..1_u64 << 40, len in 0..20_000_u32, block in 1..=65_536_u32,
        ) {
            let range = SectorRange::with_len(
                Sector::new(start).unwrap(), SectorCount::from_u32(len),
            ).unwrap();
            let pieces: Vec<_> = cut(range, HashBlockSize::new(block).unwrap()).collect();
            let mut at = range.start();
            for piece in &pieces {
                prop_assert_eq!(piece.start(), at);
                prop_assert!(!piece.is_empty());
                let block_of = |sector: u64| sector / u64::from(block);
                prop_assert_eq!(block_of(piece.start().get()), block_of(piece.end().get() - 1));
                at = piece.end();
            }
            prop_assert_eq!(at, range.end());
            let around = HashBlockSize::new(block).unwrap().around(range);
            prop_assert_eq!(around.start().get(), start / u64::from(block) * u64::from(block));
            if !range.is_empty() {
                let end = range.end().get().next_multiple_of(u64::from(block));
                prop_assert_eq!(around.end().get(), end);
            }
            prop_assert!(pieces.len() as u64 <= u64::from(len) / u64::from(block) + 2);
        }
    }

    #[test]
    fn sizes() {
        assert!(HashBlockSize::new(0).is_none() && HashBlockSize::new(65_537).is_none());
        assert_eq!(HashBlockSize::MAX.end_of(Sector::MAX), Sector::MAX);
    }
}
