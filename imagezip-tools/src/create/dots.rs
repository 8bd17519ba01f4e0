//! The classic sign of life: a dot for each chunk.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Instant;

use imagezip_core::ndz::CHUNK_BYTES;
use imagezip_core::pipeline::Progress;
use std::sync::atomic::Ordering;

/// Dots in a line.
const LINE: u32 = 61;

/// A writer that says on standard error when a chunk is finished.
pub(super) struct Dots<'a, W> {
    to: W,
    wanted: bool,
    progress: &'a Progress,
    line: Line,
    /// How much of the current chunk has been written.
    filled: usize,
}

/// A line of dots while it grows.
struct Line {
    start: Instant,
    dots: u32,
}

impl<'a, W: Write> Dots<'a, W> {
    /// Writes to `to`, with dots if they are `wanted`.
    pub(super) fn new(to: W, wanted: bool, progress: &'a Progress) -> Self {
        let line = Line { start: Instant::now(), dots: 0 };
        Self { to, wanted, progress, line, filled: 0 }
    }

    /// Ends the line, if it has begun.
    pub(super) fn finish(mut self) {
        if self.line.dots > 0 {
            let offset = self.progress.scanned.load(Ordering::Relaxed);
            let seconds = self.line.start.elapsed().as_secs();
            say(&self.line.end(offset, seconds));
        }
    }
}

impl Line {
    /// One more dot; at the end of the line, how far the disk has been read.
    fn dot(&mut self, offset: u64, seconds: u64) -> String {
        self.dots += 1;
        let mut text = ".".to_owned();
        if self.dots == LINE {
            text.push_str(&self.end(offset, seconds));
        }
        text
    }

    fn end(&mut self, offset: u64, seconds: u64) -> String {
        // Short lines are filled up, so that the columns are under one another.
        let missing = usize::try_from(LINE - self.dots).unwrap_or_default();
        self.dots = 0;
        let mut text = " ".repeat(missing);
        // Writing to a String cannot fail.
        let _ = writeln!(text, " {offset:>12} {seconds:>4}");
        text
    }
}

impl<W: Write> Write for Dots<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.filled += written;
        while self.filled >= CHUNK_BYTES {
            self.filled -= CHUNK_BYTES;
            if self.wanted {
                let offset = self.progress.scanned.load(Ordering::Relaxed);
                let seconds = self.line.start.elapsed().as_secs();
                say(&self.line.dot(offset, seconds));
            }
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn say(text: &str) {
    // Nobody may be listening.
    let _ = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_classic_ones() {
        let mut line = Line { start: Instant::now(), dots: 0 };
        let mut text = String::new();
        for _ in 0..LINE {
            text += &line.dot(123_456, 7);
        }
        assert_eq!(text, format!("{}       123456    7\n", ".".repeat(61)));
        assert_eq!(line.dot(1, 1), ".");
        assert_eq!(line.end(u64::MAX, 70), format!("{} {} {}\n", " ".repeat(60), u64::MAX, "  70"));
    }
}
