//! One chunk with its compressed data.

use super::header::ChunkHeader;
use super::region::Regions;
use super::reloc::Relocs;
use crate::codec::Decompress;
use crate::error::{Place, Result};
use crate::sector::{Bytes, Sector, SectorRange};

/// A chunk of an image. Chunks can be decoded in any order.
#[derive(Clone, Copy)]
pub struct Chunk<'a> {
    number: u32,
    header: ChunkHeader<'a>,
    payload: &'a [u8],
}

impl<'a> Chunk<'a> {
    pub(super) const fn new(number: u32, header: ChunkHeader<'a>, payload: &'a [u8]) -> Self {
        Self { number, header, payload }
    }

    /// The chunk's place in the file, counted from 0.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// The chunk's header.
    pub const fn header(&self) -> &ChunkHeader<'a> {
        &self.header
    }

    /// The zlib stream with the regions' data, in plain.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The extents that the chunk holds.
    pub fn regions(&self) -> Regions<'a> {
        self.header.regions()
    }

    /// The chunk's relocations.
    pub fn relocs(&self) -> Relocs<'a> {
        self.header.relocs()
    }

    /// The sectors that the chunk describes.
    pub const fn covered(&self) -> SectorRange {
        self.header.covered()
    }

    /// Decompresses the chunk and gives its data to `sink`, in ascending order: each time where
    /// they begin and some whole sectors of one region, at most a window ([`WINDOW`](crate::codec::WINDOW)).
    ///
    /// When an error is found, `sink` may have got data, but none outside the regions.
    ///
    /// # Errors
    /// `Corrupt` with one of the `Payload` kinds; or the error that `sink` returns.
    pub fn decode(
        &self,
        scratch: &mut (impl Decompress + ?Sized),
        sink: &mut dyn FnMut(Sector, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let place = Place::Chunk(u64::from(self.number));
        let mut regions = self.regions();
        let mut region = SectorRange::EMPTY;
        // The decompressor ends exactly where the regions do, and its window holds whole sectors.
        let mut distribute = |mut data: &[u8]| {
            while !data.is_empty() {
                while region.is_empty() {
                    let Some(next) = regions.next() else { return Ok(()) };
                    region = next;
                }
                let room = usize::try_from(region.len().to_bytes().get()).unwrap_or(usize::MAX);
                let (run, rest) = data.split_at_checked(room).unwrap_or((data, &[]));
                sink(region.start(), run)?;
                let len = Bytes(u64::try_from(run.len()).unwrap_or_default()).whole_sectors();
                (_, region) = region.split_at(region.start().saturating_add(len));
                data = rest;
            }
            Ok(())
        };
        let len = self.header.sector_count().to_bytes().get();
        scratch.decompress(self.payload, len, &mut distribute).map_err(|error| match error.place {
            Place::Whole => error.kind.at(place),
            _ => error,
        })
    }
}
