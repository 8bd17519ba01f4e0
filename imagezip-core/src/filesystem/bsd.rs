//! BSD slices: partitions, or whole disks, with a table of their own, the disklabel
//! (docs/format.md, "BSD disklabel").

use alloc::string::String;
use alloc::vec::Vec;

use super::look::Context;
use super::{Allocation, Examined, FilesystemKind, Part, RawReason, Verdict, examine_in};
use crate::device::{ReadAt, Window};
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Limit, Place, Result};
use crate::extent::ExtentSet;
use crate::partition::disklabel::{
    Disklabel, Entry, Flavour, LABEL_AREA, LABEL_SECTOR, RAW_PARTITION, letter,
};
use crate::partition::{Doubt, Guid, PartitionKind};
use crate::sector::{Bytes, SECTOR_BYTES, Sector, SectorRange};

/// What entries hold: nothing, swap space, or a file system that is found by its content. Others
/// may be of layers whose signature lies elsewhere, above a stale one.
const UNUSED: u8 = 0;
const SWAP: u8 = 1;
const UFS: u8 = 7;
const FAT: u8 = 8;
const EXT: u8 = 17;
const NTFS: u8 = 18;
const VINUM: u8 = 14;
const ZFS: u8 = 27;

/// The label in the first bytes of a device, if there is one.
fn label(head: &[u8]) -> Option<Disklabel<'_>> {
    let at = usize::try_from(LABEL_SECTOR.to_bytes().get()).ok()?;
    Disklabel::new(head.get(at..)?.get(..512)?).ok()
}

/// Whether there is a label.
pub(super) fn is_present(head: &[u8]) -> bool {
    label(head).is_some()
}

/// Whether labels mean something in a device that the context is about. Only some types of partitions
/// have them, and disks without a table of another kind.
pub(super) fn is_expected(context: Context) -> bool {
    !context.in_slice && context.kind.is_none_or(|kind| Flavour::of(kind).is_some())
}

/// Whether a file system at the start of the slice is that of one of its parts: both may begin at
/// the same place, the label being in the file system's boot area.
pub(super) fn begins_with_ufs(head: &[u8], context: Context) -> bool {
    let Some(label) = label(head) else { return false };
    let slice = Slice::new(&label, context);
    let parts = slice.claims(SectorRange::EMPTY).map(|claims| slice.parts(&claims));
    let at_start = |part: &Claim| part.range.start() == Sector::ZERO;
    parts.is_some_and(|parts| parts.iter().any(|part| part.entry.fstype == UFS && at_start(part)))
}

/// The sectors in use of the slice that fills `device`.
///
/// # Errors
/// `Corrupt(Disklabel)` if the label leaves in doubt where parts lie, `Incompatible` or `TooLarge` if
/// it counts in another way, and `Read` if the device fails.
pub(super) fn allocation(device: &dyn ReadAt, head: &[u8], context: Context) -> Result<Allocation> {
    let place = Place::Sector(LABEL_SECTOR);
    let corrupt = || ErrorKind::Corrupt(CorruptKind::Disklabel).at(place);
    let label = label(head).ok_or_else(corrupt)?;
    let slice = Slice::new(&label, context);
    let other_flavour = slice.flavour == Flavour::FreeBsd && label.has_upper_halves();
    let other_unit = u64::from(label.sector_bytes()) != SECTOR_BYTES;
    if !is_expected(context) || other_flavour || other_unit {
        return Err(ErrorKind::Incompatible(IncompatibleKind::Feature).at(place));
    }
    if slice.flavour == Flavour::OpenBsd && label.is_beyond_32_bits() {
        return Err(ErrorKind::TooLarge(Limit::Sector32).at(place));
    }
    let whole = device.sectors();
    if slice.is_ambiguous(whole) {
        return Err(corrupt());
    }
    let mut free = Vec::new();
    let mut parts = Vec::new();
    let claims = slice.claims(whole).ok_or_else(corrupt)?;
    for Claim { index, entry, range } in slice.parts(&claims) {
        let Some(inside) = range.intersection(whole) else { continue };
        let window = Window::new(device, inside).ok_or_else(corrupt)?;
        let examined = if inside != range {
            Examined::raw(&window, RawReason::Limits(Doubt::BeyondDisk))
        } else if claims.iter().any(|claim| claim.shares(index, range)) {
            Examined::raw(&window, RawReason::Limits(Doubt::Overlap))
        } else {
            slice.examine(&window, entry)?
        };
        let size = ErrorKind::Corrupt(CorruptKind::FileSystemSize);
        match &examined.verdict {
            // The label is not the one that the file system was made by.
            Verdict::Raw(RawReason::Damaged(error)) if error.kind == size => return Err(corrupt()),
            _ => {}
        }
        let part = examined.in_use.complement(window.sectors());
        free.extend(&part.absolute_from(inside.start()));
        parts.push(Part {
            name: String::from(letter(index)),
            size: inside.len(),
            in_use: examined.in_use.sector_count(),
            verdict: examined.verdict,
            notes: examined.notes,
            parts: examined.parts,
        });
    }
    let in_use = ExtentSet::from_unsorted(free).complement(whole);
    let in_use = in_use.union(&whole.intersection(LABEL_AREA).into_iter().collect());
    Ok(Allocation { parts, ..Allocation::new(in_use, FilesystemKind::BsdSlice, whole.len()) })
}

/// An entry and where on the slice it lies.
#[derive(Clone, Copy)]
struct Claim {
    index: usize,
    entry: Entry,
    range: SectorRange,
}

