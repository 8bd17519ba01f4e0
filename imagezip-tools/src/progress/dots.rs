//! The rows of characters that scripts and old hands know.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Characters in a row of imageunzip.
const ROW: usize = 67;

/// Something that shows a character for each step.
pub trait Dots: Send {
    /// What is to be shown since the last time; `time` has gone by since the start.
    fn tick(&mut self, time: Duration) -> String;

    /// What ends the last row.
    fn end(&mut self, time: Duration) -> String;
}

/// Rows of [`ROW`] characters, each ended by the seconds and how many chunks are left.
#[derive(Debug, Default)]
struct Rows {
    filled: usize,
}

impl Rows {
    fn push(&mut self, text: &mut String, character: char, time: Duration, left: u64) {
        text.push(character);
        self.filled += 1;
        if self.filled == ROW {
            self.end(text, time, left);
        }
    }

    fn end(&mut self, text: &mut String, time: Duration, left: u64) {
        let missing = ROW - self.filled;
        self.filled = 0;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:missing$} {:>4} {left:>6}", "", time.as_secs());
    }

    fn end_last(&mut self, time: Duration, left: u64) -> String {
        let mut text = String::new();
        if self.filled > 0 {
            self.end(&mut text, time, left);
        }
        text
    }
}

/// A dot for each chunk of an image.
#[derive(Debug)]
pub struct ChunkDots<'a> {
    done: &'a AtomicU64,
    total: u64,
    shown: u64,
    rows: Rows,
}

impl<'a> ChunkDots<'a> {
    /// Of `total` chunks, as many as `done` says are done.
    pub fn new(done: &'a AtomicU64, total: u64) -> Self {
        Self { done, total, shown: 0, rows: Rows::default() }
    }

    fn left(&self) -> u64 {
        self.total.saturating_sub(self.shown)
    }
}

impl Dots for ChunkDots<'_> {
    fn tick(&mut self, time: Duration) -> String {
        let mut text = String::new();
        while self.shown < self.done.load(Ordering::Relaxed) {
            self.shown += 1;
            let left = self.left();
            self.rows.push(&mut text, '.', time, left);
        }
        text
    }

    fn end(&mut self, time: Duration) -> String {
        let left = self.left();
        self.rows.end_last(time, left)
    }
}

/// A character for each 10^9 bytes of the disk: `.` for data, `z` for zeros that were written,
/// `s` for what was skipped.
#[derive(Debug)]
pub struct GigabyteDots<'a> {
    counters: [(char, &'a AtomicU64); 3],
    /// The bytes of each counter that have a character.
    shown: [u64; 3],
    chunks: ChunkDots<'a>,
}

impl<'a> GigabyteDots<'a> {
    const GIGABYTE: u64 = 1_000_000_000;

    /// For counters of bytes written, filled and skipped; `chunks` are counted only for the ends
    /// of the rows.
    pub fn new(
        [written, filled, skipped]: [&'a AtomicU64; 3],
        chunks: &'a AtomicU64,
        total: u64,
    ) -> Self {
        let counters = [('.', written), ('z', filled), ('s', skipped)];
        Self { counters, shown: [0; 3], chunks: ChunkDots::new(chunks, total) }
    }
}

impl Dots for GigabyteDots<'_> {
    fn tick(&mut self, time: Duration) -> String {
        let mut text = String::new();
        self.chunks.shown = self.chunks.done.load(Ordering::Relaxed);
        let left = self.chunks.left();
        for ((character, counter), shown) in self.counters.into_iter().zip(&mut self.shown) {
            while counter.load(Ordering::Relaxed).saturating_sub(*shown) >= Self::GIGABYTE {
                *shown += Self::GIGABYTE;
                self.chunks.rows.push(&mut text, character, time, left);
            }
        }
        text
    }

    fn end(&mut self, time: Duration) -> String {
        self.chunks.end(time)
    }
}
