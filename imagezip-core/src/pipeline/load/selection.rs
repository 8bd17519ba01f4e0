//! Which chunks have to be loaded onto a target that may hold much of the image.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;

use super::entries::relocated;
use super::fill::{Free, gaps};
use super::{Base, LoadProgress};
use crate::device::ReadAt;
use crate::error::Result;
use crate::extent::ExtentSet;
use crate::ndz::{ChunkHeader, Headers, Image};
use crate::pipeline::check::{Finding, next_job};
use crate::sector::SectorRange;

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
    base: Base<'p>,
    /// The first entry that was not yet given out.
    next: usize,
    /// The first whose result isn't known.
    known: usize,
    headers: Headers<'p, 'a, D>,
    /// The chunks whose headers were read.
    seen: u32,
    /// There are no more.
    ended: bool,
    candidate: Option<Candidate>,
    ready: VecDeque<(u32, ExtentSet)>,
    /// Entries that differ and lie in several chunks.
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
    pub(super) fn new(image: &'p Image<'a, D>, base: Base<'p>, progress: &'p LoadProgress) -> Self {
        Self {
            base,
            next: 0,
            known: 0,
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
            let job = next_job(self.base.signature, self.next);
            if !job.is_empty() {
                self.next = job.end;
                return Ok(Some(Select::Compare(job)));
            }
            if self.known < self.next || self.ended {
                return Ok(None);
            }
            self.advance(free)?;
        }
    }

    /// Of the entries that differ and lie in several chunks, the next. When all chunks are loaded,
    /// the target must hold what it says.
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
            self.known = self.known.saturating_add(1);
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
        let (mut chunks, mut relocated) = (0_u32, false);
        loop {
            let Some(candidate) = &mut self.candidate else {
                if self.advance(free)? {
                    continue;
                }
                break;
            };
            if let Some(part) = candidate.covered.intersection(range) {
                chunks = chunks.saturating_add(1);
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
        if chunks > 1 && finding.is_some() && !relocated {
            self.joints.push_back(self.known);
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
        let wanted = candidate.held.difference(&candidate.there);
        LoadProgress::add(&self.progress.avoided, candidate.there.sector_count().to_bytes().get());
        if wanted.is_empty() {
            self.spared = self.spared.saturating_add(1);
            LoadProgress::add(&self.progress.chunks, 1);
        } else {
            self.ready.push_back((candidate.number, wanted));
        }
    }
}