impl Claim {
    /// Whether it has sectors of `range`, which is that of entry `index`, and is another one.
    fn shares(&self, index: usize, range: SectorRange) -> bool {
        self.index != index && self.range.intersection(range).is_some()
    }
}

/// A label and where its slice is.
struct Slice<'a> {
    label: &'a Disklabel<'a>,
    flavour: Flavour,
    /// Where on the disk the slice begins.
    start: Sector,
    context: Context,
}

impl<'a> Slice<'a> {
    fn new(label: &'a Disklabel<'a>, context: Context) -> Self {
        let later = label.has_upper_halves();
        let likely = if later { Flavour::OpenBsd } else { Flavour::FreeBsd };
        let flavour = context.kind.and_then(Flavour::of).unwrap_or(likely);
        Self { label, flavour, start: context.start.unwrap_or(Sector::ZERO), context }
    }

    /// The entries in use with their places, but for 'c' and those that lie outside the slice;
    /// `None` if one can't be told.
    fn claims(&self, whole: SectorRange) -> Option<Vec<Claim>> {
        let absolute = self.label.is_absolute(self.flavour, self.start);
        let mut claims = Vec::new();
        for (index, entry) in self.label.entries().enumerate() {
            let range = self.label.range(self.flavour, self.start, entry);
            if index == RAW_PARTITION || entry.size == 0 {
                continue;
            }
            if self.flavour.is_inside(index) {
                claims.push(Claim { index, entry, range: range? });
            } else if let Some(range) = range.filter(|range| absolute && whole.contains(*range)) {
                // OpenBSD has more parts than eight, and lists the slices of others with them.
                claims.push(Claim { index, entry, range });
            }
        }
        Some(claims)
    }

    /// The claims that are parts, or 'c' if there is none and it is said to be a file system.
    fn parts(&self, claims: &[Claim]) -> Vec<Claim> {
        let is_part = |claim: &Claim| match claim.entry.fstype {
            UNUSED => false,
            UFS => true,
            _ => self.flavour.is_inside(claim.index),
        };
        let mut parts: Vec<Claim> = claims.iter().copied().filter(is_part).collect();
        if parts.is_empty() && self.flavour.is_inside(RAW_PARTITION) {
            let entry = self.label.entries().nth(RAW_PARTITION);
            let entry = entry.filter(|entry| entry.size > 0 && entry.fstype == UFS);
            parts.extend(entry.and_then(|entry| {
                let range = self.label.range(self.flavour, self.start, entry)?;
                Some(Claim { index: RAW_PARTITION, entry, range })
            }));
        }
        parts
    }

    /// Whether places may be counted from elsewhere: 'c' tells it, and where there is none, all may
    /// fit either way. A slice may also come without the disk around it, as if it began at 0.
    fn is_ambiguous(&self, whole: SectorRange) -> bool {
        let raw = self.label.entries().nth(RAW_PARTITION).filter(|raw| raw.size > 0);
        let is_disk = self.start == Sector::ZERO;
        if self.flavour == Flavour::OpenBsd {
            let fills = |raw: Entry| u64::from(raw.size) == whole.len().get();
            return is_disk && !raw.is_some_and(fills);
        }
        let absolute = self.label.is_absolute(self.flavour, self.start);
        if let Some(raw) = raw {
            let start = if absolute { self.start } else { Sector::ZERO };
            return Sector::from_u32(raw.offset) != start;
        }
        let end = |entry: Entry| u64::from(entry.offset).saturating_add(entry.size.into());
        let mut entries = self.label.inside(self.flavour);
        is_disk || absolute && entries.all(|(_, entry)| end(entry) <= whole.end().get())
    }

    fn examine(&self, window: &Window<'_, dyn ReadAt + '_>, entry: Entry) -> Result<Examined> {
        let kind = match entry.fstype {
            SWAP => Some(PartitionKind::Gpt(Guid::FREEBSD_SWAP)),
            UFS | FAT | EXT | NTFS => None,
            VINUM => return Ok(Examined::raw(window, RawReason::Holds("vinum"))),
            ZFS => return Ok(Examined::raw(window, RawReason::Holds("ZFS"))),
            _ => return Ok(Examined::raw(window, RawReason::Unknown)),
        };
        let from = self.start.checked_add(window.range().start().since(Sector::ZERO));
        let start = self.context.start.and(from);
        let mut inside = self.context;
        (inside.kind, inside.start, inside.in_slice) = (kind, start, true);
        examine_in(window, inside)
    }
}

/// What the last sector of swap space may begin with, if its content is needed: metadata of a layer of FreeBSD, the header
/// of a crash dump that savecore has not fetched yet ("FreeBSD Kernel Dump", or "Text Dump"), and `OpenBSD`'s
/// `HIBERNATE_MAGIC`.
const SWAP_MARKS: [(&[u8], RawReason); 3] = [
    (b"GEOM::", RawReason::Holds("GEOM")),
    (b"FreeBSD ", RawReason::Holds("crash dump")),
    (&0x0b5d_0b5d_u32.to_le_bytes(), RawReason::Hibernated),
];

/// Why the content of swap space is needed, if it is.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn need_of_swap(device: &dyn ReadAt) -> Result<Option<RawReason>> {
    let Some(last) = device.sectors().len().get().checked_sub(1) else { return Ok(None) };
    let mut bytes = [0; 8];
    device.read_at(Bytes(last.saturating_mul(SECTOR_BYTES)), &mut bytes)?;
    let mark = SWAP_MARKS.into_iter().find(|(mark, _)| bytes.starts_with(mark));
    Ok(mark.map(|(_, reason)| reason))
}

#[cfg(test)]
mod tests;
