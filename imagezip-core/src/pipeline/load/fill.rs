//! What becomes of the sectors that an image describes but doesn't hold
//! (docs/format.md, "Tiling").

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;
use core::ops::Range;

use super::{LoadProgress, Target};
use crate::device::{WriteAt, write_repeated};
use crate::error::Result;
use crate::extent::ExtentSet;
use crate::ndz::ChunkHeader;
use crate::sector::{Bytes, SECTOR_BYTES, Sector, SectorRange};

/// What becomes of free sectors. In a delta, sectors that didn't change count as free, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// They stay as they are.
    Keep,
    /// They become zeros.
    Zero,
    /// They are filled with this number, the low byte first.
    Pattern(u32),
    /// The device is told that nobody needs them.
    Discard,
}

/// What a stream has in place of free sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gaps {
    /// Zeros.
    Zero,
    /// This number, again and again, the low byte first.
    Pattern(u32),
    /// Nothing: the data of the image follow one another.
    Omit,
}

/// The length of a block of filling.
const BLOCK: usize = 64 * 1024;

/// A block of filling: the number again and again.
pub(super) fn block_of(pattern: u32) -> Vec<u8> {
    pattern.to_le_bytes().into_iter().cycle().take(BLOCK).collect()
}

/// Free space that is yet to be filled. Runs that touch become one, over the bounds of chunks, too:
/// what a device discards or zeroes in large units is not lost where chunks end.
pub(super) struct Free<'a> {
    fill: Fill,
    start: Sector,
    limit: Option<u64>,
    /// Bytes of the target, in the order in which they were added.
    runs: VecDeque<Range<u64>>,
    /// Sectors of the image that are not free.
    except: &'a ExtentSet,
    progress: &'a LoadProgress,
}

/// So many runs wait until all data are written.
const WAITING_MAX: usize = 64 * 1024;

/// The most runs that are filled at once.
const RUNS_MAX: usize = 64;

impl<'a> Free<'a> {
    /// Nothing yet. Nothing of `except`, sectors of the image, will be in it.
    pub(super) fn new(
        target: &Target<'_>,
        except: &'a ExtentSet,
        progress: &'a LoadProgress,
    ) -> Self {
        let limit = target.end().map(|end| end.to_bytes().get());
        Self {
            fill: target.fill,
            start: target.place.start,
            limit,
            runs: VecDeque::new(),
            except,
            progress,
        }
    }

    /// Adds what a chunk describes but doesn't hold: some sectors of its image.
    pub(super) fn add_sectors(&mut self, gap: SectorRange) {
        if let Some(gap) = gap.absolute_from(self.start) {
            self.add(gap.start().to_bytes(), gap.end().to_bytes());
        }
    }

    /// Adds bytes of the target, from the start of a sector on.
    pub(super) fn add(&mut self, from: Bytes, to: Bytes) {
        let except = self.except;
        let sector = |at: Bytes| Sector::ZERO.saturating_add(at.whole_sectors());
        let start = self.start.since(Sector::ZERO).to_bytes().get();
        let in_image = |at: Bytes| sector(Bytes(at.get().saturating_sub(start)));
        let last = to.checked_add(SECTOR_BYTES.saturating_sub(1)).unwrap_or(to);
        let range = SectorRange::new(in_image(from), in_image(last)).unwrap_or(SectorRange::EMPTY);
        let (mut at, first) = (from, self.start);
        for taken in except.within(range).filter_map(|taken| taken.absolute_from(first)) {
            self.add_run(at, taken.start().to_bytes());
            at = taken.end().to_bytes();
        }
        self.add_run(at, to);
    }

    fn add_run(&mut self, from: Bytes, to: Bytes) {
        let to = self.limit.map_or(to.get(), |limit| to.get().min(limit));
        let len = to.saturating_sub(from.get());
        if len == 0 {
            return;
        }
        match self.runs.back_mut() {
            _ if self.fill == Fill::Keep => LoadProgress::add(&self.progress.skipped, len),
            Some(last) if last.end == from.get() => last.end = to,
            _ => self.runs.push_back(from.get()..to),
        }
    }

    /// Brings the runs in order, for chunks that were not.
    pub(super) fn sort(&mut self) {
        if !self.runs.iter().is_sorted_by_key(|run| run.start) {
            let mut runs = mem::take(&mut self.runs);
            runs.make_contiguous().sort_unstable_by_key(|run| run.start);
            for run in runs {
                self.add_run(Bytes(run.start), Bytes(run.end));
            }
        }
    }

    /// The next runs to fill: if `all` data are written, of all that there are, else only if too
    /// many wait.
    pub(super) fn next(&mut self, all: bool) -> Option<Vec<Range<u64>>> {
        if !all && self.runs.len() <= WAITING_MAX {
            return None;
        }
        let mut next = Vec::new();
        let mut room = step(self.fill);
        while let Some(run) = self.runs.front_mut().filter(|_| room > 0 && next.len() < RUNS_MAX) {
            let bound = run.start.saturating_add(1).checked_next_multiple_of(step(self.fill));
            let end = bound.map_or(run.end, |bound| bound.min(run.end));
            room = room.saturating_sub(end.saturating_sub(run.start));
            next.push(run.start..end);
            run.start = end;
            if run.is_empty() {
                self.runs.pop_front();
            }
        }
        (!next.is_empty()).then_some(next)
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }
}

/// A device is never asked for more at once, so that progress can be seen and others can do the
/// rest. Calls begin at multiples of it, so that a device that works in large units is not made to
/// leave any out.
const fn step(fill: Fill) -> u64 {
    match fill {
        Fill::Keep | Fill::Discard => 1 << 30,
        Fill::Zero | Fill::Pattern(_) => 64 << 20,
    }
}

/// Fills free space.
pub(super) struct Filler<'a> {
    device: &'a dyn WriteAt,
    fill: Fill,
    block: Vec<u8>,
    progress: &'a LoadProgress,
}

impl<'a> Filler<'a> {
    pub(super) fn new(target: &Target<'a>, progress: &'a LoadProgress) -> Self {
        let block = match target.fill {
            Fill::Pattern(pattern) => block_of(pattern),
            Fill::Keep | Fill::Zero | Fill::Discard => vec![],
        };
        Self { device: target.device, fill: target.fill, block, progress }
    }

    /// Fills some bytes of the target.
    pub(super) fn fill(&self, run: &Range<u64>) -> Result<()> {
        let (at, len) = (Bytes(run.start), run.end.saturating_sub(run.start));
        let progress = self.progress;
        match self.fill {
            Fill::Keep => LoadProgress::add(&progress.skipped, len),
            Fill::Zero => {
                self.device.zero(at, len)?;
                LoadProgress::add(&progress.filled, len);
            }
            Fill::Pattern(_) => {
                write_repeated(self.device, at, len, &self.block)?;
                LoadProgress::add(&progress.filled, len);
            }
            Fill::Discard => {
                let gone = self.device.discard(at, len)?.min(len);
                LoadProgress::add(&progress.discarded, gone);
                LoadProgress::add(&progress.skipped, len.saturating_sub(gone));
            }
        }
        Ok(())
    }
}

/// What a chunk describes but doesn't hold.
pub(super) fn gaps<'h>(header: &ChunkHeader<'h>) -> impl Iterator<Item = SectorRange> + use<'h> {
    let covered = header.covered();
    let end = SectorRange::new(covered.end(), covered.end());
    let mut at = covered.start();
    header.regions().chain(end).filter_map(move |region| {
        let gap = SectorRange::new(at, region.start()).filter(|gap| !gap.is_empty());
        at = region.end();
        gap
    })
}
