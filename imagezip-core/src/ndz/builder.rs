//! Putting chunks together.

use alloc::vec::Vec;

use super::emit::HeaderFields;
use super::format::Format;
use super::reloc::Reloc;
use super::{CHUNK_BYTES, HEADER_BYTES, PAYLOAD_MAX, PIECE_MAX};
use crate::codec::{Adler32, Piece, STREAM_OVERHEAD, STREAM_START, stream_end};
use crate::error::{CorruptKind, Error, ErrorKind, Limit, Place, Result};
use crate::sector::{Sector, SectorCount, SectorRange};

/// What became of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Pushed {
    /// It is in the chunk.
    Done,
    /// It needs another chunk; this one is as before.
    Full,
}

/// How much classic readers decompress at once, from the start of a chunk's data on. They insist
/// that what a relocation concerns is not divided there.
const READ_AT_ONCE: usize = PIECE_MAX;

/// One chunk in the making.
pub struct ChunkBuilder {
    format: Format,
    // The header area, and what there is of the zlib stream.
    bytes: Vec<u8>,
    regions: Vec<SectorRange>,
    relocs: Vec<Reloc>,
    adler: Adler32,
    // The length of the data before compression.
    data_len: usize,
}

impl ChunkBuilder {
    /// A chunk without data.
    pub fn new(format: Format) -> Self {
        let bytes = Vec::with_capacity(CHUNK_BYTES);
        let (regions, relocs, adler) = (Vec::new(), Vec::new(), Adler32::EMPTY);
        let mut empty = Self { format, bytes, regions, relocs, adler, data_len: 0 };
        empty.clear();
        empty
    }

