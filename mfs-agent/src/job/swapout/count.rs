//! A save whose image goes nowhere.

use imagezip_core::pipeline::{Saved, save};

use super::plan::Plan;
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use crate::threads::Processors;

/// Does all that a save does but write. The image's size in bytes is counted.
///
/// # Errors
/// Those of reading the disk.
pub(super) fn count(plan: &Plan<'_>) -> Result<(Saved, u64)> {
    let workers = Processors::with_waiting(plan.threads);
    let mut sink = Sink { bytes: 0, progress: plan.progress };
    let saved = save(&workers, plan.source(), &mut sink, plan.progress.engine())
        .map_err(|error| Failure::of_core(&error, format_args!("reading {}", plan.disk.name)))?;
    Ok((saved, sink.bytes))
}

/// Counts what is written to it.
struct Sink<'a> {
    bytes: u64,
    progress: &'a Progress,
}

impl embedded_io::ErrorType for Sink<'_> {
    type Error = core::convert::Infallible;
}

impl embedded_io::Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> core::result::Result<usize, Self::Error> {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.progress.beat();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> core::result::Result<(), Self::Error> {
        Ok(())
    }
}
