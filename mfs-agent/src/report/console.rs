//! The console (usually a serial line) and the kernel's log.
//!
//! Neither needs memory or a lock, so both work whatever state the program is in. Programs that
//! follow a run on the console look for lines that begin with `mfs-phase:` and `mfs-result:`.

use core::fmt;

use log::Level;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix_futex_sync::OnceLock;

use crate::file::{Cut, write_all, write_text};

static CONSOLE: OnceLock<OwnedFd> = OnceLock::new();
static KERNEL_LOG: OnceLock<OwnedFd> = OnceLock::new();

/// Opens what of both can be opened. Does nothing about what is open already.
pub fn open() {
    for (path, slot) in [(c"/dev/console", &CONSOLE), (c"/dev/kmsg", &KERNEL_LOG)] {
        if slot.get().is_none()
            && let Ok(file) =
                openat(CWD, path, OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty())
        {
            // Only the start of the program comes here, so nobody was faster.
            let _ = slot.set(file);
        }
    }
}

/// Lets all messages into the kernel's log, and of the kernel's own only errors to the console:
/// the agent's lines go there anyway. Needs `/proc`.
pub fn calm(command_line: &str) {
    let _ = write_text(c"/proc/sys/kernel/printk_devkmsg", "on\n");
    let asked = |word: &str| {
        matches!(word, "debug" | "ignore_loglevel" | "quiet") || word.starts_with("loglevel=")
    };
    if !command_line.split_ascii_whitespace().any(asked) {
        let _ = write_text(c"/proc/sys/kernel/printk", "4\n");
    }
}

/// Writes a line to both.
pub fn line(text: fmt::Arguments<'_>) {
    write(Level::Info, text);
}

/// Writes a line to both, with its weight for the kernel's log.
pub fn write(level: Level, text: fmt::Arguments<'_>) {
    // The kernel takes up to about 1000 bytes as one message.
    let text = Cut::<900>::new(text);
    let text = Printable(text.as_str());
    if let Some(file) = KERNEL_LOG.get() {
        // syslog(3)'s numbers.
        let weight = match level {
            Level::Error => 3,
            Level::Warn => 4,
            Level::Info => 6,
            Level::Debug | Level::Trace => 7,
        };
        let line = Cut::<1000>::new(format_args!("<{weight}>mfs-agent: {text}\n"));
        let _ = write_all(file, line.as_str().as_bytes());
    }
    if let Some(file) = CONSOLE.get() {
        let line = Cut::<1000>::new(format_args!("{text}\n"));
        let _ = write_all(file, line.as_str().as_bytes());
    }
}

/// Shows text of any origin without what would move a terminal's cursor.
#[derive(Clone, Copy)]
pub struct Printable<'a>(
    /// The text.
    pub &'a str,
);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.split(char::is_control).enumerate() {
            if index > 0 {
                f.write_str("?")?;
            }
            f.write_str(part)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_line_stays_a_line() {
        assert_eq!(Printable("a\nb\u{1b}[2Jü").to_string(), "a?b?[2Jü");
    }
}
