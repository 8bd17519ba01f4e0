//! The header area of a chunk (docs/format.md, "Chunk header").

use super::region::{REGION_BYTES, Regions};
use super::reloc::{RELOC_BYTES, Relocs};
use super::{HEADER_BYTES, PAYLOAD_MAX};
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind};
use crate::layout::Layout;
use crate::sector::{SECTOR_BYTES, Sector, SectorCount, SectorRange};

type Result<T> = core::result::Result<T, ErrorKind>;

/// The version of a chunk: its magic number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(u32);

impl Version {
    /// Regions only.
    pub const V1: Self = Self(0x6969_6969);
    /// Says which sectors the chunk describes, and has relocations.
    pub const V2: Self = Self(0x6969_696a);
    /// As version 2, with more types of relocation.
    pub const V3: Self = Self(0x6969_696b);
    const V4: Self = Self(0x6969_696c);
    const V5: Self = Self(0x6969_696d);

    /// The version of that magic number, if chunks of it can be read.
    fn from_magic(magic: u32) -> Result<Self> {
        match Self(magic) {
            known @ (Self::V1 | Self::V2 | Self::V3) => Ok(known),
            Self::V4 => Err(ErrorKind::Incompatible(IncompatibleKind::ImageV4)),
            Self::V5 => Err(ErrorKind::Incompatible(IncompatibleKind::ImageV5)),
            _ => Err(ErrorKind::Corrupt(CorruptKind::ChunkMagic)),
        }
    }

    /// The number that people use: 1, 2 or 3.
    pub const fn number(self) -> u32 {
        self.0.saturating_sub(Self::V1.0).saturating_add(1)
    }

    /// Whether chunks say which sectors they describe.
    pub const fn has_bounds(self) -> bool {
        self.0 != Self::V1.0
    }

    /// The number of bytes before the regions.
    const fn header_len(self) -> usize {
        if self.has_bounds() { 36 } else { 24 }
    }
}

/// A chunk's header, with its regions and relocations.
///
/// That there is one proves: the payload fits a chunk, there are regions, they ascend without
/// touching each other, they and the relocations lie inside [`ChunkHeader::covered`].
#[derive(Clone, Copy)]
pub struct ChunkHeader<'a> {
    area: Layout<'a, HEADER_BYTES>,
    version: Version,
    covered: SectorRange,
    regions: &'a [u8],
    relocs: &'a [u8],
}

impl<'a> ChunkHeader<'a> {
    /// Checks a header area.
    ///
    /// # Errors
    /// `Incompatible` for versions 4 and 5, else `Corrupt`.
    pub fn new(area: &'a [u8; HEADER_BYTES]) -> Result<Self> {
        let corrupt = |kind| Err(ErrorKind::Corrupt(kind));
        let area = Layout::from(area);
        let version = Version::from_magic(area.u32::<0>())?;
        if area.u32::<16>() as usize != HEADER_BYTES {
            return corrupt(CorruptKind::ChunkHeaderArea);
        }
        let reloc_count = if version.has_bounds() { area.u32::<32>() } else { 0 };
        let Some((regions, relocs)) = tables(area, version, area.u32::<20>(), reloc_count) else {
            return corrupt(CorruptKind::RegionCount);
        };
        let occupied = check_order(Regions::new(regions))?;
        let covered = if version.has_bounds() {
            let bounds = [area.u32::<24>(), area.u32::<28>()].map(Sector::from_u32);
            SectorRange::new(bounds[0], bounds[1])
        } else {
            Some(occupied)
        };
        let Some(covered) = covered.filter(|covered| covered.contains(occupied)) else {
            return corrupt(CorruptKind::RegionBounds);
        };
        let header = Self { area, version, covered, regions, relocs };
        if header.payload_len() > PAYLOAD_MAX {
            return corrupt(CorruptKind::ChunkPayload);
        }
        if !header.relocs().all(|reloc| {
            let first = SectorRange::with_len(reloc.sector, SectorCount::from_u32(1));
            first.is_some_and(|first| covered.contains(first))
                && u64::from(reloc.offset) < SECTOR_BYTES
        }) {
            return corrupt(CorruptKind::RelocBounds);
        }
        Ok(header)
    }

