//! What changes in a BSD disklabel when its slice moves (docs/format.md, "BSD disklabel").

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Placement;
use crate::error::{ErrorKind, Limit};
use crate::partition::disklabel::{
    CHECKSUM_AT, Disklabel, ENTRY_BYTES, Entry, Flavour, HEADER_BYTES, RAW_PARTITION, letter, xor,
};
use crate::sector::{Sector, SectorCount};

type Result<T> = core::result::Result<T, ErrorKind>;

/// What a relocation of a label names as its size: the label with eight entries.
pub(super) const RELOC_BYTES: u32 = 276;

/// The label for an image: places are counted from the start of the slice.
///
/// `None` for a label that is not adjusted when its slice moves: it counts from the start of the
/// slice as it is, or 'a' does not begin where the slice does.
pub(super) fn for_image(label: &Disklabel<'_>, flavour: Flavour, start: Sector) -> Option<Vec<u8>> {
    let first = label.entries().next().filter(|entry| entry.size > 0)?;
    if u64::from(first.offset) != start.get() || !label.is_absolute(flavour, start) {
        return None;
    }
    let base = u32::try_from(start.get()).ok()?;
    let moved = |entry: Entry| Entry { offset: entry.offset.saturating_sub(base), ..entry };
    Some(with_entries(label, label.inside(flavour).map(|(index, entry)| (index, moved(entry)))))
}

/// The label of an image as it is at `place`. Adds to `notes` what did not fit there.
pub(super) fn placed(
    label: &Disklabel<'_>,
    flavour: Flavour,
    place: Placement,
    notes: &mut Vec<String>,
) -> Result<Vec<u8>> {
    let mut entries = Vec::new();
    for (index, entry) in label.inside(flavour) {
        entries.push((index, placed_entry(index, entry, place, notes)?));
    }
    Ok(with_entries(label, entries))
}

/// The label with the places and sizes of some of its entries changed.
fn with_entries(
    label: &Disklabel<'_>,
    entries: impl IntoIterator<Item = (usize, Entry)>,
) -> Vec<u8> {
    let mut bytes = label.bytes().to_vec();
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

/// Entry `index` of an image's label as it is at `place`.
fn placed_entry(
    index: usize,
    entry: Entry,
    place: Placement,
    notes: &mut Vec<String>,
) -> Result<Entry> {
    let too_far = || ErrorKind::TooLarge(Limit::Sector32);
    let start = place.start.checked_add(SectorCount::from_u32(entry.offset)).ok_or_else(too_far)?;
    let offset = u32::try_from(start.get()).map_err(|_| too_far())?;
    let mut size = entry.size;
    if let Some(end) = place.end {
        let room = end.since(start).get();
        if u64::from(size) > room {
            size = u32::try_from(room).unwrap_or(size);
            let name = letter(index);
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

fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    if let Some(place) = bytes.get_mut(at..).and_then(|rest| rest.get_mut(..field.len())) {
        place.copy_from_slice(field);
    }
}
