//! Which chunks have to be loaded onto a target that may hold much of the image.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;

use super::entries::relocated;
use super::fill::{Free, gaps};
use super::{Known, LoadProgress};
use crate::device::ReadAt;
use crate::error::Result;
use crate::extent::ExtentSet;
use crate::ndz::{ChunkHeader, Headers, Image};
use crate::pipeline::check::{Finding, next_job};
use crate::sector::{SECTOR_BYTES, SectorRange};

/// What is to be done next.
pub(super) enum Select {
    /// These entries are compared with the target.
    Compare(Range<usize>),
    /// These sectors of a chunk are loaded.
    Load(u32, ExtentSet),
}

/// Compares entries in order, and says which chunks are loaded as soon as that is known. Chunks are
/// found by their sectors, whatever numbers the signature has.
pub(super) struct Selection<'p, 'a, D: ?Sized> {
    known: Known<'p>,
    /// The first entry that was not yet given out.
    next: usize,
    /// The first whose result isn't there.
    pending: usize,
    headers: Headers<'p, 'a, D>,
    /// The chunks whose headers were read.
    seen: u32,
    /// There are no more.
    ended: bool,
    candidate: Option<Candidate>,
    ready: VecDeque<(u32, ExtentSet)>,
    /// Entries that differ and are not of one chunk's data alone.
    joints: VecDeque<usize>,
    /// The chunks of which nothing has to be loaded.
    spared: u64,
    progress: &'p LoadProgress,
}

/// The chunk that the next results are about.
struct Candidate {
    number: u32,
    covered: SectorRange,
    held: ExtentSet,
    relocated: ExtentSet,
    gaps: Vec<SectorRange>,
    /// What the target holds.
    there: ExtentSet,
}

impl Candidate {
    fn new(number: u32, header: &ChunkHeader<'_>) -> Self {
        Self {
            number,
            covered: header.covered(),
            held: header.regions().collect(),
            relocated: relocated(header),
            gaps: gaps(header).collect(),
            there: ExtentSet::new(),
        }
    }

    fn is_relocated(&self, range: SectorRange) -> bool {
        self.relocated.within(range).next().is_some()
    }
}

impl<'p, 'a, D: ReadAt + ?Sized> Selection<'p, 'a, D> {
    /// All entries have to be in the image.
    pub(super) fn new(
        image: &'p Image<'a, D>,
        known: Known<'p>,
        progress: &'p LoadProgress,
    ) -> Self {
        Self {
            known,
            next: 0,
            pending: 0,
            headers: image.each_header(),
            seen: 0,
            ended: false,
            candidate: None,
            ready: VecDeque::new(),
            joints: VecDeque::new(),
            spared: 0,
            progress,
        }
    }

    /// What is next; `None` if that depends on results that aren't there, or nothing is left. The
    /// gaps of chunks that have been decided are added to `free`.
    pub(super) fn next(&mut self, free: &mut Free<'_>) -> Result<Option<Select>> {
        loop {
            if let Some((number, wanted)) = self.ready.pop_front() {
                return Ok(Some(Select::Load(number, wanted)));
            }
            let job = next_job(self.known.signature, self.next);
            if !job.is_empty() {
                self.next = job.end;
                if self.known.compares {
                    return Ok(Some(Select::Compare(job)));
                }
                let signature = self.known.signature;
                let entries = job.filter_map(|index| signature.get(index));
                let results: Vec<_> =
                    entries.map(|entry| (entry.range, Some(Finding::Differs))).collect();
                self.take(&results, free)?;
                continue;
            }
            if self.pending < self.next || self.ended {
                return Ok(None);
            }
            self.advance(free)?;
        }
    }

    /// Of the entries that differ and are not of one chunk's data alone, the next. When all chunks
    /// are loaded, the target must hold what it says.
    pub(super) fn next_joint(&mut self) -> Option<usize> {
        self.joints.pop_front()
    }

    pub(super) fn has_joints(&self) -> bool {
        !self.joints.is_empty()
    }

    /// Whether every chunk has been given out or spared.
    pub(super) fn is_done(&self) -> bool {
        self.ended && self.ready.is_empty()
    }

    /// The chunks of which nothing had to be loaded.
    pub(super) const fn spared(&self) -> u64 {
        self.spared
    }

    /// Takes in the results of entries, which come in order.
    pub(super) fn take(
        &mut self,
        results: &[(SectorRange, Option<Finding>)],
        free: &mut Free<'_>,
    ) -> Result<()> {
        for (range, finding) in results {
            self.take_one(*range, *finding, free)?;
            self.pending = self.pending.saturating_add(1);
        }
        Ok(())
    }

    /// Takes in what was found of the sectors of the next entry.
    fn take_one(
        &mut self,
        range: SectorRange,
        finding: Option<Finding>,
        free: &mut Free<'_>,
    ) -> Result<()> {
        // Of an entry about relocated sectors nothing is known, whatever it says.
        let (mut of_one_chunk, mut relocated) = (false, false);
        loop {
            let Some(candidate) = &mut self.candidate else {
                if self.advance(free)? {
                    continue;
                }
                break;
            };
            if let Some(part) = candidate.covered.intersection(range) {
                of_one_chunk |= candidate.held.contains(range);
                if candidate.is_relocated(range) {
                    relocated = true;
                } else if finding.is_none() {
                    candidate.there.push(part);
                }
            }
            if candidate.covered.end() >= range.end() || !self.advance(free)? {
                break;
            }
        }
        relocated |= self.known.relocated.within(range).next().is_some();
        let whole = self.known.except.within(range).next().is_none();
        if finding.is_some() && whole && !of_one_chunk && !relocated {
            self.joints.push_back(self.pending);
        }
        Ok(())
    }

    /// Decides about the present chunk and goes on to the next; false if there is none.
    fn advance(&mut self, free: &mut Free<'_>) -> Result<bool> {
        if let Some(candidate) = self.candidate.take() {
            self.decide(&candidate, free);
        }
        let Some(header) = self.headers.next_header()? else {
            self.ended = true;
            return Ok(false);
        };
        self.candidate = Some(Candidate::new(self.seen, &header));
        self.seen = self.seen.saturating_add(1);
        Ok(true)
    }

    fn decide(&mut self, candidate: &Candidate, free: &mut Free<'_>) {
        candidate.gaps.iter().for_each(|gap| free.add_sectors(*gap));
        let except = self.known.except.within(candidate.covered).collect();
        let own = candidate.held.difference(&except);
        let wanted = own.difference(&candidate.there);
        let avoided = own.sector_count().get().saturating_sub(wanted.sector_count().get());
        LoadProgress::add(&self.progress.avoided, avoided.saturating_mul(SECTOR_BYTES));
        if wanted.is_empty() {
            self.spared = self.spared.saturating_add(1);
            LoadProgress::add(&self.progress.chunks, 1);
        } else {
            self.ready.push_back((candidate.number, wanted));
        }
    }
}
