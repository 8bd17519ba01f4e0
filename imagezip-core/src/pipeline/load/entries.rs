//! Whether a signature is that of an image, as far as can be seen.

use core::iter::Peekable;

use crate::digest::Hasher;
use crate::error::{CorruptKind, Error, ErrorKind, Place, Result};
use crate::extent::ExtentSet;
use crate::ndz::{ChunkHeader, RelocType};
use crate::sector::{Bytes, Sector, SectorRange};
use crate::signature::{Entry, Signature};

/// That something else was digested than these sectors of the image.
pub(crate) fn foreign(range: SectorRange) -> Error {
    ErrorKind::Corrupt(CorruptKind::SignatureForeign).at(Place::Sector(range.start()))
}

/// Checks that an image holds all sectors of a signature's entries. Takes the headers of all its
/// chunks, in order.
pub(super) struct Coverage<'s> {
    signature: &'s Signature,
    /// The first entry that was not yet found to be all in the image.
    next: usize,
    /// Regions that touch, up to the last that was seen.
    extent: SectorRange,
}

impl<'s> Coverage<'s> {
    pub(super) const fn new(signature: &'s Signature) -> Self {
        Self { signature, next: 0, extent: SectorRange::EMPTY }
    }

    pub(super) fn take(&mut self, header: &ChunkHeader<'_>) -> Result<()> {
        for region in header.regions() {
            let touches = region.start() == self.extent.end() && !self.extent.is_empty();
            let start = if touches { self.extent.start() } else { region.start() };
            self.extent = SectorRange::new(start, region.end()).unwrap_or(region);
            while let Some(Entry { range, .. }) = self.signature.get(self.next) {
                if range.start() < self.extent.start() {
                    return Err(foreign(range));
                }
                if range.end() > self.extent.end() {
                    break;
                }
                self.next = self.next.saturating_add(1);
            }
        }
        Ok(())
    }

    /// After all headers.
    pub(super) fn finish(&self) -> Result<()> {
        if let Some(entry) = self.signature.get(self.next) {
            return Err(foreign(entry.range));
        }
        // Only signatures of files that are no images have one.
        self.signature.remainder().map_or(Ok(()), |remainder| {
            Err(foreign(
                SectorRange::new(remainder.start(), remainder.start())
                    .unwrap_or(SectorRange::EMPTY),
            ))
        })
    }
}

/// The sectors of a chunk in which relocations have bytes.
pub(crate) fn relocated(header: &ChunkHeader<'_>) -> ExtentSet {
    let relocs = header.relocs().filter(|reloc| reloc.kind != RelocType::NONE);
    ExtentSet::from_unsorted(relocs.map(|reloc| reloc.sectors()).collect())
}

/// Compares the data of a chunk, as they are decompressed, with the entries that lie in it.
///
/// Entries about sectors with relocations are left out: who made the signature may have digested
/// them as they were on the disk.
pub(super) struct EntryCheck<I: Iterator<Item = Entry>> {
    entries: Peekable<I>,
    hasher: Option<Hasher>,
}

/// A check of the chunk with that header.
pub(super) fn entry_check<'h>(
    signature: &'h Signature,
    header: &ChunkHeader<'h>,
) -> EntryCheck<impl Iterator<Item = Entry> + use<'h>> {
    let relocated = relocated(header);
    let entries = header.regions().flat_map(move |region| {
        let inside = move |entry: &Entry| region.contains(entry.range);
        signature.entries_in(region).filter(inside)
    });
    let plain = move |entry: &Entry| relocated.within(entry.range).next().is_none();
    EntryCheck { entries: entries.filter(plain).peekable(), hasher: None }
}

impl<I: Iterator<Item = Entry>> EntryCheck<I> {
    /// Takes in the chunk's next data.
    ///
    /// # Errors
    /// `Corrupt(SignatureForeign)` at the sector where an entry begins that is of other data.
    pub(super) fn take(&mut self, start: Sector, mut data: &[u8]) -> Result<()> {
        let mut at = start;
        while !data.is_empty() {
            let Some(entry) = self.entries.peek() else { return Ok(()) };
            let Entry { range, digest, .. } = *entry;
            let inside = range.start() <= at;
            let (part, rest) = split(data, at, if inside { range.end() } else { range.start() });
            let len = u64::try_from(part.len()).unwrap_or_default();
            at = at.saturating_add(Bytes(len).whole_sectors());
            data = rest;
            if inside {
                let mut hasher =
                    self.hasher.take().unwrap_or_else(|| Hasher::new(digest.hash_type()));
                hasher.update(part);
                if at < range.end() {
                    self.hasher = Some(hasher);
                } else if hasher.finish() == digest {
                    self.entries.next();
                } else {
                    return Err(foreign(range));
                }
            }
        }
        Ok(())
    }
}

/// Splits data that begin at `start` where sector `at` begins.
fn split(data: &[u8], start: Sector, at: Sector) -> (&[u8], &[u8]) {
    let len = usize::try_from(at.since(start).to_bytes().get()).unwrap_or(usize::MAX);
    data.split_at_checked(len).unwrap_or((data, &[]))
}
