//! The dead man's handle: a thread that feeds the watchdog while the run moves, and ends a run
//! that doesn't.
//!
//! It takes no lock and writes no file, so nothing that holds up the run holds it up. If it
//! stops all the same, the watchdog isn't fed, and the hardware resets the machine.

use alloc::boxed::Box;
use core::time::Duration;

use rustix_futex_sync::OnceLock;

use crate::boot::watchdog::Watchdog;
use crate::cmdline::Then;
use crate::event::{Event, now};
use crate::failure::{FailureKind, Os, Result};
use crate::finish;
use crate::progress::{Progress, Snapshot};
use crate::report::{console, ending};
use crate::threads::Threads;
use imagezip_core::swapinfo::Phase;

/// How often it looks.
const TICK: Duration = Duration::from_secs(1);
/// How long the reports of the end may take when the run is given up. Nobody feeds the watchdog
/// meanwhile.
const LAST_REPORT: Duration = Duration::from_secs(10);

/// Tells whether a run still moves.
pub struct Stall {
    limit: Duration,
    last: Snapshot,
    since: Duration,
}

impl Stall {
    /// A run that moves at the time `now` and may stand still for `limit`.
    pub const fn new(limit: Duration, last: Snapshot, now: Duration) -> Self {
        Self { limit, last, since: now }
    }

    /// Takes note of the counters at the time `now`; whether they have stood still for too long.
    pub fn stalled(&mut self, snapshot: Snapshot, now: Duration) -> bool {
        if snapshot != self.last || snapshot.phase == Phase::Idle {
            self.last = snapshot;
            self.since = now;
        }
        now.saturating_sub(self.since) > self.limit
    }
}

/// The monitor's thread, as the others see it.
pub struct Monitor {
    progress: &'static Progress,
    watchdog: OnceLock<Watchdog>,
    started: Event,
    stop: Event,
    stopped: Event,
}

impl Monitor {
    /// A monitor whose thread is not started.
    pub const fn new(progress: &'static Progress) -> Self {
        Self {
            progress,
            watchdog: OnceLock::new(),
            started: Event::new(),
            stop: Event::new(),
            stopped: Event::new(),
        }
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// `Resource`
    pub fn start(&'static self, threads: &dyn Threads, limit: Duration, then: Then) -> Result<()> {
        threads.start(Box::new(move || self.watch(limit, then))).map_err(|errno| {
            FailureKind::Resource.because(format_args!("cannot start a thread: {}", Os(errno)))
        })?;
        self.started.set();
        Ok(())
    }

    /// Lets the thread feed a watchdog from here on.
    pub fn feed(&self, watchdog: Watchdog) {
        // There is one watchdog; a second one would bite by itself.
        let _ = self.watchdog.set(watchdog);
    }

    /// Ends the thread and disarms the watchdog.
    pub fn stop(&self) {
        self.stop.set();
        if self.started.is_set() {
            self.stopped.wait(LAST_REPORT);
        }
    }

    fn watch(&self, limit: Duration, then: Then) {
        let mut stall = Stall::new(limit, self.progress.snapshot(), now());
        while !self.stop.wait(TICK) {
            let snapshot = self.progress.snapshot();
            if stall.stalled(snapshot, now()) {
                give_up(snapshot, limit, then);
            }
            #[cfg(feature = "drill")]
            if crate::drill::FROZEN.is_set() {
                continue;
            }
            if let Some(watchdog) = self.watchdog.get() {
                watchdog.feed();
            }
        }
        if let Some(watchdog) = self.watchdog.get() {
            watchdog.disarm();
        }
        self.stopped.set();
    }
}

fn give_up(snapshot: Snapshot, limit: Duration, then: Then) -> ! {
    let seconds = limit.as_secs();
    let phase = snapshot.phase;
    console::write(log::Level::Error, format_args!("{snapshot:?}"));
    ending::announce(
        FailureKind::NoProgress.code(),
        format_args!(
            "no progress for {seconds} seconds in the phase {phase}; look at the file server, \
             the network and the disk, or raise mfs.progress="
        ),
    );
    ending::wait_until_reported(LAST_REPORT);
    finish::now(then)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_standing_still_counts() {
        let seconds = Duration::from_secs;
        let mut snapshot = Snapshot::default();
        let mut stall = Stall::new(seconds(10), snapshot, seconds(100));
        assert!(!stall.stalled(snapshot, seconds(110)));
        snapshot.beats = 1;
        assert!(!stall.stalled(snapshot, seconds(111)));
        assert!(!stall.stalled(snapshot, seconds(121)));
        assert!(stall.stalled(snapshot, seconds(122)));
        snapshot.phase = Phase::Idle;
        assert!(!stall.stalled(snapshot, seconds(1000)));
        assert!(!stall.stalled(snapshot, seconds(9999)));
    }
}
