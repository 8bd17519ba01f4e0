//! BSD disklabels: the partition table inside a slice (docs/format.md, "BSD disklabel").

use super::{Guid, MbrType, PartitionKind};
use crate::error::{CorruptKind, ErrorKind};
use crate::layout::Layout;
use crate::sector::{Sector, SectorCount, SectorRange};

type Result<T> = core::result::Result<T, ErrorKind>;

/// The sector of a slice that begins with the label.
pub const LABEL_SECTOR: Sector = Sector::from_u32(1);

/// The start of a slice with its label, by which its parts are found: it is saved even if the
/// part that begins there is not.
pub(crate) const LABEL_AREA: SectorRange = SectorRange::first(SectorCount::from_u32(16));

const MAGIC: u32 = 0x8256_4557;
pub(crate) const HEADER_BYTES: usize = 148;
pub(crate) const ENTRY_BYTES: usize = 16;
pub(crate) const CHECKSUM_AT: usize = 136;

/// The entry that stands for all of the slice, or, on OpenBSD, all of the disk: 'c'.
pub(crate) const RAW_PARTITION: usize = 2;

/// Whose label it is. They differ in which entries belong to the slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// All entries lie in the slice.
    FreeBsd,
    /// Entry 'c' is the whole disk, and entries from 'i' on are the slices of others.
    OpenBsd,
}

impl Flavour {
    /// Whose label a partition of that type begins with, if any.
    pub fn of(kind: PartitionKind) -> Option<Self> {
        match kind {
            PartitionKind::Mbr(MbrType::FREEBSD) | PartitionKind::Gpt(Guid::FREEBSD_DISKLABEL) => {
                Some(Self::FreeBsd)
            }
            PartitionKind::Mbr(MbrType::OPENBSD) | PartitionKind::Gpt(Guid::OPENBSD) => {
                Some(Self::OpenBsd)
            }
            _ => None,
        }
    }

    /// Whether entry `index` is a part of the slice.
    pub fn is_inside(self, index: usize) -> bool {
        match self {
            Self::FreeBsd => true,
            Self::OpenBsd => index != RAW_PARTITION && !(8..16).contains(&index),
        }
    }
}

/// A label that is what it says: its magic numbers and its checksum are right, and its entries
/// lie in the sector.
#[derive(Clone, Copy)]
pub struct Disklabel<'a> {
    header: Layout<'a, HEADER_BYTES>,
    /// Header and entries, and nothing after them.
    bytes: &'a [u8],
}

/// An entry of a label. Its place is counted as the label does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The number of sectors; 0 in an entry that is not in use.
    pub size: u32,
    /// The first sector, counted from the start of the disk or of the slice
    /// ([`Disklabel::is_absolute`]).
    pub offset: u32,
    /// What it holds: 0 nothing that is known, 1 swap, 7 a UFS file system.
    pub fstype: u8,
}

impl<'a> Disklabel<'a> {
    /// The label with which `sector` begins.
    ///
    /// # Errors
    /// `Corrupt(Disklabel)` if there is none, or it has more entries than fit;
    /// `Corrupt(DisklabelChecksum)`.
    pub fn new(sector: &'a [u8]) -> Result<Self> {
        let none = || ErrorKind::Corrupt(CorruptKind::Disklabel);
        let header = Layout::new(sector).ok_or_else(none)?;
        if header.u32::<0>() != MAGIC || header.u32::<132>() != MAGIC {
            return Err(none());
        }
        let entries = usize::from(header.u16::<138>()).saturating_mul(ENTRY_BYTES);
        let bytes = sector.get(..HEADER_BYTES.saturating_add(entries)).ok_or_else(none)?;
        if xor(bytes) != 0 {
            return Err(ErrorKind::Corrupt(CorruptKind::DisklabelChecksum));
        }
        Ok(Self { header, bytes })
    }

    /// All entries; entry 0 is 'a'.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + use<'a> {
        let entries = self.bytes.get(HEADER_BYTES..).unwrap_or_default();
        entries.chunks_exact(ENTRY_BYTES).filter_map(Layout::<ENTRY_BYTES>::new).map(|entry| {
            Entry { size: entry.u32::<0>(), offset: entry.u32::<4>(), fstype: entry.u8::<12>() }
        })
    }

    /// Whether places are counted from the start of the disk, not of the slice, which begins at
    /// sector `start`: no entry of the slice begins before it.
    pub fn is_absolute(&self, flavour: Flavour, start: Sector) -> bool {
        self.inside(flavour).all(|(_, entry)| u64::from(entry.offset) >= start.get())
    }

    /// Where on the slice, which begins at sector `start` of the disk, an entry lies; `None` if it
    /// begins before that. It may end beyond the slice.
    pub fn range(&self, flavour: Flavour, start: Sector, entry: Entry) -> Option<SectorRange> {
        let base = if self.is_absolute(flavour, start) { start } else { Sector::ZERO };
        let from = Sector::from_u32(entry.offset).checked_sub(base.since(Sector::ZERO))?;
        SectorRange::with_len(from, SectorCount::from_u32(entry.size))
    }

    /// The entries in use that are parts of the slice, with their numbers.
    pub(crate) fn inside(&self, flavour: Flavour) -> impl Iterator<Item = (usize, Entry)> {
        let in_use =
            move |(index, entry): &(usize, Entry)| entry.size > 0 && flavour.is_inside(*index);
        self.entries().enumerate().filter(in_use)
    }

    /// The label's header.
    pub fn header(&self) -> &'a [u8] {
        self.header.as_bytes()
    }

    /// The bytes in a sector, as the label counts them.
    pub(crate) fn sector_bytes(&self) -> u32 {
        self.header.u32::<40>()
    }

    /// Whether it is of a later version, in which sizes and places have upper halves. `OpenBSD`
    /// has no other since 2007, and nobody else has any.
    pub(crate) fn has_upper_halves(&self) -> bool {
        self.header.u16::<114>() > 0
    }

    /// Whether there are upper halves, and some entry's is not zero.
    pub(crate) fn is_beyond_32_bits(&self) -> bool {
        let entries = self.bytes.get(HEADER_BYTES..).unwrap_or_default();
        let mut entries = entries.chunks_exact(ENTRY_BYTES).filter_map(Layout::<ENTRY_BYTES>::new);
        self.has_upper_halves() && entries.any(|entry| entry.u32::<8>() != 0)
    }

    /// Header and entries, and nothing after them.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// The letter that people call entry `index` by.
pub(crate) fn letter(index: usize) -> char {
    u32::try_from(index)
        .ok()
        .and_then(|index| char::from_digit(index.saturating_add(10), 36))
        .unwrap_or('?')
}

/// The exclusive or of all 16-bit words: 0 over a label with its checksum.
pub(crate) fn xor(bytes: &[u8]) -> u16 {
    bytes.as_chunks().0.iter().fold(0, |sum, word| sum ^ u16::from_le_bytes(*word))
}
