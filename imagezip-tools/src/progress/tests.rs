use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use super::*;

struct Counter(AtomicU64);

impl Meter for Counter {
    fn done(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn total(&self) -> u64 {
        10
    }

    fn status(&self, _: Duration) -> String {
        format!("{} of 10", self.done())
    }
}

#[test]
fn rows_end_with_seconds_and_chunks_left() {
    let done = AtomicU64::new(67 + 3);
    let mut dots = ChunkDots::new(&done, 100);
    let time = Duration::from_secs(12);
    assert_eq!(dots.tick(time), format!("{}   12     33\n...", ".".repeat(67)));
    assert_eq!(dots.tick(time), "");
    done.fetch_add(1, Ordering::Relaxed);
    assert_eq!(dots.tick(time), ".");
    assert_eq!(dots.end(time), format!("{}   12     29\n", " ".repeat(63)));
    assert_eq!(dots.end(time), "", "no empty row");
}

#[test]
fn a_character_for_each_gigabyte() {
    let counters = [2_500_000_000, 999_999_999, 1_000_000_000].map(AtomicU64::new);
    let [written, filled, skipped] = &counters;
    let chunks = AtomicU64::new(5);
    let mut dots = GigabyteDots::new([written, filled, skipped], &chunks, 9);
    assert_eq!(dots.tick(Duration::ZERO), "..s");
    filled.fetch_add(1, Ordering::Relaxed);
    written.fetch_add(499_999_999, Ordering::Relaxed);
    assert_eq!(dots.tick(Duration::ZERO), "z");
    assert_eq!(dots.end(Duration::ZERO), format!("{}    0      4\n", " ".repeat(63)));
}

/// Tells the test what it is asked for.
struct Reporting(mpsc::Sender<Duration>);

impl Dots for Reporting {
    fn tick(&mut self, time: Duration) -> String {
        self.0.send(time).unwrap();
        String::new()
    }

    fn end(&mut self, time: Duration) -> String {
        self.tick(time)
    }
}

#[test]
fn dots_are_looked_at_until_the_end() {
    let (sender, ticks) = mpsc::channel();
    let mut dots = Reporting(sender);
    let show = Show { bar: true, dots: Some(&mut dots) };
    let result = watch(&Counter(AtomicU64::new(0)), show, || {
        // While the work goes on, again and again.
        ticks.recv().unwrap();
        ticks.recv().unwrap();
        7
    });
    assert_eq!(result, 7);
    assert!(ticks.try_iter().count() >= 2, "once more, and the end");
}

#[test]
fn quiet_work_ends_at_once() {
    // Nobody wakes the thread but the end itself.
    for _ in 0..1000 {
        watch(&Counter(AtomicU64::new(0)), Show::default(), || ());
    }
}

#[test]
fn times_are_classic() {
    assert_eq!(seconds(Duration::from_millis(61_007)), "61.007");
}
