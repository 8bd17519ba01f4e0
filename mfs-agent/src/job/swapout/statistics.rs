//! What a save would hold, without one.

use alloc::format;
use alloc::string::String;

use imagezip_core::swapinfo::Phase;

use super::count::count;
use super::plan::Plan;
use crate::failure::Result;

/// Reads, compares and compresses as a save does, and writes nothing but log and status; the numbers of
/// the result line.
pub(super) fn take(plan: &Plan<'_>) -> Result<String> {
    plan.progress.enter(Phase::Save);
    let (saved, bytes) = count(plan)?;
    Ok(format!(
        "bytes={bytes} chunks={} sectors={} of={}",
        saved.image.chunks,
        saved.image.sectors,
        plan.map.in_use.sector_count()
    ))
}
