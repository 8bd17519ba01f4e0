//! Not believing a file server too soon that something is forbidden or gone.
//!
//! A server that reads its list of exports anew, which testbeds make it do whenever an experiment
//! changes, refuses everything for a moment: with EACCES, or with ESTALE for what is open. So an
//! operation that can be repeated is, for some time. Which operations can be: opening, looking,
//! creating, renaming, removing, reading. Writing can't: when the kernel says that a write failed
//! it has dropped the data, so the file has to be made anew from its start (see
//! [`Commit::save_again_if_refused`](super::commit::Commit::save_again_if_refused)).

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use rustix::io::{Errno, Result};

use crate::event::{now, sleep};
use crate::failure::Os;
use crate::progress::Progress;

/// The first and the longest pause between two attempts.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(3);

/// How long a run waits for a file server that refuses.
pub struct Patience {
    limit: Duration,
    progress: &'static Progress,
    exhausted: AtomicBool,
}

impl Patience {
    /// Waits up to `limit` each time, and gives signs of life meanwhile.
    pub const fn new(limit: Duration, progress: &'static Progress) -> Self {
        Self { limit, progress, exhausted: AtomicBool::new(false) }
    }

    /// Whether this error may be gone in a moment.
    pub fn is_refusal(errno: Errno) -> bool {
        matches!(errno, Errno::ACCESS | Errno::STALE)
    }

    /// Whether a wait has been in vain. Nobody waits again then: what the server says is true.
    pub fn is_exhausted(&self) -> bool {
        self.exhausted.load(Ordering::Relaxed)
    }

    /// The run's counters.
    pub fn progress(&self) -> &'static Progress {
        self.progress
    }

    /// Does something until it isn't refused, but no longer than the limit. `what` is it, for the
    /// log.
    ///
    /// # Errors
    /// Those of `attempt`: any other than a refusal at once, a refusal after the limit.
    pub fn retry<T>(
        &self,
        what: impl fmt::Display,
        mut attempt: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        let mut wait = None;
        loop {
            let result = attempt();
            match result.as_ref().err().filter(|errno| Self::is_refusal(**errno)) {
                Some(errno) if self.hopes(&what, *errno, &mut wait) => {}
                Some(_) => return result,
                None => {
                    if let Some(wait) = wait {
                        wait.is_over(&what);
                    }
                    return result;
                }
            }
        }
    }

    /// Whether there shall be another attempt after a refusal; waits for some time before it.
    fn hopes(&self, what: &dyn fmt::Display, errno: Errno, wait: &mut Option<Wait>) -> bool {
        if self.is_exhausted() {
            return false;
        }
        let wait = wait.get_or_insert_with(|| {
            log::warn!("{what}: {}; asking again for {} s", Os(errno), self.limit.as_secs());
            Wait { start: now(), pause: SHORTEST }
        });
        let left = self.limit.saturating_sub(now().saturating_sub(wait.start));
        if left.is_zero() {
            self.exhausted.store(true, Ordering::Relaxed);
            return false;
        }
        self.progress.beat();
        sleep(wait.pause.min(left));
        wait.pause = wait.pause.saturating_mul(2).min(LONGEST);
        true
    }
}

/// Attempts at one thing so far.
struct Wait {
    start: Duration,
    pause: Duration,
}

impl Wait {
    fn is_over(&self, what: &dyn fmt::Display) {
        let seconds = now().saturating_sub(self.start).as_secs();
        log::info!("{what}: the file server has answered after {seconds} s");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static PROGRESS: Progress = Progress::new();

    /// Answers refusals `times` times, then `last`.
    fn server(times: usize, last: Result<()>) -> impl FnMut() -> Result<()> {
        let mut errors = [Errno::ACCESS, Errno::STALE].into_iter().cycle().take(times);
        move || errors.next().map_or(last, Err)
    }

    #[test]
    fn refusals_pass() {
        let patience = Patience::new(Duration::from_mins(1), &PROGRESS);
        let before = PROGRESS.snapshot();
        assert_eq!(patience.retry("x", server(2, Ok(()))), Ok(()));
        assert_ne!(PROGRESS.snapshot(), before, "no sign of life");
        assert_eq!(patience.retry("x", server(1, Err(Errno::NOENT))), Err(Errno::NOENT));
        assert!(!patience.is_exhausted());
    }

    #[test]
    fn who_has_waited_in_vain_waits_no_more() {
        let patience = Patience::new(Duration::from_millis(250), &PROGRESS);
        assert!(patience.retry("x", server(1000, Ok(()))).is_err());
        assert!(patience.is_exhausted());
        assert_eq!(patience.retry("x", server(1, Ok(()))), Err(Errno::ACCESS));
        assert_eq!(patience.retry("x", server(0, Ok(()))), Ok(()));
    }
}
