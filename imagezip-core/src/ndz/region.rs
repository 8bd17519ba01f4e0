//! Regions: the extents that a chunk's payload is for (docs/format.md, "Regions").

use super::width::Width;
use crate::layout::Layout;
use crate::sector::{Sector, SectorCount, SectorRange};

/// The regions of a chunk in order.
#[derive(Clone)]
pub struct Regions<'a> {
    entries: core::slice::ChunksExact<'a, u8>,
    width: Width,
}

impl<'a> Regions<'a> {
    /// The regions whose entries `table` holds.
    pub(super) fn new(table: &'a [u8], width: Width) -> Self {
        Self { entries: table.chunks_exact(width.region_bytes()), width }
    }
}

impl Iterator for Regions<'_> {
    type Item = SectorRange;

    fn next(&mut self) -> Option<SectorRange> {
        let entry = self.entries.next()?;
        let region = match self.width {
            Width::Bits32 => Layout::new(entry).and_then(narrow),
            Width::Bits64 => Layout::new(entry).and_then(wide),
        };
        // No region is empty, so a header with an entry that is none is refused.
        Some(region.unwrap_or(SectorRange::EMPTY))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }
}

impl ExactSizeIterator for Regions<'_> {}

fn narrow(entry: Layout<'_, 8>) -> Option<SectorRange> {
    let (start, size) = (Sector::from_u32(entry.u32::<0>()), entry.u32::<4>());
    SectorRange::with_len(start, SectorCount::from_u32(size))
}

fn wide(entry: Layout<'_, 16>) -> Option<SectorRange> {
    SectorRange::with_len(Sector::new(entry.u64::<0>())?, SectorCount::new(entry.u64::<8>())?)
}
