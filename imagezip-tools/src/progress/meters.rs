//! Meters of the core's work.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use imagezip_core::pipeline::Progress;
use imagezip_core::sector::Bytes;

use super::{Meter, seconds};

/// A number that may grow while it is asked for.
type Count<'a> = &'a (dyn Fn() -> u64 + Sync);

/// How far a save is.
#[derive(Clone, Copy)]
pub struct SaveMeter<'a> {
    progress: &'a Progress,
    total: Bytes,
    bad: Count<'a>,
}

impl<'a> SaveMeter<'a> {
    /// Of a save of `total` bytes, 0 if nobody knows; `bad` counts the sectors that can't be read.
    pub fn new(progress: &'a Progress, total: Bytes, bad: Count<'a>) -> Self {
        Self { progress, total, bad }
    }
}

impl Meter for SaveMeter<'_> {
    fn done(&self) -> u64 {
        self.progress.scanned.load(Ordering::Relaxed)
    }

    fn total(&self) -> u64 {
        self.total.get()
    }

    fn status(&self, time: Duration) -> String {
        let written = self.progress.written.load(Ordering::Relaxed);
        let line = save_line(self.done(), written, time);
        match (self.bad)() {
            0 => line,
            bad => format!("{line}; {bad} bad sectors"),
        }
    }
}

/// The line of imagezip about so many bytes that were read and made so many of the image.
pub fn save_line(read: u64, written: u64, time: Duration) -> String {
    format!("{read} input ({written} compressed) bytes in {} seconds", seconds(time))
}

/// How far something is that counts bytes.
#[derive(Clone, Copy, Debug)]
pub struct ByteMeter<'a> {
    /// What it does: "hashed".
    what: &'a str,
    done: &'a AtomicU64,
    total: Bytes,
}

impl<'a> ByteMeter<'a> {
    /// Of `total` bytes, as many as `done` says are `what`.
    pub fn new(what: &'a str, done: &'a AtomicU64, total: Bytes) -> Self {
        Self { what, done, total }
    }
}

impl Meter for ByteMeter<'_> {
    fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    fn total(&self) -> u64 {
        self.total.get()
    }

    fn status(&self, time: Duration) -> String {
        let Self { what, total, .. } = self;
        format!("{} of {total} bytes {what} in {} seconds", self.done(), seconds(time))
    }
}
