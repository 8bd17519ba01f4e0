//! Bringing a file to stable storage while it is being written.
//!
//! What is written is sent at once, so many requests are on their way: that is how the directory
//! is mounted ([`Version::options`](crate::project::mount::version::Version::options)). After each
//! so many bytes a thread of its own has the server store what came, while more is sent. Only who
//! is too far ahead of the server waits.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::ops::Range;

use rustix::io::Result;
use rustix_futex_sync::{Condvar, Mutex};

use crate::progress::Progress;
use crate::threads::{Join, Threads};

/// Where a file's data go.
pub(super) trait Storage: Send + Sync {
    /// Waits until these bytes are on stable storage. More may be written meanwhile.
    ///
    /// # Errors
    /// Data were lost, these or others.
    fn sync(&self, range: Range<u64>) -> Result<()>;
}

/// How far storage may be behind, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// So much is stored at once.
    interval: u64,
    /// So much may be written and not stored.
    most: u64,
}

impl Limits {
    /// That there are never much more than `most` bytes that are not on stable storage. One half
    /// of them can be sent while the other is stored.
    pub(super) const fn new(most: u64) -> Self {
        Self { interval: most / 2, most }
    }
}

/// The thread, as the one who writes sees it. When it is dropped, the thread has ended.
pub(super) struct Writeback {
    shared: Arc<Shared>,
    thread: Option<Box<dyn Join>>,
}

impl Writeback {
    /// Starts it for an empty file. The thread uses it as the user that the calling one is.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(super) fn start(
        storage: Arc<dyn Storage>,
        limits: Limits,
        threads: &dyn Threads,
        progress: &'static Progress,
    ) -> Result<Self> {
        let state = Mutex::new(State::default());
        let changed = Condvar::new();
        let shared = Arc::new(Shared { storage, limits, state, changed, progress });
        let own = Arc::clone(&shared);
        let thread = threads.start(Box::new(move || own.run()))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Takes note that the file's first `written` bytes are written; waits if too many of them
    /// are not on stable storage.
    ///
    /// # Errors
    /// Of the thread: data were lost.
    pub(super) fn has_written(&self, written: u64) -> Result<()> {
        self.shared.has_written(written)
    }

    /// Ends the thread. What it has not synced is up to the caller.
    ///
    /// # Errors
    /// Of the thread: data were lost.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.end();
        self.shared.state.lock().outcome
    }

    fn end(&mut self) {
        self.shared.state.lock().ended = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            thread.join();
        }
    }
}

impl Drop for Writeback {
    fn drop(&mut self) {
        self.end();
    }
}

struct Shared {
    storage: Arc<dyn Storage>,
    limits: Limits,
    state: Mutex<State>,
    changed: Condvar,
    progress: &'static Progress,
}

struct State {
    /// The file's first so many bytes are written.
    written: u64,
    /// Of them, so many are on stable storage.
    stable: u64,
    /// Nothing more will be written.
    ended: bool,
    /// The first error of the storage, after which the thread has ended.
    outcome: Result<()>,
}

impl Default for State {
    fn default() -> Self {
        Self { written: 0, stable: 0, ended: false, outcome: Ok(()) }
    }
}

impl State {
    const fn unstable(&self) -> u64 {
        self.written.saturating_sub(self.stable)
    }
}

impl Shared {
    fn has_written(&self, written: u64) -> Result<()> {
        let mut state = self.state.lock();
        state.written = written;
        if state.unstable() >= self.limits.interval {
            self.changed.notify_all();
        }
        while state.outcome.is_ok() && state.unstable() > self.limits.most {
            state = self.changed.wait(state);
        }
        state.outcome
    }

    /// What the thread does.
    fn run(&self) {
        while let Some(range) = self.wait() {
            let outcome = self.storage.sync(range.clone());
            let mut state = self.state.lock();
            state.outcome = outcome;
            if outcome.is_ok() {
                state.stable = range.end;
                self.progress.set_written(range.end);
            }
            self.changed.notify_all();
        }
    }

    /// The next bytes to sync; waits until there are enough. `None` at the end.
    fn wait(&self) -> Option<Range<u64>> {
        let mut state = self.state.lock();
        loop {
            if state.ended || state.outcome.is_err() {
                return None;
            }
            if state.unstable() >= self.limits.interval {
                return Some(state.stable..state.written);
            }
            state = self.changed.wait(state);
        }
    }
}

#[cfg(test)]
mod tests;
