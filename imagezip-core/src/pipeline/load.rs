//! Loading an image: chunks are decompressed on all CPUs and written where they belong.

mod entries;
mod feed;
mod fill;
mod held;
mod placed;
mod plan;
mod proof;
mod selection;
mod stream;
mod work;

#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use rustix_futex_sync::Mutex;

use super::{Workers, ordered};
use crate::device::{ReadAt, WriteAt};
use crate::error::Result;
use crate::extent::ExtentSet;
use crate::ndz::{ChunkHeader, Image};
use crate::relocation::Placement;
use crate::sector::{Bytes, Sector};
use crate::signature::Signature;

pub use feed::{Arrival, Fit, Order};
pub use fill::{Fill, Gaps};
pub use stream::stream;

use entries::Coverage;
pub(crate) use entries::{foreign, relocated};
use feed::{Bounds, Feed};
pub(super) use placed::PlacedDecoder;
use plan::Plan;
use work::{Done, Worker};

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
    /// The same device, to read back from it all that is written, while the load goes on. It must
    /// not read from memory what the device itself doesn't have yet. What it doesn't have and reads
    /// as zeros once the load is done has to be read as zeros.
    pub read_back: Option<&'a dyn ReadAt>,
}

/// What a target holds before an image is loaded on it.
#[derive(Clone, Copy)]
pub struct Base<'a> {
    /// The image's signature. Sectors that it doesn't cover are loaded.
    pub signature: &'a Signature,
    /// The target's device, to read from it.
    pub device: &'a dyn ReadAt,
}

/// What is known of an image before it is loaded, and which of its sectors are wanted.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    /// What the target holds in the end. Its entries may also be about sectors of other images on
    /// the same target.
    pub(super) signature: &'a Signature,
    /// The target's device, to read from it.
    pub(super) device: &'a dyn ReadAt,
    /// Whether the target may hold some of it already, so that comparing pays.
    pub(super) compares: bool,
    /// Sectors that come from another image: they are neither written nor filled.
    pub(super) except: &'a ExtentSet,
    /// Sectors of other images on the target in which relocations have bytes.
    pub(super) relocated: &'a ExtentSet,
}

/// No sectors.
pub(super) static NOTHING: ExtentSet = ExtentSet::new();

impl<'a> From<Base<'a>> for Known<'a> {
    fn from(base: Base<'a>) -> Self {
        let Base { signature, device } = base;
        Self { signature, device, compares: true, except: &NOTHING, relocated: &NOTHING }
    }
}

impl<'a> Target<'a> {
    /// A target of which only the sectors in the image are written, if all that the image
    /// describes fits it.
    pub const fn new(device: &'a dyn WriteAt, place: Placement) -> Self {
        let (fill, fit, order) = (Fill::Keep, Fit::All, Order::Ascending);
        Self { device, place, fill, fill_to: None, fit, order, read_back: None }
    }

