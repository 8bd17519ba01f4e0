//! A base image and the deltas on top of it as one device (docs/format.md, "Chain").
//!
//! Each sector comes from the topmost image that holds it; sectors that no image holds read as
//! zeros. Chunks are decoded when they are read, and memory stays bounded, however far a chunk
//! expands: see [`Layers::new`].

mod cache;
mod kept;
mod open;
mod scan;

#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{ErrorKind, Place, Result};
use crate::extent::ExtentSet;
use crate::ndz::{Image, Reloc};
use crate::sector::{Bytes, SECTOR_BYTES, Sector, SectorCount, SectorRange};
use cache::{Cache, Key};
use scan::{Layer, Scan};

/// An image as it can be laid on others, whatever its file is.
pub type AnyImage<'a> = Image<'a, dyn ReadAt + 'a>;

/// Images on top of each other as one device.
pub struct Layers<'a> {
    stack: Vec<Layer<'a>>,
    extents: ExtentSet,
    relocs: Vec<Reloc>,
    size: SectorCount,
    cut_off: SectorCount,
    cache: Cache,
}

impl<'a> Layers<'a> {
    /// The device that `images` make, the base image first. Reads and checks all headers.
    ///
    /// About `open_chunks` chunks are kept open at a time, and one for each thread that reads if
    /// those are more. Two for each thread and one for each image let no thread wait for nothing.
    /// An open chunk takes 1 MiB, and its data, of which the last 32 MiB are kept. Reading back
    /// further than that decodes the chunk again from its start.
    ///
    /// # Errors
    /// As [`Image::headers`], in place [`Place::Layer`].
    pub fn new(images: Vec<AnyImage<'a>>, open_chunks: usize) -> Result<Self> {
        let Scan { stack, extents, relocs, size, cut_off } = scan::scan(images)?;
        Ok(Self { stack, extents, relocs, size, cut_off, cache: Cache::new(open_chunks) })
    }

    /// The number of images.
    pub fn image_count(&self) -> usize {
        self.stack.len()
    }

    /// Image `number`; the base is image 0.
    pub fn image(&self, number: usize) -> Option<&AnyImage<'a>> {
        self.stack.get(number).map(|layer| &layer.image)
    }

    /// The sectors that any image holds.
    pub fn extents(&self) -> &ExtentSet {
        &self.extents
    }

    /// The sectors that come from image `number`: those of its own that no image above it holds.
    pub fn visible(&self, number: usize) -> Option<&ExtentSet> {
        self.stack.get(number).map(|layer| &layer.visible)
    }

    /// The size: what the topmost image says that says one. An empty image doesn't, nor does
    /// one of version 1; those only have to fit.
    pub fn sectors(&self) -> SectorCount {
        self.size
    }

    /// How many sectors some image holds beyond the end that an image above it gave the device.
    /// They are not part of it.
    pub fn cut_off(&self) -> SectorCount {
        self.cut_off
    }

    /// The relocations that come with the sectors, ascending by sector: those of each image whose
    /// (first) sector comes from that image.
    pub fn relocs(&self) -> &[Reloc] {
        &self.relocs
    }

    /// All data that were decoded so far: more than the images hold if some had to be decoded
    /// again.
    pub fn decoded(&self) -> Bytes {
        self.cache.decoded()
    }

    /// Reads what `layer`, image `number`, holds from byte `at` on.
    fn read_layer(
        &self,
        number: usize,
        layer: &Layer<'a>,
        mut at: Bytes,
        mut buf: &mut [u8],
    ) -> Result<()> {
        while !buf.is_empty() {
            let chunk = layer.chunk_of(sector_of(at));
            let key = Key { layer: number, chunk };
            let place = scan::place(number, u64::from(chunk));
            let read = self.cache.with(key, &layer.image, |open| open.read(at, buf));
            let read = read.map_err(|error| error.kind.at(place))?;
            let len = u64::try_from(read).ok().filter(|len| *len > 0);
            let next = len.and_then(|len| at.checked_add(len));
            at = next.ok_or_else(|| ErrorKind::Truncated.at(place))?;
            buf = buf.get_mut(read..).unwrap_or_default();
        }
        Ok(())
    }
}

impl ReadAt for Layers<'_> {
    fn size(&self) -> Bytes {
        self.size.to_bytes()
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        let truncated = || ErrorKind::Truncated.at(Place::Byte(offset));
        let len = u64::try_from(buf.len()).map_err(|_| truncated())?;
        let end = offset.checked_add(len).filter(|end| *end <= self.size());
        let end = end.ok_or_else(truncated)?;
        let touched = touched(offset, end);
        if !self.extents.contains(touched) {
            buf.fill(0);
        }
        for (number, layer) in self.stack.iter().enumerate() {
            for held in layer.visible.within(touched) {
                let from = held.start().to_bytes().max(offset);
                let to = held.end().to_bytes().min(end);
                let part = part_of(buf, offset, from, to).ok_or_else(truncated)?;
                self.read_layer(number, layer, from, part)?;
            }
        }
        Ok(())
    }
}

/// The sector that byte `at` lies in.
fn sector_of(at: Bytes) -> Sector {
    SectorRange::first(at.whole_sectors()).end()
}

/// All sectors that the bytes from `start` to `end` touch.
fn touched(start: Bytes, end: Bytes) -> SectorRange {
    let past = end.checked_add(SECTOR_BYTES.saturating_sub(1)).unwrap_or(end);
    SectorRange::new(sector_of(start), sector_of(past)).unwrap_or(SectorRange::EMPTY)
}

/// The bytes from `from` to `to` of a buffer that begins at `offset`.
fn part_of(buf: &mut [u8], offset: Bytes, from: Bytes, to: Bytes) -> Option<&mut [u8]> {
    let index = |at: Bytes| usize::try_from(at.get().checked_sub(offset.get())?).ok();
    buf.get_mut(index(from)?..index(to)?)
}
