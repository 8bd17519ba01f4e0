//! The header area of a chunk (docs/format.md, "Chunk header").

use super::region::Regions;
use super::reloc::{Reloc, Relocs};
use super::seal::Seal;
use super::width::Width;
use super::{HEADER_BYTES, PAYLOAD_MAX};
use crate::error::{CorruptKind, ErrorKind};
use crate::layout::Layout;
use crate::sector::{Bytes, SECTOR_BYTES, Sector, SectorCount, SectorRange};

type Result<T> = core::result::Result<T, ErrorKind>;

/// Where in a chunk the number of chunks in the file is.
pub(super) const TOTAL_AT: u64 = 12;

/// The version of a chunk: its magic number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u32);

impl Version {
    /// Regions only.
    pub const V1: Self = Self(0x6969_6969);
    /// Says which sectors the chunk describes, and has relocations.
    pub const V2: Self = Self(0x6969_696a);
    /// As version 2, with more types of relocation.
    pub const V3: Self = Self(0x6969_696b);
    /// As version 3, with an image's identity, a checksum and a cipher.
    pub const V4: Self = Self(0x6969_696c);
    /// As version 3, with an image's identity and sector numbers of 64 bits.
    pub const V5: Self = Self(0x6969_696d);

    /// The version of that magic number.
    fn from_magic(magic: u32) -> Result<Self> {
        let version = Self(magic);
        if version < Self::V1 || version > Self::V5 {
            return Err(ErrorKind::Corrupt(CorruptKind::ChunkMagic));
        }
        Ok(version)
    }

    /// The magic number.
    pub(super) const fn magic(self) -> u32 {
        self.0
    }

    /// The number that people use: 1 to 5.
    pub const fn number(self) -> u32 {
        self.0.saturating_sub(Self::V1.0).saturating_add(1)
    }

    /// Whether chunks say which sectors they describe.
    pub const fn has_bounds(self) -> bool {
        self.0 != Self::V1.0
    }
}

/// How a header is laid out. There is one way for each version but two for version 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    V1,
    V2,
    V4,
    V5,
    /// Without the hole that lets the 64-bit numbers begin at a multiple of 8: what compilers for
    /// 32-bit machines make of the reference's definition.
    V5Dense,
}

impl Form {
    /// The forms that a header of `version` can have, the usual one first.
    const fn of(version: Version) -> &'static [Self] {
        match version {
            Version::V1 => &[Self::V1],
            Version::V4 => &[Self::V4],
            Version::V5 => &[Self::V5, Self::V5Dense],
            _ => &[Self::V2],
        }
    }

    /// The number of bytes before the regions.
    const fn len(self) -> usize {
        match self {
            Self::V1 => 24,
            Self::V2 => 36,
            Self::V4 => 344,
            Self::V5 => 72,
            Self::V5Dense => 68,
        }
    }

    const fn width(self) -> Width {
        match self {
            Self::V1 | Self::V2 | Self::V4 => Width::Bits32,
            Self::V5 | Self::V5Dense => Width::Bits64,
        }
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
    form: Form,
    covered: SectorRange,
    regions: &'a [u8],
    relocs: &'a [u8],
}

impl<'a> ChunkHeader<'a> {
    /// Checks a header area.
    ///
    /// # Errors
    /// `Corrupt`. `PayloadShort` if no payload of the length could fill the regions.
    pub fn new(area: &'a [u8; HEADER_BYTES]) -> Result<Self> {
        let area = Layout::from(area);
        let version = Version::from_magic(area.u32::<0>())?;
        if area.u32::<16>() as usize != HEADER_BYTES {
            return Err(ErrorKind::Corrupt(CorruptKind::ChunkHeaderArea));
        }
        if usize::try_from(area.u32::<4>()).is_ok_and(|len| len > PAYLOAD_MAX) {
            return Err(ErrorKind::Corrupt(CorruptKind::ChunkPayload));
        }
        // No header makes sense in two forms: the low half of a number is the high half of another
        // one then, and regions are larger than any payload.
        let (usual, others) = match Form::of(version) {
            [usual, others @ ..] => (*usual, others),
            [] => return Err(ErrorKind::Corrupt(CorruptKind::ChunkMagic)),
        };
        Self::in_form(area, version, usual).or_else(|error| {
            let other = |form: &Form| Self::in_form(area, version, *form).ok();
            others.iter().find_map(other).ok_or(error)
        })
    }

