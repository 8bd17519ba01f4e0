//! Writing image files.

use alloc::vec::Vec;

use embedded_io::Write;

use super::header::HeaderFields;
use super::{CHUNK_BYTES, HEADER_BYTES, PAYLOAD_MAX, PIECE_MAX, REGIONS_MAX};
use crate::codec::{Adler32, Piece, STREAM_OVERHEAD, STREAM_START, stream_end};
use crate::error::{CorruptKind, Error, ErrorKind, Limit, Place, Result};
use crate::sector::{Bytes, Sector, SectorCount, SectorRange};
use crate::stream::write_all;

/// What became of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Pushed {
    /// It is in the chunk.
    Done,
    /// It needs another chunk; this one is as before.
    Full,
}

/// One chunk in the making.
pub struct ChunkBuilder {
    // The header area, and what there is of the zlib stream.
    bytes: Vec<u8>,
    // First sector and size of each, as they are stored.
    regions: Vec<(u32, u32)>,
    end: Sector,
    adler: Adler32,
    sectors: SectorCount,
}

impl ChunkBuilder {
    /// A chunk without data.
    pub fn new() -> Self {
        let bytes = Vec::with_capacity(CHUNK_BYTES);
        let regions = Vec::with_capacity(REGIONS_MAX);
        let (adler, sectors) = (Adler32::EMPTY, SectorCount::ZERO);
        let mut empty = Self { bytes, regions, end: Sector::ZERO, adler, sectors };
        empty.clear();
        empty
    }

    /// Throws all data away.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.resize(HEADER_BYTES, 0);
        self.bytes.extend(STREAM_START);
        self.regions.clear();
        self.end = Sector::ZERO;
        self.adler = Adler32::EMPTY;
        self.sectors = SectorCount::ZERO;
    }

    /// Whether there are no data in the chunk.
    pub fn is_empty(&self) -> bool {
        self.regions.is_empty()
    }

    /// Adds the data of `extents`, unless there is no room. Extents that touch become one region.
    ///
    /// # Errors
    /// `PieceOrder` if the extents are empty, do not ascend from the data that are already there,
    /// or are not as long as the data. `Piece` if no chunk has room for the piece: more than
    /// [`PIECE_MAX`] bytes or [`REGIONS_MAX`] extents. `Sector32` for sectors that the format
    /// can't express.
    pub fn try_push(&mut self, extents: &[SectorRange], data: &Piece) -> Result<Pushed> {
        let added = self.check(extents, data)?;
        let room = CHUNK_BYTES
            .saturating_sub(STREAM_OVERHEAD.saturating_sub(STREAM_START.len()))
            .saturating_sub(self.bytes.len());
        let regions = self.regions.len().saturating_add(added);
        if data.deflate().len() > room || regions > REGIONS_MAX {
            let fits_none = self.is_empty() || data.len() > PIECE_MAX || added > REGIONS_MAX;
            let error = || ErrorKind::TooLarge(Limit::Piece).at(place(extents));
            return if fits_none { Err(error()) } else { Ok(Pushed::Full) };
        }
        for extent in extents {
            self.add_region(*extent)?;
        }
        self.bytes.extend(data.deflate());
        self.adler = self.adler.followed_by(data.adler(), data.len());
        Ok(Pushed::Done)
    }

    /// The number of regions that `extents` would add, if they can be added at all.
    fn check(&self, extents: &[SectorRange], data: &Piece) -> Result<usize> {
        if data.len() > PIECE_MAX {
            return Err(ErrorKind::TooLarge(Limit::Piece).at(place(extents)));
        }
        let mut end = (!self.is_empty()).then_some(self.end);
        let (mut added, mut sectors) = (0_usize, SectorCount::ZERO);
        for extent in extents {
            if extent.is_empty() || end.is_some_and(|end| extent.start() < end) {
                return Err(disorder(extent.start()));
            }
            if end != Some(extent.start()) {
                added = added.saturating_add(1);
            }
            end = Some(extent.end());
            sectors = sectors.saturating_add(extent.len());
            sector32(extent.end())?;
        }
        if usize::try_from(sectors.to_bytes().get()) != Ok(data.len()) {
            return Err(ErrorKind::Corrupt(CorruptKind::PieceOrder).at(place(extents)));
        }
        Ok(added)
    }

    fn add_region(&mut self, extent: SectorRange) -> Result<()> {
        let (start, end) = (sector32(extent.start())?, sector32(extent.end())?);
        let size = end.saturating_sub(start);
        match self.regions.last_mut() {
            Some((_, last)) if self.end == extent.start() => *last = last.saturating_add(size),
            _ => self.regions.push((start, size)),
        }
        self.end = extent.end();
        self.sectors = self.sectors.saturating_add(extent.len());
        Ok(())
    }

    /// The length that the zlib stream has when it is finished.
    fn payload_len(&self) -> usize {
        let end = STREAM_OVERHEAD.saturating_sub(STREAM_START.len());
        self.bytes.len().saturating_sub(HEADER_BYTES).saturating_add(end)
    }

    /// Finishes the chunk as chunk `number`, which describes the sectors of `covered`: 1 MiB.
    /// After that it is only good for [`ChunkBuilder::clear`].
    ///
    /// # Errors
    /// `RegionBounds` if there is a region outside `covered`; `Sector32` as
    /// [`ChunkBuilder::try_push`].
    pub fn finish(&mut self, number: u32, covered: SectorRange) -> Result<&[u8]> {
        let place = Place::Chunk(u64::from(number));
        let (first, last) = (sector32(covered.start())?, sector32(covered.end())?);
        let start = self.regions.first().map_or(first, |(start, _)| *start);
        if start < first || self.end > covered.end() {
            return Err(ErrorKind::Corrupt(CorruptKind::RegionBounds).at(place));
        }
        let payload_len = u32::try_from(self.payload_len().min(PAYLOAD_MAX)).unwrap_or_default();
        let regions = self.regions.as_slice();
        let fields = HeaderFields { payload_len, number, covered: (first, last), regions };
        if let Some(area) = self.bytes.first_chunk_mut() {
            fields.emit(area);
        }
        self.bytes.extend(stream_end(self.adler));
        self.bytes.resize(CHUNK_BYTES, 0);
        Ok(&self.bytes)
    }
}

