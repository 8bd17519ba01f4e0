//! How the run ends. The first who says so counts: the job, the monitor or a panic.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use rustix_futex_sync::OnceLock;

use super::console;
use crate::event::Event;
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
    /// `mfs-result: saved …` or `mfs-result: failed code=<code> <text>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            0 => write!(f, "mfs-result: {}", self.text),
            code => write!(f, "mfs-result: failed code={code:02} {}", self.text),
        }
    }
}

static EXPECTED: AtomicBool = AtomicBool::new(false);
static ENDING: OnceLock<Ending> = OnceLock::new();
/// Set when the run has ended.
pub static ENDED: Event = Event::new();
/// Set when the heartbeat has reported the end on the file server.
pub static REPORTED: Event = Event::new();

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

/// Says that there is a heartbeat, which will report the end.
pub fn expect_report() {
    EXPECTED.store(true, Ordering::Relaxed);
}

/// Gives the heartbeat, if there is one, time to report the end.
pub fn wait_until_reported(limit: Duration) {
    if EXPECTED.load(Ordering::Relaxed) && !REPORTED.wait(limit) {
        let error = log::Level::Error;
        console::write(error, format_args!("the end could not be reported on /proj"));
    }
}
