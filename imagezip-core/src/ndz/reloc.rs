//! Relocations: what a reader adjusts when an image goes to another place on a disk
//! (docs/format.md, "Relocations").

use core::fmt;

use super::width::Width;
use crate::layout::Layout;
use crate::sector::{Bytes, SECTOR_BYTES, Sector, SectorCount, SectorRange};

/// What a relocation is about. Readers ignore the types that they don't know.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RelocType(pub u32);

impl RelocType {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// A FreeBSD disklabel.
    pub const FREEBSD_DISKLABEL: Self = Self(1);
    /// An OpenBSD disklabel.
    pub const OPENBSD_DISKLABEL: Self = Self(2);
    /// A sector address of LILO.
    pub const LILO_ADDRESS: Self = Self(3);
    /// A map sector of LILO.
    pub const LILO_MAP: Self = Self(4);
    /// The checksum of LILO's descriptor table.
    pub const LILO_CHECKSUM: Self = Self(5);
    /// The last sector of a file whose length is no multiple of 512.
    pub const SHORT_SECTOR: Self = Self(6);
    /// A GPT; known, but nothing is done about it.
    pub const GPT: Self = Self(7);
    /// Reserved: add the partition's offset.
    pub const ADD_OFFSET: Self = Self(100);
    /// Reserved: 16-bit checksum.
    pub const XOR16: Self = Self(101);
    /// Reserved: range of a 16-bit checksum.
    pub const XOR16_RANGE: Self = Self(102);

    const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::NONE => "none",
            Self::FREEBSD_DISKLABEL => "FreeBSD disklabel",
            Self::OPENBSD_DISKLABEL => "OpenBSD disklabel",
            Self::LILO_ADDRESS => "LILO sector address",
            Self::LILO_MAP => "LILO map sector",
            Self::LILO_CHECKSUM => "LILO checksum",
            Self::SHORT_SECTOR => "short sector",
            Self::GPT => "GPT",
            Self::ADD_OFFSET => "partition offset",
            Self::XOR16 => "16-bit checksum",
            Self::XOR16_RANGE => "16-bit checksum range",
            _ => return None,
        })
    }
}

impl fmt::Debug for RelocType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "type {}", self.0),
        }
    }
}

/// A relocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reloc {
    /// What it is about.
    pub kind: RelocType,
    /// The sector of the image that holds the first byte concerned.
    pub sector: Sector,
    /// Where in that sector the byte is: below 512.
    pub offset: u32,
    /// The number of bytes.
    pub size: u32,
}

impl Reloc {
    /// How far before a [`RelocType::LILO_CHECKSUM`] its table begins.
    const LILO_TABLE: u64 = 990;

    /// The sectors that a reader needs at once to apply the relocation.
    ///
    /// No relocation that means anything concerns more than 512 bytes; of one that claims to, this
    /// is the first sector.
    pub fn sectors(&self) -> SectorRange {
        let offset = u64::from(self.offset);
        let start = Bytes(self.sector.to_bytes().get().saturating_add(offset));
        let back = if self.kind == RelocType::LILO_CHECKSUM { Self::LILO_TABLE } else { 0 };
        let size = u64::from(self.size).clamp(1, SECTOR_BYTES);
        let last = Bytes(start.get().saturating_add(size).saturating_sub(1));
        let first = Bytes(start.get().saturating_sub(back));
        let sector_of = |at: Bytes| Sector::ZERO.saturating_add(at.whole_sectors());
        let whole = u64::from(self.size) <= SECTOR_BYTES;
        let last = if whole { sector_of(last) } else { sector_of(start) };
        let end = last.saturating_add(SectorCount::from_u32(1));
        SectorRange::new(sector_of(first), end).unwrap_or(SectorRange::EMPTY)
    }
}

/// The relocations of a chunk in order.
#[derive(Clone)]
pub struct Relocs<'a> {
    entries: core::slice::ChunksExact<'a, u8>,
    width: Width,
}

impl<'a> Relocs<'a> {
    /// The relocations whose entries `table` holds.
    pub(super) fn new(table: &'a [u8], width: Width) -> Self {
        Self { entries: table.chunks_exact(width.reloc_bytes()), width }
    }
}

/// Ends early at an entry that no [`Reloc`] can express; a header with such an entry is refused.
impl Iterator for Relocs<'_> {
    type Item = Reloc;

    fn next(&mut self) -> Option<Reloc> {
        let entry = self.entries.next()?;
        match self.width {
            Width::Bits32 => Layout::new(entry).map(narrow),
            Width::Bits64 => Layout::new(entry).and_then(wide),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }
}

impl ExactSizeIterator for Relocs<'_> {}

fn narrow(entry: Layout<'_, 16>) -> Reloc {
    Reloc {
        kind: RelocType(entry.u32::<0>()),
        sector: Sector::from_u32(entry.u32::<4>()),
        offset: entry.u32::<8>(),
        size: entry.u32::<12>(),
    }
}

/// The fields stand in another order than in the narrow form.
fn wide(entry: Layout<'_, 24>) -> Option<Reloc> {
    Some(Reloc {
        kind: RelocType(entry.u32::<0>()),
        offset: entry.u32::<4>(),
        sector: Sector::new(entry.u64::<8>())?,
        size: u32::try_from(entry.u64::<16>()).ok()?,
    })
}