    fn bounds(&self) -> Bounds {
        Bounds { place: self.place, limit: self.end(), fit: self.fit }
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
    /// Chunks that are loaded, or needn't be.
    pub chunks: AtomicU64,
    /// Chunks whose data were read.
    pub chunks_read: AtomicU64,
    /// Read from the target and compared with the signature.
    pub compared: AtomicU64,
    /// Data that were there, and not written.
    pub avoided: AtomicU64,
    /// Written, read back and found right.
    pub verified: AtomicU64,
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
    /// Nothing is done yet.
    pub const fn new() -> Self {
        Self {
            chunks: AtomicU64::new(0),
            chunks_read: AtomicU64::new(0),
            compared: AtomicU64::new(0),
            avoided: AtomicU64::new(0),
            verified: AtomicU64::new(0),
            written: AtomicU64::new(0),
            filled: AtomicU64::new(0),
            discarded: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
        }
    }

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
    /// Takes in what another image on the same target came to.
    pub(super) fn merge(&mut self, other: &Self) {
        self.chunks = self.chunks.saturating_add(other.chunks);
        self.end = self.end.max(other.end);
        self.note(&other.notes);
    }

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
/// end, if that is beyond the target's end; `Write` if the target fails;
/// `Corrupt(TargetNotAsWritten)` at a sector of the target if it doesn't give back what was
/// written, and what reading it reports. After an error of a later chunk, others have been written.
pub fn load<D: ReadAt + ?Sized>(
    workers: &dyn Workers,
    image: &Image<'_, D>,
    arrival: Arrival<'_>,
    target: Target<'_>,
    progress: &LoadProgress,
) -> Result<Loaded> {
    let feed = Feed::new(image, arrival, target.bounds(), &mut |_| Ok(()))?;
    run(workers, image, feed, None, target, progress)
}

/// Makes a target what [`load`] would make it, but writes only what the target doesn't hold: it is
/// compared with the image's signature, and only the chunks are read that have sectors that differ
/// or that the signature doesn't cover. Chunks with relocations are always read. Their order is
/// ascending.
///
/// That the target holds what the signature says is taken for what the image holds: a chunk that
/// isn't read can't contradict it. The data of those that are read have to agree with the entries
/// about them before anything of the chunk is written; an entry that goes on in another chunk is
/// compared once more with the target after both were written.
///
/// # Errors
/// As [`load`]; what `base` reports; `Corrupt(SignatureForeign)` at a sector of the image if the
/// signature has sectors that the image doesn't hold (before anything is written), or other data.
pub fn converge<D: ReadAt + ?Sized>(
    workers: &dyn Workers,
    image: &Image<'_, D>,
    base: Base<'_>,
    target: Target<'_>,
    progress: &LoadProgress,
) -> Result<Loaded> {
    let mut coverage = Coverage::new(base.signature);
    let also = &mut |header: &ChunkHeader<'_>| coverage.take(header);
    let feed = Feed::new(image, Arrival::Complete, target.bounds(), also)?;
    coverage.finish()?;
    run(workers, image, feed, Some(base.into()), target, progress)
}

/// As [`converge`], where who calls it has made sure that the signature's entries are about
/// sectors of images on the target.
pub(super) fn load_known<D: ReadAt + ?Sized>(
    workers: &dyn Workers,
    image: &Image<'_, D>,
    known: Known<'_>,
    target: Target<'_>,
    progress: &LoadProgress,
) -> Result<Loaded> {
    let feed = Feed::new(image, Arrival::Complete, target.bounds(), &mut |_| Ok(()))?;
    run(workers, image, feed, Some(known), target, progress)
}

/// Checks the headers of all chunks, and whether the image fits the target.
pub(super) fn check_fit<D: ReadAt + ?Sized>(
    image: &Image<'_, D>,
    target: &Target<'_>,
) -> Result<()> {
    Feed::new(image, Arrival::Complete, target.bounds(), &mut |_| Ok(())).map(drop)
}

fn run<D: ReadAt + ?Sized>(
    workers: &dyn Workers,
    image: &Image<'_, D>,
    mut feed: Feed<'_, '_, D>,
    known: Option<Known<'_>>,
    target: Target<'_>,
    progress: &LoadProgress,
) -> Result<Loaded> {
    let slots = slot_count(workers, feed.arrival());
    feed.reorder(target.order);
    let plan = Mutex::new(Plan::new(image, feed, known, &target, progress));
    let worker = Worker::new(image, known, &target, progress);
    // What results ask for may come when nothing else is left, so there are several rounds.
    while plan.lock().begins_round() {
        ordered(
            workers,
            (0..slots).map(|_| Done::Nothing).collect(),
            || plan.lock().next(),
            |job, done| {
                *done = worker.work(job)?;
                Ok(())
            },
            |done| plan.lock().take(core::mem::replace(done, Done::Nothing)),
        )?;
    }
    Ok(plan.into_inner().finish())
}

/// How many jobs may be under way. They hold no more than results, so that those that are ready
/// early need not wait for one that takes long; but of an image that is still arriving, only a few
/// chunks can be read.
fn slot_count(workers: &dyn Workers, arrival: Arrival<'_>) -> usize {
    let few = workers.count().saturating_mul(2);
    match arrival {
        Arrival::Complete => few.saturating_add(64),
        Arrival::InOrder(_) => few,
    }
}
