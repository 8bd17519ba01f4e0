//! Sectors of an image, put together from wherever they came.

use alloc::collections::BTreeMap;

use super::Span;
use crate::extent::ExtentSet;
use crate::sector::{Bytes, SECTOR_BYTES, Sector, SectorCount, SectorRange};

/// The bytes of a sector.
pub(super) type SectorData = [u8; 512];

/// Some sectors of an image, as bytes that can be read and changed across sector bounds.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    sectors: BTreeMap<Sector, SectorData>,
}

impl View {
    /// Takes in those of the sectors from `start` on that are `wanted`.
    pub(super) fn feed(&mut self, wanted: &ExtentSet, start: Sector, data: &[u8]) {
        for (sector, bytes) in numbered(start, data.chunks_exact(512)) {
            let one = SectorRange::with_len(sector, SectorCount::from_u32(1));
            if let (Some(bytes), true) =
                (bytes.first_chunk(), one.is_some_and(|one| wanted.contains(one)))
            {
                self.sectors.insert(sector, *bytes);
            }
        }
    }

    /// Replaces those of the sectors from `start` on that are in the view.
    pub(super) fn write_over(&self, start: Sector, data: &mut [u8]) {
        for (sector, bytes) in numbered(start, data.chunks_exact_mut(512)) {
            if let Some(replacement) = self.sectors.get(&sector) {
                bytes.copy_from_slice(replacement);
            }
        }
    }

    /// The sectors, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Sector, &SectorData)> {
        self.sectors.iter().map(|(sector, data)| (*sector, data))
    }

    /// The bytes of `span`; `None` if they are not all there.
    pub(super) fn read<const N: usize>(&self, start: Bytes) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        let len = u64::try_from(N).ok()?;
        for (byte, at) in bytes.iter_mut().zip(Span { start, len }.positions()?) {
            let (sector, offset) = split(at)?;
            *byte = *self.sectors.get(&sector)?.get(offset)?;
        }
        Some(bytes)
    }

    /// Changes the bytes from `start` on; `None` if they are not all there.
    pub(super) fn write(&mut self, start: Bytes, bytes: &[u8]) -> Option<()> {
        let len = u64::try_from(bytes.len()).ok()?;
        for (byte, at) in bytes.iter().zip(Span { start, len }.positions()?) {
            let (sector, offset) = split(at)?;
            *self.sectors.get_mut(&sector)?.get_mut(offset)? = *byte;
        }
        Some(())
    }
}

impl Span {
    /// The positions of all bytes.
    fn positions(self) -> Option<core::ops::Range<u64>> {
        let start = self.start.get();
        start.checked_add(self.len).map(|end| start..end)
    }

    /// The sectors in which the bytes lie.
    pub(super) fn sectors(self) -> Option<SectorRange> {
        let last = self.start.checked_add(self.len.checked_sub(1)?)?;
        let (first, last) = (split(self.start.get())?.0, split(last.get())?.0);
        SectorRange::new(first, last.checked_add(SectorCount::from_u32(1))?)
    }
}

/// The sector in which the byte at `position` lies, and where in it.
fn split(position: u64) -> Option<(Sector, usize)> {
    let sector = Sector::new(position.checked_div(SECTOR_BYTES)?)?;
    let offset = usize::try_from(position.checked_rem(SECTOR_BYTES)?).ok()?;
    Some((sector, offset))
}

/// Sectors with their numbers, from `start` on.
fn numbered<T>(
    start: Sector,
    sectors: impl Iterator<Item = T>,
) -> impl Iterator<Item = (Sector, T)> {
    (start.get()..).map_while(Sector::new).zip(sectors)
}
