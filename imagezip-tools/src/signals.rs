//! Signals: a tool that is told to end leaves no unfinished files, and one that is asked says how
//! far it is.

use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::unfinished;

/// What to do when somebody asks how far the work is.
type Report = Arc<dyn Fn() + Send + Sync>;

static REPORT: Mutex<Option<Report>> = Mutex::new(None);

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
    let mut signals = Signals::new(wanted).context("handling signals")?;
    let thread = thread::Builder::new().name("signals".to_owned());
    thread
        .spawn(move || {
            for signal in &mut signals {
                if signal == SIGUSR1 {
                    let report = current().clone();
                    if let Some(report) = report {
                        report();
                    }
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

/// Answers SIGUSR1 with `report` as long as it exists.
#[must_use = "it answers until it is dropped"]
#[derive(Debug)]
pub struct Answering(());

impl Answering {
    /// From now on.
    pub fn new(report: impl Fn() + Send + Sync + 'static) -> Self {
        *current() = Some(Arc::new(report));
        Self(())
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        *current() = None;
    }
}

fn current() -> MutexGuard<'static, Option<Report>> {
    REPORT.lock().unwrap_or_else(PoisonError::into_inner)
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
