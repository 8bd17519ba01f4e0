//! Signals: a tool that is told to end leaves no unfinished files, and one that is asked says how
//! far it is.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ};
use signal_hook::flag::register;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::unfinished;

/// What threads that show progress wait for.
pub(crate) static WAKE: Wake = Wake { asked: Mutex::new(0), changed: Condvar::new() };

/// Wakes threads when somebody asks how far the work is, or when it ends.
pub(crate) struct Wake {
    /// How often somebody has asked.
    asked: Mutex<u64>,
    changed: Condvar,
}

/// Whether some work has ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ended(Arc<AtomicBool>);

/// Ends the work when it is dropped.
pub(crate) struct EndOnDrop(Ended);

/// Why a thread was woken.
pub(crate) struct Event {
    /// Somebody wants to know how far the work is.
    pub(crate) asked: bool,
    /// The work has ended.
    pub(crate) ended: bool,
}

impl Wake {
    /// Waits until somebody asks, the work ends or the time is over.
    pub(crate) fn wait(&self, ended: &Ended, seen: &mut u64, limit: Option<Duration>) -> Event {
        let mut asked = self.asked();
        let nothing = |asked: &mut u64| *asked == *seen && !ended.is_set();
        asked = match limit {
            None => self.changed.wait_while(asked, nothing).unwrap_or_else(PoisonError::into_inner),
            Some(limit) => {
                let waited = self.changed.wait_timeout_while(asked, limit, nothing);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        let new = *asked != *seen;
        *seen = *asked;
        Event { asked: new, ended: ended.is_set() }
    }

    /// How often somebody has asked so far: that is not for who begins to wait.
    pub(crate) fn seen(&self) -> u64 {
        *self.asked()
    }

    fn ask(&self) {
        let mut asked = self.asked();
        *asked = asked.wrapping_add(1);
        self.changed.notify_all();
    }

    fn asked(&self) -> MutexGuard<'_, u64> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ended {
    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn on_drop(self) -> EndOnDrop {
        EndOnDrop(self)
    }
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        // With the lock, or a thread that is about to wait would miss it.
        let _asked = WAKE.asked();
        self.0.0.store(true, Ordering::Release);
        WAKE.changed.notify_all();
    }
}

/// Handles signals until the process ends: SIGUSR1 gives a status on stderr; SIGHUP, SIGINT and
/// SIGTERM remove unfinished outputs and then end the process as they always do.
///
/// Signals that the caller made this process ignore (`nohup` does) stay ignored.
///
/// # Errors
/// If the system refuses.
pub fn handle() -> anyhow::Result<()> {
    let ignored = ignored(&fs::read_to_string("/proc/self/status").unwrap_or_default());
    let wanted = [SIGHUP, SIGINT, SIGTERM, SIGUSR1].into_iter().filter(|signal| {
        let bit = 1_u64 << (signal - 1);
        ignored & bit == 0
    });
    // A file that may not grow is an error of the write, not the end of the program.
    register(SIGXFSZ, Arc::default()).context("handling signals")?;
    let mut signals = Signals::new(wanted).context("handling signals")?;
    let thread = thread::Builder::new().name("signals".to_owned());
    thread
        .spawn(move || {
            for signal in &mut signals {
                if signal == SIGUSR1 {
                    WAKE.ask();
                } else {
                    unfinished::remove_all();
                    let _ = emulate_default_handler(signal);
                }
            }
        })
        .context("handling signals")?;
    Ok(())
}

/// The set of signals that are ignored: bit 0 is signal 1.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nohup_ignores_is_seen() {
        assert_eq!(ignored("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\tffff\n"), 0x1001);
        assert_eq!(ignored(""), 0);
    }
}
