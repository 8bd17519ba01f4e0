//! Comparing an image with the place where it was loaded.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use super::load::PlacedDecoder;
use super::{Workers, ordered};
use crate::codec::Decompressor;
use crate::device::ReadAt;
use crate::digest::{Sha256, Sha256Hasher};
use crate::error::Result;
use crate::ndz::{ChunkBuffer, Image};
use crate::relocation::Placement;
use crate::sector::{Bytes, SECTOR_BYTES, Sector, SectorCount};

/// What comparing an image with a device has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// The bytes that were compared: all that the image holds.
    pub compared: Bytes,
    /// The number of sectors that differ.
    pub different: SectorCount,
    /// The first of them on the device.
    pub first: Option<Sector>,
}

impl Compared {
    /// Takes in some data of the image and what the device has in their place, which begins with
    /// a sector.
    fn add(&mut self, at: Bytes, image: &[u8], device: &[u8]) {
        let len = u64::try_from(image.len()).unwrap_or_default();
        self.compared = Bytes(self.compared.get().saturating_add(len));
        if image == device {
            return;
        }
        let start = Sector::ZERO.saturating_add(at.whole_sectors());
        let pairs = image.chunks(SECTOR).zip(device.chunks(SECTOR));
        for (sector, (left, right)) in (start.get()..).zip(pairs) {
            if left != right {
                self.different = self.different.saturating_add(SectorCount::from_u32(1));
                self.first = earlier(self.first, Sector::new(sector));
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.compared = Bytes(self.compared.get().saturating_add(other.compared.get()));
        self.different = self.different.saturating_add(other.different);
        self.first = earlier(self.first, other.first);
    }
}

/// The bytes of a sector.
#[expect(clippy::cast_possible_truncation, reason = "512 fits everywhere")]
const SECTOR: usize = SECTOR_BYTES as usize;

fn earlier(a: Option<Sector>, b: Option<Sector>) -> Option<Sector> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Compares all that `image`, which is not encrypted, holds with `device`, on which it was loaded at
/// `place`. What the image doesn't hold isn't looked at. `done` counts the bytes, for others to see.
/// Returns also the SHA-256 of the image's file, of the very bytes that were compared.
///
/// # Errors
/// Those of reading images; `Truncated` if the device ends before the image, `Read` if it fails.
pub fn compare_and_digest<D: ReadAt + ?Sized>(
    workers: &dyn Workers,
    image: &Image<'_, D>,
    device: &dyn ReadAt,
    place: Placement,
    done: &AtomicU64,
) -> Result<(Compared, Sha256)> {
    image.headers(&mut |_| Ok(()))?;
    let slots = (0..workers.count().saturating_mul(2)).map(|_| Slot::new(place)).collect();
    let mut numbers = 0..image.chunk_count();
    let mut all = Compared::default();
    let mut digest = Sha256Hasher::new();
    ordered(
        workers,
        slots,
        || Ok(numbers.next()),
        |number, slot: &mut Slot| slot.compare(image, number, device),
        |slot| {
            digest.update(slot.buffer.bytes());
            all.merge(&slot.found);
            done.store(all.compared.get(), Ordering::Relaxed);
            Ok(())
        },
    )?;
    Ok((all, digest.finish()))
}

/// The buffers for one chunk, and what was found in it.
struct Slot {
    buffer: ChunkBuffer,
    scratch: Decompressor,
    decoder: PlacedDecoder,
    there: Vec<u8>,
    found: Compared,
}

impl Slot {
    fn new(place: Placement) -> Self {
        Self {
            buffer: ChunkBuffer::new(),
            scratch: Decompressor::new(),
            decoder: PlacedDecoder::new(place),
            there: Vec::new(),
            found: Compared::default(),
        }
    }

    fn compare<D: ReadAt + ?Sized>(
        &mut self,
        image: &Image<'_, D>,
        number: u32,
        device: &dyn ReadAt,
    ) -> Result<()> {
        self.found = Compared::default();
        let (found, there) = (&mut self.found, &mut self.there);
        let chunk = image.whole_chunk(number, &mut self.buffer)?;
        self.decoder.decode(&chunk, &mut self.scratch, &mut |at, data| {
            there.resize(data.len(), 0);
            device.read_at(at, there)?;
            found.add(at, data, there);
            Ok(())
        })
    }
}
