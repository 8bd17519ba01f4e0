//! What lies inside a layer: a device that is made of parts of the one below.

use alloc::vec::Vec;

use super::look::Context;
use super::verdict::RawReason;
use super::{Examined, content, examine_in};
use crate::device::ReadAt;
use crate::error::{Error, ErrorKind, Place, Result};
use crate::extent::ExtentSet;
use crate::partition::{self, LogicalSectorSize};
use crate::sector::{Bytes, SectorCount, SectorRange};

/// The most layers that are looked into: LVM in RAID is two.
const MAX_DEPTH: u8 = 4;

/// Examines a device that a layer shows, in which `outer` is known.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn examine(device: &dyn ReadAt, outer: Context) -> Result<Examined> {
    let Some(context) = outer.inside().filter(|context| context.depth <= MAX_DEPTH) else {
        return Ok(Examined::raw(device, RawReason::Holds("more layers than are looked into")));
    };
    // A virtual machine's disk may have traces of an earlier file system between its first sector
    // and its first partition.
    match partition::read(device, LogicalSectorSize::B512) {
        Ok(None) => examine_in(device, context),
        Err(error @ Error { kind: ErrorKind::Read(_) | ErrorKind::Write(_), .. }) => Err(error),
        Ok(Some(_)) | Err(_) => Ok(Examined::raw(device, RawReason::Holds("a partition table"))),
    }
}

/// Parts of a device, one after the other, as a device of their own.
pub(super) struct Mapped<'a> {
    device: &'a dyn ReadAt,
    size: SectorCount,
    content: content::Content,
}

impl<'a> Mapped<'a> {
    /// The device of these sectors, in this order.
    pub(super) fn new(device: &'a dyn ReadAt, ranges: &[SectorRange]) -> Self {
        let mut size = SectorCount::ZERO;
        let mut pieces = Vec::new();
        for range in ranges {
            pieces.push(content::Piece {
                at: size.to_bytes().get(),
                position: range.start().to_bytes(),
                len: range.len().to_bytes().get(),
            });
            size = size.saturating_add(range.len());
        }
        Self { device, size, content: content::Content::new(size.to_bytes().get(), pieces) }
    }

    /// Where on the device below the sectors of `set` lie.
    pub(super) fn places_of(&self, set: &ExtentSet) -> Vec<SectorRange> {
        let mut places = Vec::new();
        for piece in self.content.pieces() {
            let sector = |bytes: Bytes| bytes.whole_sectors();
            let start = SectorRange::first(sector(Bytes(piece.at))).end();
            let base = SectorRange::first(sector(piece.position)).end();
            if let Some(range) = SectorRange::with_len(start, sector(Bytes(piece.len))) {
                let inside = set.within(range).filter_map(|part| part.relative_to(start));
                places.extend(inside.filter_map(|part| part.absolute_from(base)));
            }
        }
        places
    }
}

impl ReadAt for Mapped<'_> {
    fn size(&self) -> Bytes {
        self.size.to_bytes()
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        let len = buf.len();
        if self.content.read(self.device, offset.get(), buf)? == len {
            Ok(())
        } else {
            Err(ErrorKind::Truncated.at(Place::Byte(offset)))
        }
    }

    fn gap(&self) -> Bytes {
        self.device.gap()
    }
}
