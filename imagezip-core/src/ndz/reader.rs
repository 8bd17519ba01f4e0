//! Reading image files.

use alloc::vec;
use alloc::vec::Vec;

use super::chunk::Chunk;
use super::header::{ChunkHeader, Version};
use super::seal::{Keys, NoKeys};
use super::{CHUNK_BYTES, HEADER_BYTES};
use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, Limit, Place, Result};
use crate::extent::ExtentSet;
use crate::sector::{Bytes, Sector, SectorCount};

/// An image file. An empty file is an image that holds nothing: the delta of an unchanged disk.
pub struct Image<'a, D: ?Sized> {
    file: &'a D,
    keys: &'a dyn Keys,
    chunk_count: u32,
}

impl<'a, D: ReadAt + ?Sized> Image<'a, D> {
    /// The image in `file`, which is not encrypted. Nothing is read yet.
    ///
    /// # Errors
    /// `Truncated` if the file's size is not a multiple of 1 MiB.
    pub fn open(file: &'a D) -> Result<Self> {
        Self::open_with(file, &NoKeys)
    }

    /// The image in `file`, whose protected chunks are opened with `keys`. Nothing is read yet.
    ///
    /// # Errors
    /// As [`Image::open`].
    pub fn open_with(file: &'a D, keys: &'a dyn Keys) -> Result<Self> {
        let size = file.size().get();
        let chunk = u64::try_from(CHUNK_BYTES).unwrap_or(u64::MAX);
        if size.checked_rem(chunk) != Some(0) {
            return Err(ErrorKind::Truncated.at(Place::Byte(file.size())));
        }
        let chunk_count = size.checked_div(chunk).and_then(|count| u32::try_from(count).ok());
        let chunk_count = chunk_count.ok_or(ErrorKind::TooLarge(Limit::Count32))?;
        Ok(Self { file, keys, chunk_count })
    }

    /// The number of chunks.
    pub const fn chunk_count(&self) -> u32 {
        self.chunk_count
    }

    /// All chunks in order, checked also against each other.
    pub fn chunks(&self) -> Chunks<'_, 'a, D> {
        Chunks { image: self, next: 0, before: None, buffer: ChunkBuffer::new() }
    }

    /// Chunk `number`, read into `buffer`, checked by itself and decrypted.
    ///
    /// # Errors
    /// Those of [`ChunkHeader::new`] and of the [`Keys`]; `Truncated` or `Read` from the file.
    pub fn chunk<'b>(&self, number: u32, buffer: &'b mut ChunkBuffer) -> Result<Chunk<'b>> {
        let place = Place::Chunk(u64::from(number));
        let truncated = || ErrorKind::Truncated.at(place);
        let (area, payload) = buffer.0.split_first_chunk_mut().ok_or_else(truncated)?;
        let header = self.read_header(number, area)?;
        let payload = payload.get_mut(..header.payload_len()).ok_or_else(truncated)?;
        self.read(number, HEADER_BYTES, payload)?;
        let plain = match header.seal() {
            Some(seal) => seal.open(self.keys, payload).map_err(|kind| kind.at(place))?,
            None => payload.len(),
        };
        let payload = payload.get(..plain).ok_or_else(truncated)?;
        Ok(Chunk::new(number, header, payload))
    }

    /// As [`Image::chunk`], but all of the chunk's bytes are read into `buffer`, those after the
    /// payload, too. An encrypted payload is decrypted there.
    ///
    /// # Errors
    /// As [`Image::chunk`].
    pub fn whole_chunk<'b>(&self, number: u32, buffer: &'b mut ChunkBuffer) -> Result<Chunk<'b>> {
        self.read(number, 0, &mut buffer.0)?;
        self.chunk(number, buffer)
    }

    /// The header of chunk `number`, read into `area`, checked by itself.
    ///
    /// # Errors
    /// As [`Image::chunk`].
    pub fn read_header<'b>(
        &self,
        number: u32,
        area: &'b mut [u8; HEADER_BYTES],
    ) -> Result<ChunkHeader<'b>> {
        let place = Place::Chunk(u64::from(number));
        self.read(number, 0, area)?;
        let header = ChunkHeader::new(area).map_err(|kind| kind.at(place))?;
        let (stored, total) = (header.number(), header.total());
        // A writer of version 1 that couldn't go back to fill in the total left both at 0.
        let numbered = header.version().has_bounds() || total != 0;
        let total_known = !header.version().has_bounds() && total != 0;
        if (numbered && stored != number) || (total_known && total != self.chunk_count) {
            return Err(ErrorKind::Corrupt(CorruptKind::ChunkNumber).at(place));
        }
        Ok(header)
    }

    fn read(&self, number: u32, offset: usize, buf: &mut [u8]) -> Result<()> {
        let chunk = u64::try_from(CHUNK_BYTES).unwrap_or(u64::MAX);
        let offset = u64::try_from(offset).unwrap_or(u64::MAX);
        let at = u64::from(number).saturating_mul(chunk).saturating_add(offset);
        self.file.read_at(Bytes(at), buf)
    }

    /// Reads the headers of all chunks, checks them against each other, and gives each to `each`.
    ///
    /// # Errors
    /// As [`Image::chunk`], `Corrupt` if the chunks don't fit together, or `each`'s own.
    pub fn headers(&self, each: &mut dyn FnMut(&ChunkHeader<'_>) -> Result<()>) -> Result<()> {
        let mut headers = self.each_header();
        while let Some(header) = headers.next_header()? {
            each(&header)?;
        }
        Ok(())
    }

    /// The headers of all chunks in order, read one by one as they are asked for.
    pub fn each_header(&self) -> Headers<'_, 'a, D> {
        Headers { image: self, next: 0, before: None, area: [0; HEADER_BYTES] }
    }

    /// All sectors that the image holds.
    ///
    /// # Errors
    /// As [`Image::headers`].
    pub fn extents(&self) -> Result<ExtentSet> {
        let mut extents = ExtentSet::new();
        self.headers(&mut |header| {
            extents.extend(header.regions());
            Ok(())
        })?;
        Ok(extents)
    }

    /// The size of what the image was made of, as far as the image tells: the end of its last
    /// chunk's sectors, 0 for an empty image.
    ///
    /// # Errors
    /// As [`Image::headers`].
    pub fn sectors(&self) -> Result<SectorCount> {
        let mut end = Sector::ZERO;
        self.headers(&mut |header| {
            end = header.covered().end();
            Ok(())
        })?;
        Ok(end.since(Sector::ZERO))
    }
}

