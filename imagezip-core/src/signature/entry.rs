//! Entries of a signature (docs/format.md, "Signature file").

use core::fmt;

use crate::digest::{Digest, HashType};
use crate::error::{ErrorKind, IncompatibleKind, Limit};
use crate::layout::Layout;
use crate::ndz::ChunkMap;
use crate::sector::{Sector, SectorCount, SectorRange};

/// The size of an entry in a file.
pub(super) const ENTRY_BYTES: usize = 32;

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

/// An entry as a signature keeps it: a disk of 2 TiB has 32 million.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct StoredEntry {
    start: u32,
    size: u32,
    chunk: ChunkNumber,
    digest: [u8; Digest::MAX_LEN],
}

impl StoredEntry {
    /// The entry, if its sectors have 32-bit numbers and its digest is of the type.
    pub(super) fn new(entry: &Entry, hash_type: HashType) -> Result<Self, ErrorKind> {
        let sector32 =
            |number| u32::try_from(number).map_err(|_| ErrorKind::TooLarge(Limit::Sector32));
        if entry.digest.hash_type() != hash_type {
            return Err(ErrorKind::Incompatible(IncompatibleKind::HashType));
        }
        Ok(Self {
            start: sector32(entry.range.start().get())?,
            size: sector32(entry.range.len().get())?,
            chunk: entry.chunk,
            digest: entry.digest.to_field(),
        })
    }

    /// The sectors.
    pub(super) fn range(&self) -> SectorRange {
        range(self.start, self.size)
    }

    /// Sets the chunk number by where the data went.
    pub(super) fn number_chunks(&mut self, map: &ChunkMap) {
        self.chunk = ChunkNumber::of(self.range(), map);
    }

    /// The entry, of a signature with digests of the type.
    pub(super) fn entry(&self, hash_type: HashType) -> Entry {
        let digest = Digest::from_field(hash_type, self.digest);
        Entry { range: self.range(), chunk: self.chunk, digest }
    }

    /// The bytes in a file.
    pub(super) fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let numbers = [self.start, self.size, self.chunk.0].into_iter().flat_map(u32::to_le_bytes);
        let mut bytes = [0; ENTRY_BYTES];
        bytes.iter_mut().zip(numbers.chain(self.digest)).for_each(|(to, from)| *to = from);
        bytes
    }
}

/// An entry in a file.
pub(super) struct FileEntry<'a>(Layout<'a, ENTRY_BYTES>);

impl<'a> FileEntry<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        Layout::new(bytes).map(Self)
    }

    pub(super) fn range(&self) -> SectorRange {
        range(self.0.u32::<0>(), self.0.u32::<4>())
    }

    pub(super) fn entry(&self, hash_type: HashType) -> Entry {
        let digest = Digest::from_field(hash_type, self.0.array::<12, { Digest::MAX_LEN }>());
        Entry { range: self.range(), chunk: ChunkNumber(self.0.u32::<8>()), digest }
    }
}

fn range(start: u32, size: u32) -> SectorRange {
    // Two 32-bit numbers never add up to more than a sector number can be.
    SectorRange::with_len(Sector::from_u32(start), SectorCount::from_u32(size))
        .unwrap_or(SectorRange::EMPTY)
}
