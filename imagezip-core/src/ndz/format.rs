//! The versions that are written, and what each has room for.

use super::HEADER_BYTES;
use super::header::Version;
use super::reloc::Reloc;
use super::width::Width;
use crate::error::{ErrorKind, IncompatibleKind, Limit, Place, Result};
use crate::sector::{Sector, SectorCount, SectorRange};

/// A version of image files that can be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Version 1: says nothing about free space at the ends of a chunk, and has no relocations.
    V1,
    /// Version 3, which all programs read.
    #[default]
    V3,
    /// Version 5: sector numbers of 64 bits and an identity.
    V5,
}

impl Format {
    /// The format for an image that is made of an image of that version: the same, or version 3
    /// for those that are not written.
    pub fn like(version: Version) -> Self {
        match version {
            Version::V1 => Self::V1,
            Version::V5 => Self::V5,
            _ => Self::V3,
        }
    }

    /// The version of the chunks.
    pub const fn version(self) -> Version {
        match self {
            Self::V1 => Version::V1,
            Self::V3 => Version::V3,
            Self::V5 => Version::V5,
        }
    }

    /// The bytes of a header area that regions and relocations may take.
    ///
    /// The header areas of versions 1 and 3 have more room. The reference writer closes their
    /// chunks where version 4's larger header would be full, and readers were only ever tested
    /// with what it makes.
    const fn table_bytes(self) -> usize {
        match self {
            Self::V1 | Self::V3 => HEADER_BYTES - 344,
            Self::V5 => HEADER_BYTES - 72,
        }
    }

    pub(super) const fn width(self) -> Width {
        match self {
            Self::V1 | Self::V3 => Width::Bits32,
            Self::V5 => Width::Bits64,
        }
    }

    /// How many relocations a chunk has room for beside so many regions; `None` if those alone are
    /// too many.
    pub const fn relocs_beside(self, regions: usize) -> Option<usize> {
        let regions = regions.saturating_mul(self.width().region_bytes());
        match self.table_bytes().checked_sub(regions) {
            Some(room) => room.checked_div(self.width().reloc_bytes()),
            None => None,
        }
    }

    /// Whether a chunk that is written can have so many regions and relocations.
    pub fn has_room(self, regions: usize, relocs: usize) -> bool {
        self.relocs_beside(regions).is_some_and(|most| relocs <= most)
    }

    /// Checks that images can have these relocations.
    ///
    /// # Errors
    /// `Incompatible(RelocsV1)` if there are any, but the format has none: leaving them out would
    /// leave data that fit no disk.
    pub fn check_relocs(self, relocs: &[Reloc]) -> Result<()> {
        match (self, relocs.first()) {
            (Self::V1, Some(reloc)) => {
                let kind = ErrorKind::Incompatible(IncompatibleKind::RelocsV1);
                Err(kind.at(Place::Sector(reloc.sector)))
            }
            _ => Ok(()),
        }
    }

    /// Checks that an image can be of something with `size` sectors.
    ///
    /// # Errors
    /// `Sector32` if the format has no numbers for all of them.
    pub fn check_size(self, size: SectorCount) -> Result<()> {
        self.check_sector(SectorRange::first(size).end())
    }

    /// Checks that there is a number for `sector`.
    pub(super) fn check_sector(self, sector: Sector) -> Result<()> {
        let fits = self.width() == Width::Bits64 || u32::try_from(sector.get()).is_ok();
        let error = || ErrorKind::TooLarge(Limit::Sector32).at(Place::Sector(sector));
        if fits { Ok(()) } else { Err(error()) }
    }
}