    fn in_form(area: Layout<'a, HEADER_BYTES>, version: Version, form: Form) -> Result<Self> {
        let corrupt = |kind| Err(ErrorKind::Corrupt(kind));
        let reloc_count = if version.has_bounds() { area.u32::<32>() } else { 0 };
        let Some((regions, relocs)) = tables(area, form, area.u32::<20>(), reloc_count) else {
            return corrupt(CorruptKind::RegionCount);
        };
        let occupied = check_order(Regions::new(regions, form.width()))?;
        let covered = match form {
            Form::V1 => Some(occupied),
            Form::V2 | Form::V4 => {
                let [start, end] = [area.u32::<24>(), area.u32::<28>()].map(Sector::from_u32);
                SectorRange::new(start, end)
            }
            Form::V5 if area.u32::<36>() != 0 => None,
            Form::V5 => bounds64(area.u64::<40>(), area.u64::<48>()),
            Form::V5Dense => bounds64(area.u64::<36>(), area.u64::<44>()),
        };
        let Some(covered) = covered.filter(|covered| covered.contains(occupied)) else {
            return corrupt(CorruptKind::RegionBounds);
        };
        let header = Self { area, version, form, covered, regions, relocs };
        if header.sector_count() > most_sectors(header.payload_len()) {
            return corrupt(CorruptKind::PayloadShort);
        }
        let inside = |reloc: &Reloc| {
            let first = SectorRange::with_len(reloc.sector, SectorCount::from_u32(1));
            first.is_some_and(|first| covered.contains(first))
                && u64::from(reloc.offset) < SECTOR_BYTES
        };
        if header.relocs().filter(inside).count() != header.relocs().len() {
            return corrupt(CorruptKind::RelocBounds);
        }
        Ok(header)
    }

    /// The chunk's version.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The number of bytes before the regions: 24, 36 in versions 2 and 3, 344 in version 4, and
    /// in version 5 72 or, as some writers might have it, 68.
    pub const fn header_len(&self) -> usize {
        self.form.len()
    }

    /// The length of what is stored after the header area: the zlib stream, maybe encrypted.
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

    /// The identity that all chunks of an image share; `None` in versions that have none.
    pub fn image_id(&self) -> Option<[u8; 16]> {
        match self.form {
            Form::V1 | Form::V2 => None,
            Form::V4 => Some(self.area.array::<328, 16>()),
            Form::V5 => Some(self.area.array::<56, 16>()),
            Form::V5Dense => Some(self.area.array::<52, 16>()),
        }
    }

    /// The chunk's protection; only version 4 has one.
    pub fn seal(&self) -> Option<Seal<'a>> {
        (self.form == Form::V4).then(|| Seal::new(self.area))
    }

    /// The regions in ascending order; there is at least one.
    pub fn regions(&self) -> Regions<'a> {
        Regions::new(self.regions, self.form.width())
    }

    /// The relocations in the order in which they apply.
    pub fn relocs(&self) -> Relocs<'a> {
        Relocs::new(self.relocs, self.form.width())
    }

    /// The number of sectors in all regions.
    pub fn sector_count(&self) -> SectorCount {
        self.regions().fold(SectorCount::ZERO, |sum, region| sum.saturating_add(region.len()))
    }
}

/// The most sectors that a payload can be for: deflate makes at most 258 bytes of 2 bits.
fn most_sectors(payload_len: usize) -> SectorCount {
    const MOST_OF_A_BYTE: u64 = 258 * 4;
    let payload = u64::try_from(payload_len).unwrap_or(u64::MAX);
    Bytes(payload.saturating_mul(MOST_OF_A_BYTE)).whole_sectors()
}

/// The tables of regions and of relocations, if they fit and there is a region.
fn tables(
    area: Layout<'_, HEADER_BYTES>,
    form: Form,
    regions: u32,
    relocs: u32,
) -> Option<(&[u8], &[u8])> {
    let table_len = |count: u32, entry| usize::try_from(count).ok()?.checked_mul(entry);
    let regions = table_len(regions, form.width().region_bytes()).filter(|len| *len > 0)?;
    let relocs = table_len(relocs, form.width().reloc_bytes())?;
    let (regions, rest) = area.as_bytes().get(form.len()..)?.split_at_checked(regions)?;
    Some((regions, rest.get(..relocs)?))
}

fn bounds64(start: u64, end: u64) -> Option<SectorRange> {
    SectorRange::new(Sector::new(start)?, Sector::new(end)?)
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
