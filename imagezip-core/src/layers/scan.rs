//! What the headers of all images say together.

use alloc::vec::Vec;

use super::AnyImage;
use crate::error::{Error, Place, Result};
use crate::extent::ExtentSet;
use crate::ndz::{CHUNK_BYTES, Reloc};
use crate::sector::{Sector, SectorCount, SectorRange};

/// One image among others.
pub(super) struct Layer<'a> {
    pub(super) image: AnyImage<'a>,
    /// The sectors that come from this image.
    pub(super) visible: ExtentSet,
    /// The end of the last region of each chunk.
    ends: Vec<Sector>,
}

impl Layer<'_> {
    /// The number of the chunk that holds `sector`, which the image holds.
    pub(super) fn chunk_of(&self, sector: Sector) -> u32 {
        let chunk = self.ends.partition_point(|end| *end <= sector);
        u32::try_from(chunk).unwrap_or(u32::MAX)
    }
}

/// All images, and what they make together.
pub(super) struct Scan<'a> {
    pub(super) stack: Vec<Layer<'a>>,
    pub(super) extents: ExtentSet,
    pub(super) relocs: Vec<Reloc>,
    pub(super) size: SectorCount,
    pub(super) cut_off: SectorCount,
}

/// Reads the headers of `images`, the lowest first.
pub(super) fn scan(images: Vec<AnyImage<'_>>) -> Result<Scan<'_>> {
    let mut held = Vec::with_capacity(images.len());
    for (number, image) in images.iter().enumerate() {
        held.push(Held::read(image).map_err(|error| in_layer(error, number))?);
    }
    let size = size_of(&held);
    let area = SectorRange::first(size);
    // From the top: what is covered comes from a layer above.
    let (mut stack, mut relocs, mut covered) = (Vec::new(), Vec::new(), ExtentSet::new());
    for (image, held) in images.into_iter().zip(held).rev() {
        let inside: ExtentSet = held.extents.within(area).collect();
        let visible = inside.difference(&covered);
        relocs.extend(held.relocs.into_iter().filter(|reloc| {
            let sector = SectorRange::with_len(reloc.sector, SectorCount::from_u32(1));
            sector.is_some_and(|sector| visible.contains(sector))
        }));
        covered = covered.union(&held.extents);
        stack.push(Layer { image, visible, ends: held.ends });
    }
    stack.reverse();
    // No two images have relocations for one sector, so this keeps each image's order.
    relocs.sort_by_key(|reloc| reloc.sector);
    let extents: ExtentSet = covered.within(area).collect();
    let cut_off = covered.sector_count().get().saturating_sub(extents.sector_count().get());
    let cut_off = SectorCount::new(cut_off).unwrap_or_default();
    Ok(Scan { stack, extents, relocs, size, cut_off })
}

/// What one image's headers say.
#[derive(Default)]
struct Held {
    extents: ExtentSet,
    ends: Vec<Sector>,
    relocs: Vec<Reloc>,
    /// The size of what the image was made of, if the image tells.
    size: Option<SectorCount>,
}

impl Held {
    fn read(image: &AnyImage<'_>) -> Result<Self> {
        let mut held = Self::default();
        image.headers(&mut |header| {
            held.extents.extend(header.regions());
            held.ends.push(held.extents.end().unwrap_or_default());
            held.relocs.extend(header.relocs());
            let end = header.covered().end().since(Sector::ZERO);
            held.size = header.version().has_bounds().then_some(end);
            Ok(())
        })?;
        Ok(held)
    }
}

/// The size that the topmost image with a size gives, but at least what the images above it
/// hold.
fn size_of(held: &[Held]) -> SectorCount {
    let mut size = SectorCount::ZERO;
    for held in held.iter().rev() {
        let end = held.extents.end().unwrap_or_default();
        let least = held.size.unwrap_or_else(|| end.since(Sector::ZERO));
        size = size.max(least);
        if held.size.is_some() {
            break;
        }
    }
    size
}

/// The place of a chunk of image `layer`.
pub(super) fn place(layer: usize, chunk: u64) -> Place {
    Place::Layer { layer: u32::try_from(layer).unwrap_or(u32::MAX), chunk }
}

/// An error of image `layer`, with the place among all images.
fn in_layer(error: Error, layer: usize) -> Error {
    let chunk_bytes = u64::try_from(CHUNK_BYTES).unwrap_or(u64::MAX);
    let chunk = match error.place {
        Place::Chunk(chunk) => Some(chunk),
        Place::Byte(at) => at.get().checked_div(chunk_bytes),
        _ => None,
    };
    Error { place: chunk.map_or(error.place, |chunk| place(layer, chunk)), ..error }
}
