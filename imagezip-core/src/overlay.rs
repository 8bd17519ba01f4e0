//! Devices that read as another device with some changes.
//!
//! What an image must hold is not always what is on the disk: addresses are counted from the
//! partition's start, small free ranges are zeros. With the changes in the device, everything that
//! reads it, to digest or to compress, reads the same.

use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{ErrorKind, Place, Result};
use crate::extent::ExtentSet;
use crate::sector::{Bytes, SECTOR_BYTES, Sector, SectorRange};

/// Bytes that replace those of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// The position of the first.
    pub at: Bytes,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Patch {
    /// A patch that counts from sector `base`, counted from sector 0.
    #[must_use]
    pub fn absolute_from(self, base: Sector) -> Self {
        let at = Bytes(self.at.get().saturating_add(base.to_bytes().get()));
        Self { at, bytes: self.bytes }
    }

    /// The position after the last byte.
    fn end(&self) -> u64 {
        self.at.get().saturating_add(u64::try_from(self.bytes.len()).unwrap_or(u64::MAX))
    }
}

/// A device with patches, and sectors that read as zeros.
///
/// Where both concern the same bytes the patch counts.
pub struct Overlay<'a> {
    device: &'a dyn ReadAt,
    patches: Vec<Patch>,
    zeroed: ExtentSet,
}

impl<'a> Overlay<'a> {
    /// `device` with `patches`, in any order, and with zeros in the sectors of `zeroed`.
    ///
    /// Patches should not overlap: one that does ends where the next one begins.
    pub fn new(device: &'a dyn ReadAt, mut patches: Vec<Patch>, zeroed: ExtentSet) -> Self {
        patches.sort_by_key(|patch| patch.at);
        let mut next = u64::MAX;
        for patch in patches.iter_mut().rev() {
            let room = next.saturating_sub(patch.at.get());
            patch.bytes.truncate(usize::try_from(room).unwrap_or(usize::MAX));
            next = patch.at.get();
        }
        Self { device, patches, zeroed }
    }

    /// The patches that end after position `start`. Found by bisection.
    fn ending_after(&self, start: u64) -> &[Patch] {
        let first = self.patches.partition_point(|patch| patch.end() <= start);
        self.patches.get(first..).unwrap_or_default()
    }
}

impl ReadAt for Overlay<'_> {
    fn size(&self) -> Bytes {
        self.device.size()
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        self.device.read_at(offset, buf)?;
        let start = offset.get();
        let end = start.saturating_add(u64::try_from(buf.len()).unwrap_or(u64::MAX));
        for range in self.zeroed.within(sectors_of(start, end)) {
            let (from, to) = (range.start().to_bytes().get(), range.end().to_bytes().get());
            if let Some(part) = part_mut(buf, start, from.max(start), to.min(end)) {
                part.fill(0);
            }
        }
        for patch in self.ending_after(start).iter().take_while(|patch| patch.at.get() < end) {
            let (from, to) = (patch.at.get().max(start), patch.end().min(end));
            let skipped =
                usize::try_from(from.saturating_sub(patch.at.get())).unwrap_or(usize::MAX);
            let bytes = patch.bytes.get(skipped..).unwrap_or_default();
            if let Some(part) = part_mut(buf, start, from, to) {
                part.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            }
        }
        Ok(())
    }

    fn will_need(&self, offset: Bytes, len: u64) {
        self.device.will_need(offset, len);
    }

    fn gap(&self) -> Bytes {
        self.device.gap()
    }
}

/// The whole sectors around the bytes from `start` up to `end`.
fn sectors_of(start: u64, end: u64) -> SectorRange {
    let first = Sector::new(start.wrapping_div(SECTOR_BYTES));
    let last = Sector::new(end.div_ceil(SECTOR_BYTES)).unwrap_or(Sector::MAX);
    first.and_then(|first| SectorRange::new(first, last)).unwrap_or(SectorRange::EMPTY)
}

/// The bytes from position `from` up to `to` of a buffer that begins at position `start`; `None`
/// if there are none.
fn part_mut(buf: &mut [u8], start: u64, from: u64, to: u64) -> Option<&mut [u8]> {
    let len = usize::try_from(to.checked_sub(from)?).ok().filter(|len| *len > 0)?;
    let skip = usize::try_from(from.checked_sub(start)?).ok()?;
    buf.get_mut(skip..)?.get_mut(..len)
}

/// A file that is no whole number of sectors, with zeros up to the end of its last sector.
pub struct Padded<'a> {
    file: &'a dyn ReadAt,
}

impl<'a> Padded<'a> {
    /// `file`, completed with zeros.
    pub fn new(file: &'a dyn ReadAt) -> Self {
        Self { file }
    }

    /// The last sector and how many of its bytes are the file's; `None` if all sectors are whole.
    pub fn short(&self) -> Option<(Sector, Bytes)> {
        let size = self.file.size();
        let valid = size.get().wrapping_rem(SECTOR_BYTES);
        let sector = SectorRange::first(size.whole_sectors()).end();
        (valid > 0).then_some((sector, Bytes(valid)))
    }
}

impl ReadAt for Padded<'_> {
    fn size(&self) -> Bytes {
        let size = self.file.size().get();
        Bytes(size.checked_next_multiple_of(SECTOR_BYTES).unwrap_or(size))
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        let truncated = || ErrorKind::Truncated.at(Place::Byte(offset));
        let len = u64::try_from(buf.len()).map_err(|_| truncated())?;
        if offset.checked_add(len).is_none_or(|end| end > self.size()) {
            return Err(truncated());
        }
        let there = self.file.size().get().saturating_sub(offset.get());
        let there = usize::try_from(there).unwrap_or(usize::MAX);
        let (data, padding) = match buf.split_at_mut_checked(there) {
            Some(parts) => parts,
            None => (buf, [].as_mut_slice()),
        };
        padding.fill(0);
        if data.is_empty() { Ok(()) } else { self.file.read_at(offset, data) }
    }

    fn will_need(&self, offset: Bytes, len: u64) {
        self.file.will_need(offset, len);
    }

    fn gap(&self) -> Bytes {
        self.file.gap()
    }
}

#[cfg(test)]
mod tests;
