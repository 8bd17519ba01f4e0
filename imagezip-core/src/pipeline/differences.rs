//! Where a device differs from the data of an image, byte by byte.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use super::blocks::byte_len;
use super::check::Finding;
use super::{Workers, ordered};
use crate::codec::Decompressor;
use crate::device::ReadAt;
use crate::error::{ErrorKind, Place, Result};
use crate::ndz::{ChunkBuffer, Image, Reloc, RelocType};
use crate::sector::{Bytes, SECTOR_BYTES, Sector, SectorCount, SectorRange};

/// The most differences that are kept for one chunk; beyond, the last one grows.
const DIFFERENCES_MAX: usize = 65_536;

/// How many bytes of a difference are kept to be shown.
pub const SAMPLE_BYTES: usize = 16;

/// Sectors one after another, counted from the start of the image, that are not as in the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The sectors.
    pub range: SectorRange,
    /// What is wrong with them.
    pub finding: Finding,
    /// The position in the image of the first byte that differs.
    pub first: Bytes,
    /// How many bytes differ, or are missing.
    pub bytes: u64,
    /// The image's bytes from `first` on, to the end of its sector at most.
    pub image: Sample,
    /// The device's bytes from `first` on; none if they are missing.
    pub device: Sample,
}

/// A few bytes to show.
pub type Sample = heapless::Vec<u8, SAMPLE_BYTES>;

/// How much differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// The sectors of the image.
    pub sectors: SectorCount,
    /// How many of them differ.
    pub differing: SectorCount,
    /// How many of them are not on the device.
    pub missing: SectorCount,
    /// How many bytes differ or are missing.
    pub bytes: u64,
}

impl Differences {
    /// Whether the device holds all of the image's data.
    pub fn is_match(&self) -> bool {
        self.differing == SectorCount::ZERO && self.missing == SectorCount::ZERO
    }