/// Room for one chunk: 1 MiB.
pub struct ChunkBuffer(Vec<u8>);

impl ChunkBuffer {
    /// A buffer for any chunk.
    pub fn new() -> Self {
        Self(vec![0; CHUNK_BYTES])
    }

    /// What was read last; all of a chunk only after [`Image::whole_chunk`].
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Default for ChunkBuffer {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a chunk stands among the others.
#[derive(Clone, Copy)]
struct Position {
    version: Version,
    header_len: usize,
    image_id: Option<[u8; 16]>,
    end: Sector,
}

impl Position {
    /// The position of the chunk after `before`, if they fit together.
    fn follow(before: Option<Self>, header: &ChunkHeader<'_>, number: u32) -> Result<Self> {
        let corrupt = |kind| Err(ErrorKind::Corrupt(kind).at(Place::Chunk(u64::from(number))));
        let (version, covered) = (header.version(), header.covered());
        // The header's own checks keep the regions inside what the chunk covers, so they ascend
        // from chunk to chunk if the chunks do.
        let (header_len, image_id) = (header.header_len(), header.image_id());
        match before {
            Some(before) if (before.version, before.header_len) != (version, header_len) => {
                corrupt(CorruptKind::ChunkVersion)
            }
            Some(before) if before.image_id != image_id => corrupt(CorruptKind::ChunkIdentity),
            Some(before) if version.has_bounds() && covered.start() != before.end => {
                corrupt(CorruptKind::ChunkTiling)
            }
            Some(before) if covered.start() < before.end => corrupt(CorruptKind::ChunkTiling),
            None if version.has_bounds() && covered.start() != Sector::ZERO => {
                corrupt(CorruptKind::ChunkTiling)
            }
            _ => Ok(Self { version, header_len, image_id, end: covered.end() }),
        }
    }
}

/// The headers of an image's chunks in order.
pub struct Headers<'i, 'a, D: ?Sized> {
    image: &'i Image<'a, D>,
    next: u32,
    before: Option<Position>,
    area: [u8; HEADER_BYTES],
}

impl<D: ReadAt + ?Sized> Headers<'_, '_, D> {
    /// The next header, or `None` after the last. After an error the rest can't be trusted.
    ///
    /// # Errors
    /// As [`Image::chunk`]; `Corrupt` if the chunk doesn't fit the one before.
    pub fn next_header(&mut self) -> Result<Option<ChunkHeader<'_>>> {
        let number = self.next;
        if number >= self.image.chunk_count {
            return Ok(None);
        }
        self.next = number.saturating_add(1);
        let header = self.image.read_header(number, &mut self.area)?;
        self.before = Some(Position::follow(self.before, &header, number)?);
        Ok(Some(header))
    }
}

/// The chunks of an image in order. Each is read once, into the same 1 MiB.
pub struct Chunks<'i, 'a, D: ?Sized> {
    image: &'i Image<'a, D>,
    next: u32,
    before: Option<Position>,
    buffer: ChunkBuffer,
}

impl<D: ReadAt + ?Sized> Chunks<'_, '_, D> {
    /// The next chunk, or `None` after the last. After an error the rest can't be trusted.
    ///
    /// # Errors
    /// As [`Image::chunk`]; `Corrupt` if the chunk doesn't fit the one before.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk<'_>>> {
        let number = self.next;
        if number >= self.image.chunk_count {
            return Ok(None);
        }
        self.next = number.saturating_add(1);
        let chunk = self.image.chunk(number, &mut self.buffer)?;
        self.before = Some(Position::follow(self.before, chunk.header(), number)?);
        Ok(Some(chunk))
    }
}
