//! Moving an image of a partition to another place on a disk (docs/format.md, "Relocations").
//!
//! Some data name sectors by their place on the disk, which is wrong as soon as the partition lies
//! elsewhere. Who makes an image turns these addresses into addresses in the partition and notes
//! in the image where they are: [`find`]. Who loads it turns them back: [`Relocated`].

mod apply;
mod disklabel;
mod find;
mod lilo;
mod view;

#[cfg(test)]
mod tests;

pub use apply::{Adjusted, Relocated};
pub use find::{Fixups, find};

use crate::error::{CorruptKind, ErrorKind, Place, Result};
use crate::ndz::{Reloc, RelocType};
use crate::sector::{Bytes, SECTOR_BYTES, Sector, SectorRange};

/// Where an image goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// The sector of the target that the image's first sector becomes: where the partition begins,
    /// or 0.
    pub start: Sector,
    /// The sector of the target after the last that the image may take, if there is such a limit.
    pub end: Option<Sector>,
    /// Whether the image goes into a partition of the target. Otherwise disklabels stay as they
    /// are in the image.
    pub slice: bool,
}

impl Placement {
    /// Into a partition of the target.
    pub const fn partition(range: SectorRange) -> Self {
        Self { start: range.start(), end: Some(range.end()), slice: true }
    }
}

/// The relocation for the last sector of a file, of whose bytes only the first `valid` are the
/// file's.
///
/// Without one, all bytes of the sector are: `None` unless `valid` is from 1 to 511.
pub fn short_sector(sector: Sector, valid: Bytes) -> Option<Reloc> {
    let size = u32::try_from(valid.get()).ok().filter(|_| valid.get() < SECTOR_BYTES)?;
    (size > 0).then_some(Reloc { kind: RelocType::SHORT_SECTOR, sector, offset: 0, size })
}

/// Bytes of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: Bytes,
    len: u64,
}

/// The bytes that a relocation concerns: all that applying it reads or changes. `None` for the
/// types that readers skip.
///
/// # Errors
/// `RelocSize` if it doesn't concern as many bytes as its type does.
fn span(reloc: &Reloc) -> Result<Option<Span>> {
    let fault = || ErrorKind::Corrupt(CorruptKind::RelocSize).at(Place::Sector(reloc.sector));
    let offset = u64::from(reloc.offset);
    let (start, size) = (reloc.sector.to_bytes().checked_add(offset), u64::from(reloc.size));
    let start = start.ok_or_else(fault)?;
    let span = match reloc.kind {
        RelocType::FREEBSD_DISKLABEL | RelocType::OPENBSD_DISKLABEL => {
            // A label's further entries lie behind the bytes that the relocation names.
            let len = SECTOR_BYTES.saturating_sub(offset);
            let fits = (u64::from(disklabel::RELOC_BYTES)..=len).contains(&size);
            fits.then_some(Span { start, len })
        }
        RelocType::LILO_ADDRESS => (size == 5).then_some(Span { start, len: size }),
        RelocType::LILO_MAP => (size == 512).then_some(Span { start, len: size }),
        RelocType::LILO_CHECKSUM => {
            let table = start.get().checked_sub(lilo::TABLE_END).filter(|_| size == 2);
            table.map(|start| Span { start: Bytes(start), len: 1024 })
        }
        RelocType::SHORT_SECTOR => {
            let fits = offset == 0 && (1..SECTOR_BYTES).contains(&size);
            fits.then_some(Span { start, len: SECTOR_BYTES })
        }
        _ => return Ok(None),
    };
    span.map(Some).ok_or_else(fault)
}
