//! What is done when, while an image is loaded.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;

use super::fill::{Fill, Free};
use super::proof::Written;
use super::selection::{Select, Selection};
use super::work::{Done, LoadedChunk};
use super::{Feed, Known, LoadProgress, Loaded, NOTHING, Target};
use crate::device::ReadAt;
use crate::error::Result;
use crate::extent::ExtentSet;
use crate::ndz::Image;
use crate::sector::Bytes;

/// So many bytes that were written may wait to be read back: the device should have them by then,
/// and they should not wait until everything is written.
const UNPROVEN_MAX: u64 = 64 << 20;

/// A unit of work.
pub(super) enum Job {
    /// A chunk is loaded: these sectors of it, or all.
    Load(u32, Option<ExtentSet>),
    /// Entries of the signature are compared with the target.
    Compare(Range<usize>),
    /// An entry of the signature has to agree with the target.
    Recheck(usize),
    /// What was written is read back.
    Prove(Written),
    /// Free space is filled.
    Fill(Vec<Range<u64>>),
}

/// Gives out jobs and takes in what comes of them.
pub(super) struct Plan<'p, 'a, D: ?Sized> {
    feed: Feed<'p, 'a, D>,
    /// Instead of all chunks.
    selection: Option<Selection<'p, 'a, D>>,
    begun: bool,
    /// All chunks are loaded.
    is_loaded: bool,
    rest: Option<Bytes>,
    free: Free<'p>,
    unproven: VecDeque<Written>,
    unproven_bytes: u64,
    loaded: Loaded,
    progress: &'p LoadProgress,
}

impl<'p, 'a, D: ReadAt + ?Sized> Plan<'p, 'a, D> {
    pub(super) fn new(
        image: &'p Image<'a, D>,
        feed: Feed<'p, 'a, D>,
        known: Option<Known<'p>>,
        target: &Target<'_>,
        progress: &'p LoadProgress,
    ) -> Self {
        Self {
            feed,
            selection: known.map(|known| Selection::new(image, known, progress)),
            begun: false,
            is_loaded: false,
            rest: target.fill_to.filter(|_| target.fill != Fill::Keep),
            free: Free::new(target, known.map_or(&NOTHING, |known| known.except), progress),
            unproven: VecDeque::new(),
            unproven_bytes: 0,
            loaded: Loaded::default(),
            progress,
        }
    }

    /// Whether there is anything to do. Called when no job is under way.
    pub(super) fn begins_round(&mut self) -> bool {
        if !self.begun {
            self.begun = true;
            return true;
        }
        if !self.selection.as_ref().is_none_or(Selection::is_done) {
            return true;
        }
        if !self.is_loaded {
            self.is_loaded = true;
            if let Some(end) = self.rest {
                self.free.add(self.feed.end(), end);
            }
            self.free.sort();
        }
        !self.unproven.is_empty()
            || !self.free.is_empty()
            || self.selection.as_ref().is_some_and(Selection::has_joints)
    }

    /// The next job; `None` if there is none, or none before others are done.
    pub(super) fn next(&mut self) -> Result<Option<Job>> {
        if self.unproven_bytes > UNPROVEN_MAX
            && let Some(job) = self.next_proof()
        {
            return Ok(Some(job));
        }
        if let Some(runs) = self.free.next(false) {
            return Ok(Some(Job::Fill(runs)));
        }
        if !self.is_loaded
            && let Some(job) = self.next_chunk()?
        {
            return Ok(Some(job));
        }
        if let Some(job) = self.next_proof() {
            return Ok(Some(job));
        }
        if !self.is_loaded {
            return Ok(None);
        }
        let joint = self.selection.as_mut().and_then(Selection::next_joint);
        Ok(joint.map(Job::Recheck).or_else(|| self.free.next(true).map(Job::Fill)))
    }

    fn next_chunk(&mut self) -> Result<Option<Job>> {
        match &mut self.selection {
            None => Ok(self.feed.next()?.map(|number| Job::Load(number, None))),
            Some(selection) => Ok(selection.next(&mut self.free)?.map(|select| match select {
                Select::Compare(entries) => Job::Compare(entries),
                Select::Load(number, wanted) => Job::Load(number, Some(wanted)),
            })),
        }
    }

    fn next_proof(&mut self) -> Option<Job> {
        let written = self.unproven.pop_front()?;
        self.unproven_bytes = self.unproven_bytes.saturating_sub(written.bytes());
        Some(Job::Prove(written))
    }

    /// Takes in what came of a job, in the order in which they were given out.
    pub(super) fn take(&mut self, done: Done) -> Result<()> {
        match done {
            Done::Nothing => Ok(()),
            Done::Loaded(chunk) => {
                self.take_chunk(chunk);
                Ok(())
            }
            Done::Compared(findings) => match &mut self.selection {
                Some(selection) => selection.take(&findings, &mut self.free),
                None => Ok(()),
            },
        }
    }

    fn take_chunk(&mut self, chunk: LoadedChunk) {
        let LoadedChunk { notes, short_end, gaps, written } = chunk;
        self.loaded.chunks = self.loaded.chunks.saturating_add(1);
        self.loaded.note(&notes);
        self.loaded.end = self.loaded.end.max(short_end.unwrap_or_default());
        for gap in gaps {
            self.free.add_sectors(gap);
        }
        if !written.is_empty() {
            self.unproven_bytes = self.unproven_bytes.saturating_add(written.bytes());
            self.unproven.push_back(written);
        }
        LoadProgress::add(&self.progress.chunks, 1);
    }

    /// What has been found out, when all is done.
    pub(super) fn finish(self) -> Loaded {
        let Self { feed, selection, mut loaded, .. } = self;
        let spared = selection.map_or(0, |selection| selection.spared());
        loaded.chunks = loaded.chunks.saturating_add(spared);
        loaded.end = feed.exact_end(loaded.end);
        loaded
    }
}
