//! Numbers of bytes in a time.

use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// Something that was done with bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Measure {
    /// How long it took.
    pub(crate) seconds: f64,
    /// How many bytes went in.
    pub(crate) bytes: u64,
    /// How many came out.
    pub(crate) out: u64,
}

impl Measure {
    pub(crate) fn new(time: Duration, bytes: u64, out: u64) -> Self {
        Self { seconds: time.as_secs_f64(), bytes, out }
    }

    /// Of two measures of the same work the one that was disturbed less.
    pub(crate) fn better(self, other: Self) -> Self {
        if other.seconds < self.seconds { other } else { self }
    }
}

/// The time that passes while `work` runs, and its result.
pub(crate) fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(Duration, T)> {
    let start = Instant::now();
    let result = work()?;
    Ok((start.elapsed(), result))
}

/// The CPU time that this thread takes for `work`, and its result. It doesn't count while others
/// have the CPU.
pub(crate) fn cpu_timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(Duration, T)> {
    let start = cpu_time();
    let result = work()?;
    Ok((cpu_time().saturating_sub(start), result))
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