    /// The chunk's version.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The length of the zlib stream that begins after the header area.
    pub fn payload_len(&self) -> usize {
        usize::try_from(self.area.u32::<4>()).unwrap_or(usize::MAX)
    }

    /// The chunk's number in its file.
    pub fn number(&self) -> u32 {
        self.area.u32::<8>()
    }

    /// The number of chunks in the file: version 1 only, and 0 where the writer didn't know.
    pub fn total(&self) -> u32 {
        self.area.u32::<12>()
    }

    /// The sectors that the chunk describes; those outside its regions are not in the image.
    ///
    /// In version 1, which doesn't say, from the first region to the last.
    pub const fn covered(&self) -> SectorRange {
        self.covered
    }

    /// The regions in ascending order; there is at least one.
    pub fn regions(&self) -> Regions<'a> {
        Regions::new(self.regions)
    }

    /// The relocations in the order in which they apply.
    pub fn relocs(&self) -> Relocs<'a> {
        Relocs::new(self.relocs)
    }

    /// The number of sectors in all regions.
    pub fn sector_count(&self) -> SectorCount {
        self.regions().fold(SectorCount::ZERO, |sum, region| sum.saturating_add(region.len()))
    }
}

/// The tables of regions and of relocations, if they fit and there is a region.
fn tables(
    area: Layout<'_, HEADER_BYTES>,
    version: Version,
    regions: u32,
    relocs: u32,
) -> Option<(&[u8], &[u8])> {
    let table_len = |count: u32, entry| usize::try_from(count).ok()?.checked_mul(entry);
    let rest = area.as_bytes().get(version.header_len()..)?;
    let (regions, rest) =
        rest.split_at_checked(table_len(regions, REGION_BYTES).filter(|len| *len > 0)?)?;
    let (relocs, _) = rest.split_at_checked(table_len(relocs, RELOC_BYTES)?)?;
    Some((regions, relocs))
}

/// From the start of the first region to the end of the last, if they ascend with gaps.
fn check_order(mut regions: Regions<'_>) -> Result<SectorRange> {
    let disorder = ErrorKind::Corrupt(CorruptKind::RegionOrder);
    let first = regions.next().filter(|region| !region.is_empty()).ok_or(disorder.clone())?;
    let end = regions.try_fold(first.end(), |end, region| {
        (!region.is_empty() && region.start() > end).then_some(region.end())
    });
    end.and_then(|end| SectorRange::new(first.start(), end)).ok_or(disorder)
}

/// What to write into a chunk's header area.
pub(super) struct HeaderFields<'a> {
    /// The length of the zlib stream.
    pub(super) payload_len: u32,
    /// The chunk's number.
    pub(super) number: u32,
    /// The first sector that the chunk describes, and the one after the last.
    pub(super) covered: (u32, u32),
    /// Each region's first sector and size.
    pub(super) regions: &'a [(u32, u32)],
}

impl HeaderFields<'_> {
    /// Writes a header area of version 3 over `area`.
    pub(super) fn emit(&self, area: &mut [u8; HEADER_BYTES]) {
        const HEADER_AREA: u32 = 4096;
        let region_count = u32::try_from(self.regions.len()).unwrap_or(u32::MAX);
        let (first, last) = self.covered;
        let (total, relocs) = (0, 0);
        let fields = [
            Version::V3.0,
            self.payload_len,
            self.number,
            total,
            HEADER_AREA,
            region_count,
            first,
            last,
            relocs,
        ];
        let regions = self.regions.iter().flat_map(|(start, size)| [*start, *size]);
        let bytes = fields.into_iter().chain(regions).flat_map(u32::to_le_bytes);
        area.fill(0);
        area.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    }
}
