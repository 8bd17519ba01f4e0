//! Relocations: what a reader adjusts when an image goes to another place on a disk
//! (docs/format.md, "Relocations").

use core::fmt;

use crate::layout::Layout;
use crate::sector::Sector;

/// The size of a relocation's entry.
pub(super) const RELOC_BYTES: usize = 16;

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

/// A relocation's entry as it is stored.
struct RelocEntry<'a>(Layout<'a, RELOC_BYTES>);

impl RelocEntry<'_> {
    fn reloc(&self) -> Reloc {
        Reloc {
            kind: RelocType(self.0.u32::<0>()),
            sector: Sector::from_u32(self.0.u32::<4>()),
            offset: self.0.u32::<8>(),
            size: self.0.u32::<12>(),
        }
    }
}

/// The relocations of a chunk in order.
#[derive(Clone)]
pub struct Relocs<'a>(core::slice::ChunksExact<'a, u8>);

impl<'a> Relocs<'a> {
    /// The relocations whose entries `table` holds.
    pub(super) fn new(table: &'a [u8]) -> Self {
        Self(table.chunks_exact(RELOC_BYTES))
    }
}

impl Iterator for Relocs<'_> {
    type Item = Reloc;

    fn next(&mut self) -> Option<Reloc> {
        let entry = Layout::new(self.0.next()?)?;
        Some(RelocEntry(entry).reloc())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Relocs<'_> {}
