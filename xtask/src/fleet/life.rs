//! From power on to power off.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Why a node does not go on.
#[derive(Debug)]
pub(super) enum Stop {
    /// It is off.
    Off,
    /// Something that should work doesn't.
    Fault(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

/// One life of a node. Whatever it does outside of itself passes through here, so that nothing
/// does once it is over.
#[derive(Debug)]
pub(super) struct Life {
    state: Mutex<State>,
    ended: Condvar,
    /// Whether somebody was told that it is over.
    confirmed: AtomicBool,
    late_writes: AtomicU64,
}

#[derive(Debug)]
struct State {
    on: bool,
    /// Whether it is in the middle of a job.
    at_work: bool,
    /// Whether its own system runs, from its disk.
    own_system: bool,
}

impl Life {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State { on: true, at_work: false, own_system: false }),
            ended: Condvar::new(),
            confirmed: AtomicBool::new(false),
            late_writes: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it; whether it was in the middle of a job. Waits for a write that has begun.
    pub(super) fn end(&self) -> bool {
        let mut state = self.lock();
        state.on = false;
        let at_work = std::mem::take(&mut state.at_work);
        drop(state);
        self.confirmed.store(true, Ordering::Release);
        self.ended.notify_all();
        at_work
    }

    pub(super) fn go_on(&self) -> Result<(), Stop> {
        if self.lock().on { Ok(()) } else { Err(Stop::Off) }
    }

    pub(super) fn work(&self, at_work: bool) {
        self.lock().at_work = at_work;
    }

    pub(super) fn run_own_system(&self) {
        self.lock().own_system = true;
    }

    pub(super) fn runs_own_system(&self) -> bool {
        self.lock().own_system
    }

    /// What a node takes its time for.
    pub(super) fn pause(&self, time: Duration) -> Result<(), Stop> {
        let end = Instant::now() + time;
        let mut state = self.lock();
        loop {
            if !state.on {
                return Err(Stop::Off);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let woken = self.ended.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Changes files, unless it is over.
    pub(super) fn write<T>(&self, write: impl FnOnce() -> io::Result<T>) -> Result<T, Stop> {
        let state = self.lock();
        if !state.on {
            return Err(Stop::Off);
        }
        let done = write()?;
        if self.confirmed.load(Ordering::Acquire) {
            self.late_writes.fetch_add(1, Ordering::Relaxed);
        }
        drop(state);
        Ok(done)
    }

    /// Writes that ended after somebody was told that it is over.
    pub(super) fn late_writes(&self) -> u64 {
        self.late_writes.load(Ordering::Relaxed)
    }
}
