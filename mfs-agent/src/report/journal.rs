//! The log: to console and kernel at once, and kept for the file until that can be written.
//!
//! Logging never waits for the file server: the heartbeat's thread takes what was kept.

use alloc::string::String;
use core::fmt::{self, Write};

use log::{Level, LevelFilter, Log, Metadata, Record};
use rustix_futex_sync::Mutex;

use super::console::{self, Printable};
use super::time::Utc;

/// How much is kept at most, in bytes.
const LIMIT: usize = 256 << 10;

/// Lines that are not in the file yet.
struct Kept {
    lines: String,
    lost: u64,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { lines: String::new(), lost: 0 });

struct Logger;

impl Log for Logger {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        console::write(record.level(), *record.args());
        keep(record.level(), *record.args());
    }

    fn flush(&self) {}
}

impl Kept {
    fn push(&mut self, level: Level, text: &str) {
        let room = LIMIT.saturating_sub(self.lines.len());
        // A time, a level and an end of line take less than 50.
        if text.len().saturating_add(50) > room || self.lines.try_reserve(room.min(4096)).is_err() {
            self.lost = self.lost.saturating_add(1);
            return;
        }
        // Writing to a String reports no error.
        let _ = writeln!(self.lines, "{} {level:5} {}", Utc::now(), Printable(text));
    }

    fn put_back(&mut self, lines: &str) {
        let room = LIMIT.saturating_sub(self.lines.len());
        if lines.len() > room || self.lines.try_reserve(lines.len()).is_err() {
            let count = u64::try_from(lines.lines().count()).unwrap_or(u64::MAX);
            self.lost = self.lost.saturating_add(count);
        } else {
            self.lines.insert_str(0, lines);
        }
    }
}

/// Makes this the program's log.
pub fn install() {
    // A second logger is refused, but there is only this one.
    let _ = log::set_logger(&Logger);
    log::set_max_level(LevelFilter::Info);
}

/// Keeps a line for the file only.
pub fn keep(level: Level, text: fmt::Arguments<'_>) {
    let text = crate::file::Cut::<2000>::new(text);
    KEPT.lock().push(level, text.as_str());
}

/// Takes the lines that are not in the file yet.
pub fn take() -> String {
    let mut kept = KEPT.lock();
    let mut lines = core::mem::take(&mut kept.lines);
    if kept.lost > 0 {
        let _ = writeln!(lines, "{} WARN  {} lines were lost here", Utc::now(), kept.lost);
        kept.lost = 0;
    }
    lines
}

/// Gives back lines that were taken but couldn't be written.
pub fn put_back(lines: &str) {
    KEPT.lock().put_back(lines);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut kept = Kept { lines: String::new(), lost: 0 };
        let text = "x".repeat(1000);
        for _ in 0..1000 {
            kept.push(Level::Info, &text);
        }
        assert!(kept.lines.len() <= LIMIT);
        let lines = u64::try_from(kept.lines.lines().count()).unwrap();
        assert_eq!(lines + kept.lost, 1000);
        let first = kept.lines.lines().next().unwrap().to_string();
        assert!(first.ends_with(&(" INFO  ".to_string() + &text)), "{first}");
    }
}
