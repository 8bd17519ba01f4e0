//! Images as a stream of bytes in ascending order, for what can't be written at any position.

use alloc::vec::Vec;

use super::feed::Bounds;
use super::fill::block_of;
use super::held::Held;
use super::{Arrival, Feed, Fit, Gaps, LoadProgress, Loaded, PlacedDecoder};
use crate::codec::Decompressor;
use crate::device::ReadAt;
use crate::error::Result;
use crate::ndz::{ChunkBuffer, Image};
use crate::pipeline::{Workers, ordered};
use crate::relocation::Placement;
use crate::sector::Bytes;

/// Gives all that `image` is to `out`, in ascending order from its first sector to its end, with
/// `gaps` where it holds nothing.
///
/// A file of a length that is no multiple of 512 ends with its last byte.
///
/// # Errors
/// As [`load`](super::load), or the error of `out`.
pub fn stream<D: ReadAt + ?Sized>(
    workers: &dyn Workers,
    image: &Image<'_, D>,
    arrival: Arrival<'_>,
    gaps: Gaps,
    out: &mut (dyn FnMut(&[u8]) -> Result<()> + Send),
    progress: &LoadProgress,
) -> Result<Loaded> {
    let place = Placement::default();
    let mut feed =
        Feed::new(image, arrival, Bounds { place, limit: None, fit: Fit::All }, &mut |_| Ok(()))?;
    let slots = (0..workers.count().saturating_mul(2)).map(|_| Slot::new(place)).collect();
    let mut line = Line { at: 0, gaps, block: gap_block(gaps), out, progress };
    let mut loaded = Loaded::default();
    ordered(
        workers,
        slots,
        || feed.next(),
        |number, slot: &mut Slot| slot.decode(image, number),
        |slot| {
            slot.put(image, &mut |at, data| line.put(at, data))?;
            loaded.chunks = loaded.chunks.saturating_add(1);
            loaded.note(slot.decoder.notes());
            loaded.end = loaded.end.max(slot.decoder.short_end().unwrap_or_default());
            LoadProgress::add(&progress.chunks, 1);
            Ok(())
        },
    )?;
    loaded.end = feed.exact_end(loaded.end);
    line.skip_to(loaded.end)?;
    Ok(loaded)
}

/// What fills the gaps; empty if nothing does.
fn gap_block(gaps: Gaps) -> Vec<u8> {
    match gaps {
        Gaps::Zero => block_of(0),
        Gaps::Pattern(pattern) => block_of(pattern),
        Gaps::Omit => Vec::new(),
    }
}

/// Bytes in ascending order.
struct Line<'a> {
    /// The position after the last byte that came.
    at: u64,
    gaps: Gaps,
    block: Vec<u8>,
    out: &'a mut (dyn FnMut(&[u8]) -> Result<()> + Send),
    progress: &'a LoadProgress,
}

impl Line<'_> {
    fn put(&mut self, at: Bytes, data: &[u8]) -> Result<()> {
        self.skip_to(at)?;
        (self.out)(data)?;
        self.at = at.get().saturating_add(u64::try_from(data.len()).unwrap_or_default());
        self.progress.add_written(data);
        Ok(())
    }

    /// Fills up to `to`.
    fn skip_to(&mut self, to: Bytes) -> Result<()> {
        while self.at < to.get() {
            let left = to.get().saturating_sub(self.at);
            if self.gaps == Gaps::Omit {
                LoadProgress::add(&self.progress.skipped, left);
                self.at = to.get();
                break;
            }
            let part = usize::try_from(left).ok().and_then(|left| self.block.get(..left));
            let part = part.unwrap_or(&self.block);
            (self.out)(part)?;
            let len = u64::try_from(part.len()).unwrap_or_default();
            LoadProgress::add(&self.progress.filled, len);
            self.at = self.at.saturating_add(len);
        }
        Ok(())
    }
}

/// One chunk with its data, until it is their turn.
struct Slot {
    number: u32,
    buffer: ChunkBuffer,
    scratch: Decompressor,
    decoder: PlacedDecoder,
    held: Held,
    /// Whether all of the chunk's data are held.
    complete: bool,
}

impl Slot {
    fn new(place: Placement) -> Self {
        Self {
            number: 0,
            buffer: ChunkBuffer::new(),
            scratch: Decompressor::new(),
            decoder: PlacedDecoder::new(place),
            held: Held::default(),
            complete: false,
        }
    }

    /// Decompresses a chunk, if its data may be held.
    fn decode<D: ReadAt + ?Sized>(&mut self, image: &Image<'_, D>, number: u32) -> Result<()> {
        self.number = number;
        self.held.clear();
        let chunk = image.chunk(number, &mut self.buffer)?;
        self.complete = Held::has_room(chunk.header());
        if !self.complete {
            return Ok(());
        }
        let held = &mut self.held;
        self.decoder.decode(&chunk, &mut self.scratch, &mut |at, data| {
            held.push(at, data);
            Ok(())
        })
    }

    /// Gives the chunk's data to `sink`.
    fn put<D: ReadAt + ?Sized>(
        &mut self,
        image: &Image<'_, D>,
        sink: &mut dyn FnMut(Bytes, &[u8]) -> Result<()>,
    ) -> Result<()> {
        if !self.complete {
            let chunk = image.chunk(self.number, &mut self.buffer)?;
            return self.decoder.decode(&chunk, &mut self.scratch, sink);
        }
        self.held.give(sink)
    }
}
