//! What a guest says on its serial port: lines with the time they came, also kept in a file.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A line of the serial port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When its first byte could be read, since the guest's start.
    pub at: Duration,
    /// The text, without the end of line.
    pub text: String,
}

/// The lines so far. Cheap to clone; all clones see the same lines.
#[derive(Debug, Clone, Default)]
pub struct Console {
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<Line>,
    ended: bool,
}

impl Console {
    /// Starts to collect lines from `source`, and copies them to the file `log` with their times.
    pub fn start(source: impl Read + Send + 'static, log: &Path, start: Instant) -> Result<Self> {
        let mut log = File::create(log)
            .with_context(|| format!("cannot create the log {}", log.display()))?;
        let console = Self::default();
        let writer = console.clone();
        thread::Builder::new().name("serial".into()).spawn(move || {
            let mut source = BufReader::new(source);
            let mut bytes = Vec::new();
            // A reading error is the end, as when the guest is gone.
            while let Ok(1..) = source.read_until(b'\n', &mut bytes) {
                let text = String::from_utf8_lossy(&bytes).trim_end().replace('\r', "");
                let line = Line { at: start.elapsed(), text };
                // The log is for people; a full disk must not end the guest.
                let _ = writeln!(log, "[{:9.3}] {}", line.at.as_secs_f64(), line.text);
                writer.update(|state| state.lines.push(line));
                bytes.clear();
            }
            writer.update(|state| state.ended = true);
        })?;
        Ok(console)
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<Line> {
        self.lock().lines.clone()
    }

    /// The first line that contains `text`, if it has come.
    pub fn find(&self, text: &str) -> Option<Line> {
        self.lock().lines.iter().find(|line| line.text.contains(text)).cloned()
    }

    /// The last `count` lines, for an error message.
    pub fn tail(&self, count: usize) -> String {
        let state = self.lock();
        let lines = &state.lines[state.lines.len().saturating_sub(count)..];
        lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// Waits for the first line, of those that came and those to come, that contains `text`.
    /// `None` when the guest ends or the time is over without one.
    pub fn wait_for(&self, text: &str, timeout: Duration) -> Option<Line> {
        let deadline = Instant::now() + timeout;
        let (_, changed) = &*self.shared;
        let mut state = self.lock();
        let mut seen = 0;
        loop {
            if let Some(line) = state.lines[seen..].iter().find(|line| line.text.contains(text)) {
                return Some(line.clone());
            }
            seen = state.lines.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                return None;
            }
            state = changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether nothing more can come.
    pub fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// Waits until nothing more can come.
    pub fn wait_for_end(&self, timeout: Duration) {
        let (_, changed) = &*self.shared;
        drop(changed.wait_timeout_while(self.lock(), timeout, |state| !state.ended));
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.shared.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole after each change, whatever a panicking thread was doing.
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::pipe;

    #[test]
    fn lines_are_kept_found_and_logged() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("serial.log");
        let (reader, mut writer) = pipe().unwrap();
        let console = Console::start(reader, &log, Instant::now()).unwrap();
        writer.write_all(b"Linux version 6.1\r\nhalf").unwrap();
        let minute = Duration::from_mins(1);
        assert_eq!(console.wait_for("version", minute).unwrap().text, "Linux version 6.1");
        assert_eq!(console.find("half"), None);
        writer.write_all(b" a line\n\xff\n").unwrap();
        assert_eq!(console.wait_for("line", minute).unwrap().text, "half a line");
        drop(writer);
        assert_eq!(console.wait_for("never", minute), None);
        console.wait_for_end(minute);
        assert_eq!(console.lines().len(), 3);
        assert_eq!(console.tail(2), "half a line\n\u{fffd}");
        let text = std::fs::read_to_string(log).unwrap();
        assert!(text.lines().next().unwrap().ends_with("] Linux version 6.1"), "{text}");
    }

    #[test]
    fn waiting_ends_in_time() {
        let directory = tempfile::tempdir().unwrap();
        let (reader, _writer) = pipe().unwrap();
        let log = directory.path().join("log");
        let console = Console::start(reader, &log, Instant::now()).unwrap();
        assert_eq!(console.wait_for("x", Duration::from_millis(10)), None);
    }
}