    fn add(&mut self, other: Self) {
        self.sectors = self.sectors.saturating_add(other.sectors);
        self.differing = self.differing.saturating_add(other.differing);
        self.missing = self.missing.saturating_add(other.missing);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// Compares the sectors of `device` from `base` on with the data of `image`, and gives the
/// differences to `each`, in order. The number of bytes compared is added to `done`.
///
/// Relocations are not applied: data that they concern may differ for good reason. Of a short
/// last sector only the bytes that count are compared.
///
/// # Errors
/// As [`Image::headers`], [`Image::chunk`], `Chunk::decode`; what the device reports, or `each`.
/// That the device is too short is no error.
pub fn differences<D: ReadAt + ?Sized>(
    workers: &dyn Workers,
    image: &Image<'_, D>,
    device: &dyn ReadAt,
    base: Sector,
    done: &AtomicU64,
    each: &mut (dyn FnMut(&Difference) -> Result<()> + Send),
) -> Result<Differences> {
    image.headers(&mut |_| Ok(()))?;
    let slots = (0..workers.count().saturating_mul(2)).map(|_| Slot::default()).collect();
    let mut numbers = 0..image.chunk_count();
    let mut all = Differences::default();
    ordered(
        workers,
        slots,
        || Ok(numbers.next()),
        |number, slot: &mut Slot| {
            slot.compare(image, device, base, number)?;
            done.fetch_add(slot.found.counts.sectors.to_bytes().get(), Ordering::Relaxed);
            Ok(())
        },
        |slot| {
            all.add(slot.found.counts);
            slot.found.differences.iter().try_for_each(&mut *each)
        },
    )?;
    Ok(all)
}

/// The buffers for one chunk and what came out.
#[derive(Default)]
struct Slot {
    buffer: ChunkBuffer,
    scratch: Decompressor,
    /// The device's bytes.
    bytes: Vec<u8>,
    found: Found,
}

impl Slot {
    fn compare<D: ReadAt + ?Sized>(
        &mut self,
        image: &Image<'_, D>,
        device: &dyn ReadAt,
        base: Sector,
        number: u32,
    ) -> Result<()> {
        let chunk = image.chunk(number, &mut self.buffer)?;
        let shorts: Vec<Reloc> =
            chunk.relocs().filter(|reloc| reloc.kind == RelocType::SHORT_SECTOR).collect();
        let there = device.sectors().end();
        self.found.clear();
        let (bytes, found) = (&mut self.bytes, &mut self.found);
        chunk.decode(&mut self.scratch, &mut |start, data| {
            let truncated = || ErrorKind::Truncated.at(Place::Sector(start));
            let len = Bytes(u64::try_from(data.len()).unwrap_or_default()).whole_sectors();
            let range = SectorRange::with_len(start, len).ok_or_else(truncated)?;
            let at = range.absolute_from(base).ok_or_else(truncated)?;
            let (present, _) = at.split_at(there);
            let (data, missing) = data.split_at_checked(byte_len(present)).ok_or_else(truncated)?;
            if bytes.len() < data.len() {
                bytes.resize(data.len(), 0);
            }
            let bytes = bytes.get_mut(..data.len()).ok_or_else(truncated)?;
            if !bytes.is_empty() {
                device.read_sectors(present.start(), bytes)?;
            }
            for short in &shorts {
                ignore_rest(*short, range.start(), data, bytes);
            }
            found.add_data(range.start(), data, bytes);
            let after = range.start().saturating_add(present.len());
            found.add_missing(SectorRange::new(after, range.end()).ok_or_else(truncated)?, missing);
            Ok(())
        })
    }
}

/// Makes the bytes of a short sector that don't count the same on both sides.
fn ignore_rest(short: Reloc, start: Sector, data: &[u8], bytes: &mut [u8]) {
    let Some(range) = SectorRange::new(start, short.sector) else { return };
    let counts = usize::try_from(short.offset.saturating_add(short.size)).unwrap_or(SECTOR);
    let from = byte_len(range);
    let rest = from.saturating_add(counts.min(SECTOR))..from.saturating_add(SECTOR);
    if let (Some(to), Some(from)) = (bytes.get_mut(rest.clone()), data.get(rest)) {
        to.copy_from_slice(from);
    }
}

/// What was found in one chunk.
#[derive(Default)]
struct Found {
    counts: Differences,
    differences: Vec<Difference>,
}

impl Found {
    fn clear(&mut self) {
        self.counts = Differences::default();
        self.differences.clear();
    }

    /// Compares sectors from `start` on.
    fn add_data(&mut self, start: Sector, image: &[u8], device: &[u8]) {
        let len = Bytes(u64::try_from(image.len()).unwrap_or_default()).whole_sectors();
        self.counts.sectors = self.counts.sectors.saturating_add(len);
        if image == device {
            return;
        }
        let mut sector = start;
        for (image, device) in image.chunks_exact(SECTOR).zip(device.chunks_exact(SECTOR)) {
            let next = sector.saturating_add(ONE);
            if image != device {
                let range = SectorRange::new(sector, next).unwrap_or(SectorRange::EMPTY);
                self.add_differing(range, image, device);
            }
            sector = next;
        }
    }

    fn add_differing(&mut self, range: SectorRange, image: &[u8], device: &[u8]) {
        let differ = || image.iter().zip(device).enumerate().filter(|(_, (a, b))| a != b);
        let at = differ().next().map_or(0, |(at, _)| at);
        let first = range.start().to_bytes().get();
        self.counts.differing = self.counts.differing.saturating_add(ONE);
        self.add(Difference {
            range,
            finding: Finding::Differs,
            first: Bytes(first.saturating_add(u64::try_from(at).unwrap_or_default())),
            bytes: u64::try_from(differ().count()).unwrap_or_default(),
            image: sample(image, at),
            device: sample(device, at),
        });
    }

    fn add_missing(&mut self, range: SectorRange, image: &[u8]) {
        if range.is_empty() {
            return;
        }
        self.counts.sectors = self.counts.sectors.saturating_add(range.len());
        self.counts.missing = self.counts.missing.saturating_add(range.len());
        self.add(Difference {
            range,
            finding: Finding::Missing,
            first: range.start().to_bytes(),
            bytes: range.len().to_bytes().get(),
            image: sample(image, 0),
            device: Sample::new(),
        });
    }

    /// Adds a difference, to the last one if they touch or if there are too many.
    fn add(&mut self, new: Difference) {
        self.counts.bytes = self.counts.bytes.saturating_add(new.bytes);
        let full = self.differences.len() >= DIFFERENCES_MAX;
        match self.differences.last_mut() {
            Some(last)
                if last.finding == new.finding
                    && (full || last.range.end() == new.range.start()) =>
            {
                let range = SectorRange::new(last.range.start(), new.range.end());
                last.range = range.unwrap_or(last.range);
                last.bytes = last.bytes.saturating_add(new.bytes);
            }
            _ => self.differences.push(new),
        }
    }
}

const ONE: SectorCount = SectorCount::from_u32(1);

/// The bytes of a sector.
#[expect(clippy::cast_possible_truncation, reason = "512 fits everywhere")]
const SECTOR: usize = SECTOR_BYTES as usize;

fn sample(bytes: &[u8], at: usize) -> Sample {
    bytes.iter().skip(at).take(SAMPLE_BYTES).copied().collect()
}
