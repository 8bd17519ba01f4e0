//! Reading back what was written.

use alloc::vec::Vec;

use crate::buffer::PageBuffer;
use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, Place, Result};
use crate::fingerprint::Fingerprint;
use crate::sector::{Bytes, Sector};

/// What is read at once, if it isn't more that was written at once.
const WINDOW: u64 = 1 << 20;

/// Bytes between written ones that are better read than skipped.
const GAP: u64 = 64 << 10;

/// The unit of reads: direct input wants whole pages.
const UNIT: u64 = 4096;

/// What was written at once.
#[derive(Clone, Copy)]
struct Run {
    at: u64,
    len: u64,
    data: Fingerprint,
}

impl Run {
    const fn end(&self) -> u64 {
        self.at.saturating_add(self.len)
    }
}

/// What was written of a chunk, in ascending order: how much, where, and a fingerprint of it.
#[derive(Default)]
pub(super) struct Written(Vec<Run>);

impl Written {
    /// Adds what was written at `at`, after all else.
    pub(super) fn push(&mut self, at: Bytes, data: &[u8]) {
        let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
        self.0.push(Run { at: at.get(), len, data: Fingerprint::of(data) });
    }

    /// The number of bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.0.iter().fold(0, |sum, run| sum.saturating_add(run.len))
    }

    /// Whether nothing was written.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads everything from `device`.
    ///
    /// # Errors
    /// `Corrupt(TargetNotAsWritten)` at the first sector of what is not as it was written, at most
    /// as much as is written at once; what the device reports.
    pub(super) fn prove(&self, device: &dyn ReadAt, buffer: &mut PageBuffer) -> Result<()> {
        let mut rest = self.0.as_slice();
        while let Some(first) = rest.first() {
            let end = |run: &Run| run.end().saturating_sub(first.at) <= WINDOW;
            let near = rest.windows(2).take_while(|pair| match pair {
                [one, next] => end(next) && next.at.saturating_sub(one.end()) <= GAP,
                _ => false,
            });
            let (runs, after) =
                rest.split_at_checked(near.count().saturating_add(1)).unwrap_or((rest, &[]));
            prove_near(runs, device, buffer)?;
            rest = after;
        }
        Ok(())
    }
}

/// Reads runs that lie near each other.
fn prove_near(runs: &[Run], device: &dyn ReadAt, buffer: &mut PageBuffer) -> Result<()> {
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return Ok(()) };
    let from = first.at.saturating_sub(first.at.checked_rem(UNIT).unwrap_or_default());
    let whole = last.end().checked_next_multiple_of(UNIT).unwrap_or(u64::MAX);
    let to = if whole <= device.size().get() { whole } else { last.end() };
    let index = |at: u64| usize::try_from(at.saturating_sub(from)).unwrap_or(usize::MAX);
    let bytes = buffer.grown(index(to));
    device.read_at(Bytes(from), bytes)?;
    for run in runs {
        let found = bytes.get(index(run.at)..index(run.end())).map(Fingerprint::of);
        if found != Some(run.data) {
            let sector = Sector::ZERO.saturating_add(Bytes(run.at).whole_sectors());
            return Err(
                ErrorKind::Corrupt(CorruptKind::TargetNotAsWritten).at(Place::Sector(sector))
            );
        }
    }
    Ok(())
}
