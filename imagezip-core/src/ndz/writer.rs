//! Writing image files.

use alloc::vec::Vec;

use embedded_io::Write;

use super::CHUNK_BYTES;
use super::builder::{ChunkBuilder, Pushed, disorder, place};
use super::format::Format;
use super::header::TOTAL_AT;
use super::reloc::Reloc;
use crate::codec::Piece;
use crate::error::{CorruptKind, ErrorKind, Limit, Place, Result};
use crate::sector::{Bytes, Sector, SectorCount, SectorRange};
use crate::stream::write_all;

/// Which chunk describes which sectors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkMap {
    // The sector after the last of each chunk.
    ends: Vec<Sector>,
}

impl ChunkMap {
    /// The number of the chunk that describes `sector`; `None` beyond the last.
    pub fn chunk_of(&self, sector: Sector) -> Option<u32> {
        let chunk = self.ends.partition_point(|end| *end <= sector);
        let known = chunk < self.ends.len();
        u32::try_from(chunk).ok().filter(|_| known)
    }
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The number of chunks.
    pub chunks: u32,
    /// The number of regions in all chunks.
    pub regions: u64,
    /// The number of sectors in all regions.
    pub sectors: SectorCount,
    /// The length of all zlib streams.
    pub payload: Bytes,
    /// Which chunk describes which sectors.
    pub map: ChunkMap,
}

impl Written {
    /// What has to be written over an image of version 1 when its number of chunks is known: where
    /// in the file, and which bytes. Where that can't be done, readers take zeros for an unknown
    /// number.
    pub fn totals(&self) -> impl Iterator<Item = (Bytes, [u8; 4])> + use<> {
        let total = self.chunks;
        (0..total).map(move |number| {
            let chunk = offset_of(number).get();
            (Bytes(chunk.saturating_add(TOTAL_AT)), total.to_le_bytes())
        })
    }
}

/// Writes an image, chunk by chunk.
pub struct ImageWriter<W> {
    to: W,
    id: [u8; 16],
    chunk: ChunkBuilder,
    // Where the sectors begin that the chunk in the making describes.
    first: Sector,
    written: Written,
}

impl<W: Write> ImageWriter<W> {
    /// A writer of an image to `to`.
    pub fn new(to: W, format: Format) -> Self {
        let (chunk, written) = (ChunkBuilder::new(format), Written::default());
        Self { to, id: [0; 16], chunk, first: Sector::ZERO, written }
    }

    /// The writer for an image of that identity; only version 5 stores it.
    #[must_use]
    pub fn with_id(self, id: [u8; 16]) -> Self {
        Self { id, ..self }
    }

    /// Adds the data of `extents`, which lie after all that were added, with the relocations in
    /// them. A piece is never split: it goes into the chunk in the making or into the next.
    ///
    /// # Errors
    /// As [`ChunkBuilder::try_push`], or `Write`. After an error the image is useless.
    pub fn push(&mut self, extents: &[SectorRange], relocs: &[Reloc], data: &Piece) -> Result<()> {
        let Some(start) = extents.first().map(|extent| extent.start()) else {
            return self.chunk.check(extents, relocs, data).map(drop);
        };
        if start < self.first {
            return Err(disorder(start));
        }
        if self.chunk.try_push(extents, relocs, data)? == Pushed::Full {
            // The space before the next data belongs to the chunk that ends there.
            self.close(start)?;
            if self.chunk.try_push(extents, relocs, data)? == Pushed::Full {
                return Err(ErrorKind::TooLarge(Limit::Piece).at(place(extents)));
            }
        }
        Ok(())
    }

    /// The bytes of deflate blocks that the chunk in the making has room for.
    pub fn room(&self) -> usize {
        self.chunk.room()
    }

    /// How many bytes of the image have been written.
    pub fn bytes_written(&self) -> Bytes {
        offset_of(self.written.chunks)
    }

    /// Writes the chunk in the making, which describes the sectors up to `end`.
    fn close(&mut self, end: Sector) -> Result<()> {
        let number = self.written.chunks;
        let out_of_bounds = ErrorKind::Corrupt(CorruptKind::RegionBounds);
        let covered = SectorRange::new(self.first, end)
            .ok_or_else(|| out_of_bounds.at(Place::Chunk(u64::from(number))))?;
        let payload = u64::try_from(self.chunk.payload_len()).unwrap_or_default();
        write_all(&mut self.to, self.chunk.finish(number, covered, self.id)?)?;

        let written = &mut self.written;
        written.chunks = number.checked_add(1).ok_or(ErrorKind::TooLarge(Limit::Count32))?;
        for region in self.chunk.regions() {
            written.regions = written.regions.saturating_add(1);
            written.sectors = written.sectors.saturating_add(region.len());
        }
        written.payload = Bytes(written.payload.get().saturating_add(payload));
        written.map.ends.push(end);
        self.first = end;
        self.chunk.clear();
        Ok(())
    }

    /// Writes what is left. The image is of something with `size` sectors.
    ///
    /// An image without data is a file of no bytes.
    ///
    /// # Errors
    /// `RegionBounds` if data lie beyond `size`, `Sector32` if the format doesn't reach so far,
    /// `Write`.
    pub fn finish(mut self, size: SectorCount) -> Result<Written> {
        if !self.chunk.is_empty() {
            self.close(SectorRange::first(size).end())?;
        }
        Ok(self.written)
    }
}

/// Where in the file a chunk begins.
fn offset_of(chunk: u32) -> Bytes {
    let chunk_len = u64::try_from(CHUNK_BYTES).unwrap_or(u64::MAX);
    Bytes(u64::from(chunk).saturating_mul(chunk_len))
}
