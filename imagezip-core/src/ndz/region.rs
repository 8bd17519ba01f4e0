//! Regions: the extents that a chunk's payload is for (docs/format.md, "Regions").

use crate::layout::Layout;
use crate::sector::{Sector, SectorCount, SectorRange};

/// The size of a region's entry.
pub(super) const REGION_BYTES: usize = 8;

/// A region's entry as it is stored.
struct RegionEntry<'a>(Layout<'a, REGION_BYTES>);

impl RegionEntry<'_> {
    fn start(&self) -> Sector {
        Sector::from_u32(self.0.u32::<0>())
    }

    fn size(&self) -> SectorCount {
        SectorCount::from_u32(self.0.u32::<4>())
    }

    fn range(&self) -> SectorRange {
        // Two 32-bit numbers never add up to more than a sector number can be.
        SectorRange::with_len(self.start(), self.size()).unwrap_or(SectorRange::EMPTY)
    }
}

/// The regions of a chunk in order.
#[derive(Clone)]
pub struct Regions<'a>(core::slice::ChunksExact<'a, u8>);

impl<'a> Regions<'a> {
    /// The regions whose entries `table` holds.
    pub(super) fn new(table: &'a [u8]) -> Self {
        Self(table.chunks_exact(REGION_BYTES))
    }
}

impl Iterator for Regions<'_> {
    type Item = SectorRange;

    fn next(&mut self) -> Option<SectorRange> {
        let entry = Layout::new(self.0.next()?)?;
        Some(RegionEntry(entry).range())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Regions<'_> {}
