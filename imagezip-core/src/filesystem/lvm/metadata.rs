//! Metadata areas: a header, and a ring of texts of which the header names the one that counts.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use super::{crc, wrong};
use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Limit, Result};
use crate::filesystem::checksum::agree;
use crate::layout::Layout;
use crate::sector::Bytes;

/// The size of the header; texts are in the ring behind it.
const HEADER: usize = 512;
const HEADER_BYTES: u64 = 512;

const MAGIC: &[u8; 16] = b" LVM2 x[5A%r0N*>";

/// The longest text that is read. What LVM writes about a logical volume takes about 400 bytes.
const MAX_TEXT: u64 = 8 << 20;

/// The mark of an area that is there, but not used.
const IGNORED: u32 = 1;

/// The header as it lies on the disk.
struct View<'a>(Layout<'a, HEADER>);

/// Where a text lies.
struct Location {
    /// Counted from the start of the area; 0 if there is none.
    offset: u64,
    len: u64,
    checksum: u32,
    flags: u32,
}

#[rustfmt::skip]
impl View<'_> {
    fn checksum(&self) -> u32 { self.0.u32::<0>() }
    fn magic(&self) -> [u8; 16] { self.0.array::<4, 16>() }
    fn version(&self) -> u32 { self.0.u32::<20>() }
    fn start(&self) -> u64 { self.0.u64::<24>() }
    fn size(&self) -> u64 { self.0.u64::<32>() }

    fn committed(&self) -> Location {
        Location {
            offset: self.0.u64::<40>(), len: self.0.u64::<48>(),
            checksum: self.0.u32::<56>(), flags: self.0.u32::<60>(),
        }
    }

    /// What is written before it counts.
    fn is_changing(&self) -> bool { self.0.u64::<64>() != 0 }
}

/// What a metadata area has.
pub(super) enum Area {
    /// The area is not used.
    Ignored,
    /// No text was written yet, or none any more.
    Empty,
    /// The text that counts.
    Text(Vec<u8>),
}

impl Area {
    /// Reads the area of `range`, in bytes.
    pub(super) fn read(device: &dyn ReadAt, range: &Range<u64>) -> Result<Self> {
        let at = range.start;
        let size = range.end.saturating_sub(at);
        let mut header = [0; HEADER];
        device.read_at(Bytes(at), &mut header)?;
        let view = View(Layout::from(&header));
        let (_, summed) = header.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
        if !agree(crc(&[summed]), view.checksum()) {
            return Err(wrong(CorruptKind::LvmChecksum, at));
        }
        if view.version() != 1 {
            return Err(ErrorKind::Incompatible(IncompatibleKind::Version).into());
        }
        if view.magic() != *MAGIC || view.start() != at || view.size() != size {
            return Err(wrong(CorruptKind::LvmMetadata, at));
        }
        let text = view.committed();
        if view.is_changing() || text.flags > IGNORED {
            return Err(ErrorKind::Incompatible(IncompatibleKind::LvmChange).into());
        }
        if text.flags == IGNORED {
            return Ok(Self::Ignored);
        }
        if text.offset == 0 {
            return Ok(Self::Empty);
        }
        if text.len > MAX_TEXT {
            return Err(ErrorKind::TooLarge(Limit::Metadata).into());
        }
        let bytes = read_ring(device, range, &text)?;
        if !agree(crc(&[&bytes]), text.checksum) {
            return Err(wrong(CorruptKind::LvmChecksum, at.saturating_add(text.offset)));
        }
        Ok(Self::Text(bytes))
    }
}

/// Reads a text, which goes on behind the header where it reaches the area's end.
fn read_ring(device: &dyn ReadAt, area: &Range<u64>, text: &Location) -> Result<Vec<u8>> {
    let damaged = || wrong(CorruptKind::LvmMetadata, area.start);
    let size = area.end.saturating_sub(area.start);
    let to_end = size.checked_sub(text.offset).ok_or_else(damaged)?;
    let behind = text.len.saturating_sub(to_end);
    let fits = behind.saturating_add(HEADER_BYTES) <= text.offset;
    if text.offset < HEADER_BYTES || text.len == 0 || !fits {
        return Err(damaged());
    }
    // Not before it's known to lie in the device is memory taken for it.
    if area.end > device.size().get() {
        return Err(damaged());
    }
    let mut bytes = vec![0; usize::try_from(text.len).map_err(|_| damaged())?];
    let first = usize::try_from(text.len.min(to_end)).map_err(|_| damaged())?;
    let (first, rest) = bytes.split_at_mut_checked(first).ok_or_else(damaged)?;
    device.read_at(Bytes(area.start.saturating_add(text.offset)), first)?;
    if !rest.is_empty() {
        device.read_at(Bytes(area.start.saturating_add(HEADER_BYTES)), rest)?;
    }
    Ok(bytes)
}
