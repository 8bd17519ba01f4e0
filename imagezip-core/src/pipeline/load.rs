//! Loading an image: chunks are decompressed on all CPUs and written where they belong.

mod feed;
mod fill;
mod placed;
mod stream;

#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use super::{Workers, ordered};
use crate::codec::Decompressor;
use crate::device::{ReadAt, WriteAt};
use crate::error::Result;
use crate::ndz::{ChunkBuffer, Image};
use crate::relocation::Placement;
use crate::sector::{Bytes, Sector};

pub use feed::{Arrival, Fit, Order};
pub use fill::{Fill, Gaps};
pub use stream::stream;

use feed::Feed;
use fill::Filler;
pub(super) use placed::PlacedDecoder;

/// Where an image goes, and how.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// What it is written to.
    pub device: &'a dyn WriteAt,
    /// Where on it.
    pub place: Placement,
    /// What becomes of the sectors that the image describes but doesn't hold.
    pub fill: Fill,
    /// Up to which byte of the device the fill goes on after the image's end; `None` to end there.
    ///
    /// Version 1 doesn't describe what lies before, between and after its chunks: that is not
    /// filled.
    pub fill_to: Option<Bytes>,
    /// What of the image must fit the target.
    pub fit: Fit,
    /// In which order the chunks are written, if all are there.
    pub order: Order,
}

impl<'a> Target<'a> {
    /// A target of which only the sectors in the image are written, if all that the image
    /// describes fits it.
    pub const fn new(device: &'a dyn WriteAt, place: Placement) -> Self {
        let (fill, fit, order) = (Fill::Keep, Fit::All, Order::Ascending);
        Self { device, place, fill, fill_to: None, fit, order }
    }

    /// The sector of the target where it ends for the image.
    fn end(&self) -> Option<Sector> {
        let device = self.device.end().and_then(|end| Sector::new(end.whole_sectors().get()));
        match (device, self.place.end) {
            (Some(device), Some(place)) => Some(device.min(place)),
            (device, place) => device.or(place),
        }
    }
}

/// How far a load is; read by others while it runs. In bytes of the target, but for `chunks`.
#[derive(Debug, Default)]
pub struct LoadProgress {
    /// Chunks that are loaded.
    pub chunks: AtomicU64,
    /// Data written.
    pub written: AtomicU64,
    /// Written to fill free sectors.
    pub filled: AtomicU64,
    /// Free, and discarded.
    pub discarded: AtomicU64,
    /// Free, and left as it was.
    pub skipped: AtomicU64,
}

impl LoadProgress {
    fn add(counter: &AtomicU64, bytes: u64) {
        counter.fetch_add(bytes, Ordering::Relaxed);
    }

    fn add_written(&self, data: &[u8]) {
        Self::add(&self.written, u64::try_from(data.len()).unwrap_or_default());
    }
}

/// What a load has found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The number of chunks.
    pub chunks: u64,
    /// The byte of the target where the image ends. A file of a length that is no multiple of 512
    /// ends with its last byte.
    pub end: Bytes,
    /// For people: what relocations could not keep as it was. A bounded number of lines.
    pub notes: Vec<String>,
}

/// The most lines in [`Loaded::notes`].
const NOTES_MAX: usize = 100;

impl Loaded {
    fn note(&mut self, notes: &[String]) {
        for note in notes {
            if self.notes.len() < NOTES_MAX && !self.notes.contains(note) {
                self.notes.push(note.clone());
            }
        }
    }
}

/// Writes all that `image` holds to its target.
///
/// If the whole image is there (`Arrival::Complete`), the headers of all its chunks are checked,
/// and whether it fits, before anything is written; else those of each chunk.
///
/// # Errors
/// Those of reading images; `TooLarge(Target)` at the sector of the target where the image would
/// end, if that is beyond the target's end; `Write` if the target fails. After an error of a later
/// chunk, others have been written.
pub fn load<D: ReadAt + ?Sized>(
    workers: &dyn Workers,
    image: &Image<'_, D>,
    arrival: Arrival<'_>,
    target: Target<'_>,
    progress: &LoadProgress,
) -> Result<Loaded> {
    let mut feed = Feed::new(image, arrival, target.place, target.end(), target.fit)?;
    feed.reorder(target.order);
    let filler = Filler::new(&target, progress);
    let slots = (0..workers.count().saturating_mul(2)).map(|_| Slot::new(target.place)).collect();
    let mut loaded = Loaded::default();
    ordered(
        workers,
        slots,
        || feed.next(),
        |number, slot: &mut Slot| slot.load(image, number, &target, &filler, progress),
        |slot| {
            loaded.chunks = loaded.chunks.saturating_add(1);
            loaded.note(slot.decoder.notes());
            loaded.end = loaded.end.max(slot.decoder.short_end().unwrap_or_default());
            LoadProgress::add(&progress.chunks, 1);
            Ok(())
        },
    )?;
    loaded.end = feed.exact_end(loaded.end);
    filler.fill_rest(feed.end())?;
    Ok(loaded)
}

/// The buffers for one chunk.
struct Slot {
    buffer: ChunkBuffer,
    scratch: Decompressor,
    decoder: PlacedDecoder,
}

impl Slot {
    fn new(place: Placement) -> Self {
        let (buffer, scratch) = (ChunkBuffer::new(), Decompressor::new());
        Self { buffer, scratch, decoder: PlacedDecoder::new(place) }
    }

    fn load<D: ReadAt + ?Sized>(
        &mut self,
        image: &Image<'_, D>,
        number: u32,
        target: &Target<'_>,
        filler: &Filler<'_>,
        progress: &LoadProgress,
    ) -> Result<()> {
        let chunk = image.chunk(number, &mut self.buffer)?;
        self.decoder.decode(&chunk, &mut self.scratch, &mut |at, data| {
            target.device.write_at(at, data)?;
            progress.add_written(data);
            Ok(())
        })?;
        filler.fill_gaps(chunk.header())
    }
}
