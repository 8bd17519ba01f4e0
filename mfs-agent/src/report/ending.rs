//! How the run ends. The first who says so counts: the job, the monitor or a panic.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use rustix_futex_sync::OnceLock;

use super::console;
use crate::event::{Event, now};
use crate::file::Cut;

/// The end of a run.
pub struct Ending {
    /// 0, or the exit code of the failure.
    pub code: u8,
    /// What was saved, or what failed.
    pub text: Cut<700>,
}

impl fmt::Display for Ending {
    /// The line of the end, in a form for programs:
    /// `mfs-result: saved …`, `captured …`, `loaded …` or `mfs-result: failed code=<code> <text>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            0 => write!(f, "mfs-result: {}", self.text),
            code => write!(f, "mfs-result: failed code={code:02} {}", self.text),
        }
    }
}

/// Somebody who reports the end, in a thread of its own.
pub struct Reporter {
    whereto: &'static str,
    expected: AtomicBool,
    done: Event,
}

impl Reporter {
    const fn new(whereto: &'static str) -> Self {
        Self { whereto, expected: AtomicBool::new(false), done: Event::new() }
    }

    /// Says that there is a thread, which will report the end.
    pub fn expect(&self) {
        self.expected.store(true, Ordering::Relaxed);
    }

    /// Says that the end is reported, or that it will never be.
    pub fn done(&self) {
        self.done.set();
    }
}

/// The heartbeat, which reports on the file server.
pub static PROJECT: Reporter = Reporter::new("on /proj");
/// [`crate::tmcd::reporter`]
pub static BOSS: Reporter = Reporter::new("to boss");

static ENDING: OnceLock<Ending> = OnceLock::new();
/// Set when the run has ended.
pub static ENDED: Event = Event::new();

/// Ends the run, with the line of the end on the console.
pub fn announce(code: u8, text: fmt::Arguments<'_>) {
    let ending = Ending { code, text: Cut::new(text) };
    if ENDING.get().is_some() {
        let text = ending.text.as_str();
        console::write(log::Level::Error, format_args!("after the end: {text}"));
        return;
    }
    console::line(format_args!("{ending}"));
    let _ = ENDING.set(ending);
    ENDED.set();
}

/// The end, once it has come.
pub fn get() -> Option<&'static Ending> {
    ENDING.get()
}

/// Gives the reporters that there are time to report the end, all together so long.
pub fn wait_until_reported(limit: Duration) {
    let start = now();
    for reporter in [&PROJECT, &BOSS] {
        let left = limit.saturating_sub(now().saturating_sub(start));
        if reporter.expected.load(Ordering::Relaxed) && !reporter.done.wait(left) {
            let whereto = reporter.whereto;
            let error = log::Level::Error;
            console::write(error, format_args!("the end could not be reported {whereto}"));
        }
    }
}
