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

static EXPECTED: AtomicBool = AtomicBool::new(false);
static ENDING: OnceLock<Ending> = OnceLock::new();
/// Set when the run has ended.
pub static ENDED: Event = Event::new();
/// Set when the heartbeat has reported the end on the file server.
pub static REPORTED: Event = Event::new();

/// Ends the run, with a line on the console in a form for programs:
/// `mfs-result: saved …` or `mfs-result: failed code=<code> <text>`.
pub fn announce(code: u8, text: fmt::Arguments<'_>) {
    let text = Cut::new(text);
    let line = text.as_str();
    if ENDING.get().is_some() {
        console::write(log::Level::Error, format_args!("after the end: {line}"));
        return;
    }
    if code == 0 {
        console::line(format_args!("mfs-result: {line}"));
    } else {
        console::line(format_args!("mfs-result: failed code={code:02} {line}"));
    }
    let _ = ENDING.set(Ending { code, text });
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
