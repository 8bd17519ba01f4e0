//! Saving, loading and checking on all CPUs: read, hash, compress and write at the same time.
//!
//! The same code runs in the agent and on the host; only how threads are started differs, and
//! that is what a caller gives as [`Workers`]. Memory is bounded: all buffers are made at the
//! start and go round.

mod blocks;
mod check;
mod compare;
mod differences;
mod hash;
mod hash_device;
mod load;
mod ordered;
mod output;
mod pack;
mod portions;
mod restore;
mod save;
mod sequential;
mod verify;

pub use check::{Checked, Finding, check};
pub use compare::{Compared, compare_and_digest};
pub use differences::{Difference, Differences, SAMPLE_BYTES, Sample, differences};
pub use hash::{Hashing, Joining, hash_image, relocated_sectors};
pub use hash_device::hash_device;
pub use load::{
    Arrival, Base, Fill, Fit, Gaps, LoadProgress, Loaded, Order, Target, converge, load, stream,
};
pub(crate) use load::{foreign, relocated};
pub use ordered::ordered;
pub use restore::{Manner, restore};
pub use save::{Progress, Saved, Source, save};
pub use sequential::{Input, Streamed, save_stream};
pub use verify::{Proof, verify};

/// Threads to work with.
pub trait Workers: Sync {
    /// How many threads run at once; at least one.
    fn count(&self) -> usize;

    /// Runs `body(0)`, `body(1)`, … `body(count - 1)`, each in a thread of its own, and returns
    /// when all of them have returned.
    fn run(&self, body: &(dyn Fn(usize) + Sync));
}

/// One thread: the caller's.
#[derive(Clone, Copy, Debug)]
pub struct SingleThread;

impl Workers for SingleThread {
    fn count(&self) -> usize {
        1
    }

    fn run(&self, body: &(dyn Fn(usize) + Sync)) {
        body(0);
    }
}

#[cfg(test)]
mod tests;