    /// Throws all data away.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.resize(HEADER_BYTES, 0);
        self.bytes.extend(STREAM_START);
        self.regions.clear();
        self.relocs.clear();
        self.adler = Adler32::EMPTY;
        self.data_len = 0;
    }

    /// Whether there are no data in the chunk.
    pub fn is_empty(&self) -> bool {
        self.regions.is_empty()
    }

    /// The regions so far.
    pub(super) fn regions(&self) -> &[SectorRange] {
        &self.regions
    }

    /// The sector after the last that there are data for.
    fn end(&self) -> Option<Sector> {
        self.regions.last().map(|region| region.end())
    }

    /// The bytes of deflate blocks that there is still room for.
    pub(super) fn room(&self) -> usize {
        CHUNK_BYTES
            .saturating_sub(STREAM_OVERHEAD.saturating_sub(STREAM_START.len()))
            .saturating_sub(self.bytes.len())
    }

    /// Adds the data of `extents` with the relocations in them, unless there is no room. Extents
    /// that touch become one region.
    ///
    /// # Errors
    /// `PieceOrder` if the extents are empty, do not ascend from the data that are already there,
    /// or are not as long as the data, or if a relocation is not in them. `Piece` if no chunk has
    /// room for the piece: more than [`PIECE_MAX`] bytes, or more extents and relocations than
    /// [`Format::has_room`] for. `Sector32` for sectors that the format can't express,
    /// `Incompatible(RelocsV1)` for relocations in version 1.
    pub fn try_push(
        &mut self,
        extents: &[SectorRange],
        relocs: &[Reloc],
        data: &Piece,
    ) -> Result<Pushed> {
        let added = self.check(extents, relocs, data)?;
        let regions = self.regions.len().saturating_add(added);
        let fits_table =
            self.format.has_room(regions, self.relocs.len().saturating_add(relocs.len()));
        if data.deflate().len() > self.room() || !fits_table {
            let fits_none = self.is_empty() || !self.format.has_room(added, relocs.len());
            let error = || ErrorKind::TooLarge(Limit::Piece).at(place(extents));
            return if fits_none { Err(error()) } else { Ok(Pushed::Full) };
        }
        if relocs.iter().any(|reloc| reloc.sectors().len() > SectorCount::from_u32(1))
            && self.is_divided(data.len())
        {
            return Ok(Pushed::Full);
        }
        for extent in extents {
            self.add_region(*extent);
        }
        self.relocs.extend(relocs);
        self.bytes.extend(data.deflate());
        self.adler = self.adler.followed_by(data.adler(), data.len());
        self.data_len = self.data_len.saturating_add(data.len());
        Ok(Pushed::Done)
    }

    /// Whether readers may see the next `len` bytes of data in two parts. Those at the start of a
    /// chunk they never do.
    fn is_divided(&self, len: usize) -> bool {
        let before = self.data_len.checked_rem(READ_AT_ONCE).unwrap_or_default();
        before.saturating_add(len) > READ_AT_ONCE
    }

    /// The number of regions that `extents` would add, if they can be added at all.
    pub(super) fn check(
        &self,
        extents: &[SectorRange],
        relocs: &[Reloc],
        data: &Piece,
    ) -> Result<usize> {
        if data.len() > PIECE_MAX {
            return Err(ErrorKind::TooLarge(Limit::Piece).at(place(extents)));
        }
        self.format.check_relocs(relocs)?;
        let mut end = self.end();
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
            self.format.check_sector(extent.end())?;
        }
        if usize::try_from(sectors.to_bytes().get()) != Ok(data.len()) {
            return Err(ErrorKind::Corrupt(CorruptKind::PieceOrder).at(place(extents)));
        }
        let inside = |reloc: &Reloc| {
            let at = extents.partition_point(|extent| extent.end() <= reloc.sector);
            extents.get(at).is_some_and(|extent| extent.start() <= reloc.sector)
        };
        match relocs.iter().find(|reloc| !inside(reloc)) {
            Some(stray) => Err(disorder(stray.sector)),
            None => Ok(added),
        }
    }

    fn add_region(&mut self, extent: SectorRange) {
        match self.regions.last_mut() {
            Some(last) if last.end() == extent.start() => {
                *last = SectorRange::new(last.start(), extent.end()).unwrap_or(*last);
            }
            _ => self.regions.push(extent),
        }
    }

    /// The length that the zlib stream has when it is finished.
    pub(super) fn payload_len(&self) -> usize {
        let end = STREAM_OVERHEAD.saturating_sub(STREAM_START.len());
        self.bytes.len().saturating_sub(HEADER_BYTES).saturating_add(end)
    }

    /// Finishes the chunk as chunk `number`, which describes the sectors of `covered`, of the
    /// image `id`: 1 MiB. After that it is only good for [`ChunkBuilder::clear`].
    ///
    /// # Errors
    /// `RegionBounds` if there is a region outside `covered`; `Sector32` as
    /// [`ChunkBuilder::try_push`].
    pub fn finish(&mut self, number: u32, covered: SectorRange, id: [u8; 16]) -> Result<&[u8]> {
        self.format.check_sector(covered.end())?;
        let start = self.regions.first().map_or(covered.start(), |region| region.start());
        let end = self.end().unwrap_or(covered.end());
        if start < covered.start() || end > covered.end() {
            let place = Place::Chunk(u64::from(number));
            return Err(ErrorKind::Corrupt(CorruptKind::RegionBounds).at(place));
        }
        let payload_len = u32::try_from(self.payload_len().min(PAYLOAD_MAX)).unwrap_or_default();
        let (format, regions, relocs) = (self.format, &self.regions, &self.relocs);
        let fields = HeaderFields { format, payload_len, number, covered, regions, relocs, id };
        if let Some(area) = self.bytes.first_chunk_mut() {
            fields.emit(area);
        }
        self.bytes.extend(stream_end(self.adler));
        self.bytes.resize(CHUNK_BYTES, 0);
        Ok(&self.bytes)
    }
}

pub(super) fn place(extents: &[SectorRange]) -> Place {
    extents.first().map_or(Place::Whole, |extent| Place::Sector(extent.start()))
}

pub(super) fn disorder(at: Sector) -> Error {
    ErrorKind::Corrupt(CorruptKind::PieceOrder).at(Place::Sector(at))
}
