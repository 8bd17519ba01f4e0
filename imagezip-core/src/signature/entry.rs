//! Entries of a signature (docs/format.md, "Signature file").

use core::fmt;

use crate::digest::Digest;
use crate::ndz::ChunkMap;
use crate::sector::{Sector, SectorCount, SectorRange};

/// The chunk of the image that holds the start of an entry's data.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct ChunkNumber(u32);

impl ChunkNumber {
    /// Set when the data go on in the next chunk.
    const SPANS: u32 = 1 << 31;

    /// Chunk `number`, of which 31 bits are kept.
    pub const fn new(number: u32, spans: bool) -> Self {
        let number = number & !Self::SPANS;
        Self(if spans { number | Self::SPANS } else { number })
    }

    /// The number as it is in a file.
    pub(super) const fn from_file(word: u32) -> Self {
        Self(word)
    }

    /// The number as it goes into a file.
    pub(super) const fn to_file(self) -> u32 {
        self.0
    }

    /// Where the data of `range` went; chunk 0 if no chunk describes its start.
    pub fn of(range: SectorRange, map: &ChunkMap) -> Self {
        let last = range.end().checked_sub(SectorCount::from_u32(1)).unwrap_or(range.start());
        let (first, last) = (map.chunk_of(range.start()), map.chunk_of(last));
        first.map_or(Self::default(), |number| Self::new(number, Some(number) != last))
    }

    /// The chunk's number.
    pub const fn number(self) -> u32 {
        self.0 & !Self::SPANS
    }

    /// Whether the data go on in the next chunk.
    pub const fn spans(self) -> bool {
        self.0 & Self::SPANS != 0
    }
}

impl fmt::Debug for ChunkNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.number(), if self.spans() { "+" } else { "" })
    }
}

/// What a signature says about some sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The sectors, counted from the start of the image.
    pub range: SectorRange,
    /// The chunk of the image that holds them.
    pub chunk: ChunkNumber,
    /// The digest of their bytes.
    pub digest: Digest,
}

/// What the signature of a file says about the bytes after its last whole sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remainder {
    /// The sector that they would begin.
    start: Sector,
    /// Their number.
    bytes: u16,
    /// The digest of the bytes alone.
    digest: Digest,
}

impl Remainder {
    /// `bytes` at the start of sector `start`, unless they are none or fill the sector.
    pub const fn new(start: Sector, bytes: u16, digest: Digest) -> Option<Self> {
        if bytes >= 1 && bytes <= 511 { Some(Self { start, bytes, digest }) } else { None }
    }

    /// The sector that the bytes would begin.
    pub const fn start(self) -> Sector {
        self.start
    }

    /// The number of bytes: 1 to 511.
    pub const fn bytes(self) -> u16 {
        self.bytes
    }

    /// The digest of the bytes alone.
    pub const fn digest(self) -> Digest {
        self.digest
    }
}

/// What a signature keeps of an entry beside its digest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    start: Sector,
    /// In sectors. No hash block has more than 65,536.
    size: u32,
    chunk: ChunkNumber,
}

impl Span {
    /// Sectors of one hash block.
    pub(super) fn new(range: SectorRange, chunk: ChunkNumber) -> Self {
        let size = u32::try_from(range.len().get()).unwrap_or(u32::MAX);
        Self { start: range.start(), size, chunk }
    }

    /// The sectors.
    pub(super) fn range(&self) -> SectorRange {
        // It was a range before.
        SectorRange::with_len(self.start, SectorCount::from_u32(self.size))
            .unwrap_or(SectorRange::EMPTY)
    }

    /// Sets the chunk number by where the data went.
    pub(super) fn number_chunks(&mut self, map: &ChunkMap) {
        self.chunk = ChunkNumber::of(self.range(), map);
    }

    /// The entry of that digest.
    pub(super) fn entry(&self, digest: Digest) -> Entry {
        Entry { range: self.range(), chunk: self.chunk, digest }
    }
}
