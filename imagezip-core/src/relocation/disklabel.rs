//! BSD disklabels: the partition table inside a slice (docs/format.md, "BSD disklabel").

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Placement;
use crate::error::{CorruptKind, ErrorKind, Limit};
use crate::layout::Layout;
use crate::sector::{Sector, SectorCount};

type Result<T> = core::result::Result<T, ErrorKind>;

/// The sector of a slice that begins with the label.
pub const LABEL_SECTOR: Sector = Sector::from_u32(1);

/// What a relocation of a label names as its size: the label with eight entries.
pub(super) const RELOC_BYTES: u32 = 276;

const MAGIC: u32 = 0x8256_4557;
const HEADER_BYTES: usize = 148;
const ENTRY_BYTES: usize = 16;
const CHECKSUM_AT: usize = 136;

/// The entry that stands for all of the slice, or, on OpenBSD, all of the disk: 'c'.
const RAW_PARTITION: usize = 2;

/// Whose label it is. They differ in which entries belong to the slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// All entries lie in the slice.
    FreeBsd,
    /// Entry 'c' is the whole disk, and entries from 'i' on are the slices of others.
    OpenBsd,
}

impl Flavour {
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

    /// The entries in use that are parts of the slice, with their numbers.
    fn inside(&self, flavour: Flavour) -> impl Iterator<Item = (usize, Entry)> {
        let in_use =
            move |(index, entry): &(usize, Entry)| entry.size > 0 && flavour.is_inside(*index);
        self.entries().enumerate().filter(in_use)
    }

    /// The label for an image: places are counted from the start of the slice.
    ///
    /// `None` for a label that is not adjusted when its slice moves: it counts from the start of the
    /// slice as it is, or 'a' does not begin where the slice does.
    pub(super) fn for_image(&self, flavour: Flavour, start: Sector) -> Option<Vec<u8>> {
        let first = self.entries().next().filter(|entry| entry.size > 0)?;
        if u64::from(first.offset) != start.get() || !self.is_absolute(flavour, start) {
            return None;
        }
        let base = u32::try_from(start.get()).ok()?;
        let moved = |entry: Entry| Entry { offset: entry.offset.saturating_sub(base), ..entry };
        Some(self.with_entries(self.inside(flavour).map(|(index, entry)| (index, moved(entry)))))
    }

    /// The label of an image as it is at `place`. Adds to `notes` what did not fit there.
    pub(super) fn placed(
        &self,
        flavour: Flavour,
        place: Placement,
        notes: &mut Vec<String>,
    ) -> Result<Vec<u8>> {
        let mut entries = Vec::new();
        for (index, entry) in self.inside(flavour) {
            entries.push((index, placed(index, entry, place, notes)?));
        }
        Ok(self.with_entries(entries))
    }

    /// The label with the places and sizes of some of its entries changed.
    fn with_entries(&self, entries: impl IntoIterator<Item = (usize, Entry)>) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        for (index, entry) in entries {
            let at = index.saturating_mul(ENTRY_BYTES).saturating_add(HEADER_BYTES);
            put(&mut bytes, at, &entry.size.to_le_bytes());
            put(&mut bytes, at.saturating_add(4), &entry.offset.to_le_bytes());
        }
        put(&mut bytes, CHECKSUM_AT, &[0; 2]);
        let checksum = xor(&bytes);
        put(&mut bytes, CHECKSUM_AT, &checksum.to_le_bytes());
        bytes
    }

    /// The label's header.
    pub fn header(&self) -> &'a [u8] {
        self.header.as_bytes()
    }
}

/// Entry `index` of an image's label as it is at `place`.
fn placed(index: usize, entry: Entry, place: Placement, notes: &mut Vec<String>) -> Result<Entry> {
    let too_far = || ErrorKind::TooLarge(Limit::Sector32);
    let start = place.start.checked_add(SectorCount::from_u32(entry.offset)).ok_or_else(too_far)?;
    let offset = u32::try_from(start.get()).map_err(|_| too_far())?;
    let mut size = entry.size;
    if let Some(end) = place.end {
        let room = end.since(start).get();
        if u64::from(size) > room {
            size = u32::try_from(room).unwrap_or(size);
            let name = name(index);
            notes.push(format!(
                "disklabel: partition '{name}' does not fit, cut from {} to {size} sectors",
                entry.size
            ));
        } else if index == RAW_PARTITION && entry.offset == 0 {
            // 'c' of FreeBSD is the slice, however large it is here.
            size = u32::try_from(room).map_err(|_| too_far())?;
        }
    }
    Ok(Entry { size, offset, ..entry })
}

/// The letter that people call entry `index` by.
fn name(index: usize) -> char {
    u32::try_from(index)
        .ok()
        .and_then(|index| char::from_digit(index.saturating_add(10), 36))
        .unwrap_or('?')
}

/// The exclusive or of all 16-bit words: 0 over a label with its checksum.
fn xor(bytes: &[u8]) -> u16 {
    bytes.as_chunks().0.iter().fold(0, |sum, word| sum ^ u16::from_le_bytes(*word))
}

fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    if let Some(place) = bytes.get_mut(at..).and_then(|rest| rest.get_mut(..field.len())) {
        place.copy_from_slice(field);
    }
}
