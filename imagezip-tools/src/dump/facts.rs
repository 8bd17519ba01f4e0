//! The facts: as they are here they are printed as JSON.

use imagezip_core::sector::{SectorCount, SectorRange};
use serde::Serialize;

/// What an image file holds. Sectors are of 512 bytes and relative to the image's start; an `end`
/// is the sector after the last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// The file's name; `-` for standard input.
    pub file: String,
    /// The file's size in bytes.
    pub bytes: u64,
    /// The number of whole chunks in it.
    pub chunks: u64,
    /// The version of the chunks, 1 to 5; none if there is no readable chunk.
    pub version: Option<u32>,
    /// The identity of versions 4 and 5: 32 hexadecimal digits.
    pub id: Option<String>,
    /// The type of the checksums of version 4, as it is stored: 1 for SHA-1, 32769 if it is signed.
    pub checksum_type: Option<u16>,
    /// The cipher of version 4, as it is stored: 0 for none, 1 for Blowfish.
    pub cipher: Option<u16>,
    /// Bytes of the chunks that are not compressed data: headers and padding.
    pub wasted_bytes: u64,
    /// Bytes of compressed data.
    pub payload_bytes: u64,
    /// The number of regions.
    pub regions: PerChunk,
    /// The relocations.
    pub relocations: Relocations,
    /// The sectors that the chunks describe, from the first to the last.
    pub covered: Option<Covered>,
    /// The runs of sectors that the image holds.
    pub allocated: Ranges,
    /// The runs of sectors that the image describes and doesn't hold.
    pub free: Ranges,
    /// How many of the allocated runs are how large.
    pub sizes: Vec<SizeClass>,
    /// The chunks, if they are asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chunk_list: Vec<ChunkFacts>,
    /// The map, if it is asked for: allocated and free runs in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub map: Vec<MapEntry>,
    /// What was noticed and is no fault.
    pub notes: Vec<String>,
    /// What is wrong with the file; nothing if it is good.
    pub problems: Vec<String>,
}

/// A number for each chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PerChunk {
    /// In all chunks together.
    pub total: u64,
    /// In the chunk with the fewest.
    pub min: u64,
    /// In the chunk with the most.
    pub max: u64,
}

/// Relocations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Relocations {
    /// How many.
    pub count: u64,
    /// How many bytes they are about.
    pub bytes: u64,
}

/// A range of sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Covered {
    /// The first sector.
    pub start: u64,
    /// The sector after the last.
    pub end: u64,
}

/// Runs of sectors, counted chunk by chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ranges {
    /// How many.
    pub count: u64,
    /// Their size in bytes, all together.
    pub bytes: u64,
    /// The smallest one's size in bytes.
    pub min: u64,
    /// The largest one's size in bytes.
    pub max: u64,
}

/// Allocated runs of similar size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SizeClass {
    /// They are smaller than so many bytes; none for the rest.
    pub below: Option<u64>,
    /// How many.
    pub count: u64,
}

/// A chunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChunkFacts {
    /// Its place in the file, from 0.
    pub number: u64,
    /// Bytes of compressed data.
    pub payload_bytes: u64,
    /// The sectors that it describes.
    pub covered: Covered,
    /// The number of regions.
    pub region_count: u64,
    /// The number of relocations.
    pub relocation_count: u64,
    /// The regions, if they are asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<RegionFacts>,
    /// The relocations, if they are asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub relocations: Vec<RelocFacts>,
}

/// A region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RegionFacts {
    /// Its first sector.
    pub start: u64,
    /// The number of its sectors.
    pub sectors: u64,
}

/// A relocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RelocFacts {
    /// Its type, as it is stored.
    pub kind: u32,
    /// The sector with the first byte that it is about.
    pub sector: u64,
    /// Where in that sector the byte is.
    pub offset: u32,
    /// How many bytes it is about.
    pub bytes: u32,
}

/// A run of the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MapEntry {
    /// Whether the image holds it.
    pub allocated: bool,
    /// Its first sector.
    pub start: u64,
    /// The sector after its last.
    pub end: u64,
}

/// The sizes that runs are sorted by, in bytes.
const CLASSES: [u64; 7] = [4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10];

impl Facts {
    /// The facts about a file of that name of which nothing is known yet.
    pub(super) fn of(file: String) -> Self {
        let below = CLASSES.iter().map(|bytes| Some(*bytes)).chain([None]);
        let sizes = below.map(|below| SizeClass { below, count: 0 }).collect();
        Self { file, sizes, ..Self::default() }
    }

    /// The facts about a file that can't be read.
    pub fn unreadable(file: String, problem: String) -> Self {
        Self { problems: vec![problem], ..Self::of(file) }
    }

    /// Counts an allocated run.
    pub(super) fn count_size(&mut self, bytes: u64) {
        let fits = |class: &&mut SizeClass| class.below.is_none_or(|below| bytes < below);
        if let Some(class) = self.sizes.iter_mut().find(fits) {
            class.count += 1;
        }
    }
}

impl PerChunk {
    /// Adds a chunk's number; `first` if it is the first chunk.
    pub(super) fn add(&mut self, number: u64, first: bool) {
        self.total += number;
        self.min = if first { number } else { self.min.min(number) };
        self.max = self.max.max(number);
    }
}

impl Ranges {
    /// Adds a run.
    pub(super) fn add(&mut self, len: SectorCount) {
        let bytes = len.to_bytes().get();
        self.min = if self.count == 0 { bytes } else { self.min.min(bytes) };
        self.max = self.max.max(bytes);
        self.count += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

impl From<SectorRange> for Covered {
    fn from(range: SectorRange) -> Self {
        Self { start: range.start().get(), end: range.end().get() }
    }
}