impl Default for ChunkBuilder {
    fn default() -> Self {
        Self::new()
    }
}

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

/// Writes an image of version 3, chunk by chunk.
pub struct ImageWriter<W> {
    to: W,
    chunk: ChunkBuilder,
    // Where the sectors begin that the chunk in the making describes.
    first: Sector,
    written: Written,
}

impl<W: Write> ImageWriter<W> {
    /// A writer of an image to `to`.
    pub fn new(to: W) -> Self {
        let (chunk, written) = (ChunkBuilder::new(), Written::default());
        Self { to, chunk, first: Sector::ZERO, written }
    }

    /// Adds the data of `extents`, which lie after all that were added. A piece is never split:
    /// it goes into the chunk in the making or into the next.
    ///
    /// # Errors
    /// As [`ChunkBuilder::try_push`], or `Write`. After an error the image is useless.
    pub fn push(&mut self, extents: &[SectorRange], data: &Piece) -> Result<()> {
        let Some(start) = extents.first().map(|extent| extent.start()) else {
            return self.chunk.check(extents, data).map(drop);
        };
        if start < self.first {
            return Err(disorder(start));
        }
        if self.chunk.try_push(extents, data)? == Pushed::Full {
            // The space before the next data belongs to the chunk that ends there.
            self.close(start)?;
            if self.chunk.try_push(extents, data)? == Pushed::Full {
                return Err(ErrorKind::TooLarge(Limit::Piece).at(place(extents)));
            }
        }
        Ok(())
    }

    /// How many bytes of the image have been written.
    pub fn bytes_written(&self) -> Bytes {
        let chunk = u64::try_from(CHUNK_BYTES).unwrap_or(u64::MAX);
        Bytes(u64::from(self.written.chunks).saturating_mul(chunk))
    }

    /// Writes the chunk in the making, which describes the sectors up to `end`.
    fn close(&mut self, end: Sector) -> Result<()> {
        let number = self.written.chunks;
        let out_of_bounds = ErrorKind::Corrupt(CorruptKind::RegionBounds);
        let covered = SectorRange::new(self.first, end)
            .ok_or_else(|| out_of_bounds.at(Place::Chunk(u64::from(number))))?;
        let payload = u64::try_from(self.chunk.payload_len()).unwrap_or_default();
        write_all(&mut self.to, self.chunk.finish(number, covered)?)?;

        let written = &mut self.written;
        written.chunks = number.checked_add(1).ok_or(ErrorKind::TooLarge(Limit::Count32))?;
        let regions = u64::try_from(self.chunk.regions.len()).unwrap_or_default();
        written.regions = written.regions.saturating_add(regions);
        written.sectors = written.sectors.saturating_add(self.chunk.sectors);
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
    /// `RegionBounds` if data lie beyond `size`, `Sector32` if it is beyond 32 bits, `Write`.
    pub fn finish(mut self, size: SectorCount) -> Result<Written> {
        if !self.chunk.is_empty() {
            self.close(SectorRange::first(size).end())?;
        }
        Ok(self.written)
    }
}

/// The sector's number as images store it.
fn sector32(sector: Sector) -> Result<u32> {
    u32::try_from(sector.get())
        .map_err(|_| ErrorKind::TooLarge(Limit::Sector32).at(Place::Sector(sector)))
}

fn place(extents: &[SectorRange]) -> Place {
    extents.first().map_or(Place::Whole, |extent| Place::Sector(extent.start()))
}

fn disorder(at: Sector) -> Error {
    ErrorKind::Corrupt(CorruptKind::PieceOrder).at(Place::Sector(at))
}
