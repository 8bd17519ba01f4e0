//! Signs of life while a tool works: a bar for people, the classic dots for scripts, and an answer
//! to SIGUSR1. All on standard error, and all from counters that the work keeps anyway.

mod dots;
mod meters;

use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::signals::{Ended, WAKE};
pub use dots::{ChunkDots, Dots, GigabyteDots};
pub use meters::{ByteMeter, SaveMeter, save_line};

/// How often the counters are looked at.
const INTERVAL: Duration = Duration::from_millis(100);

/// What is known about the work that is going on.
pub trait Meter: Sync {
    /// How many bytes are done, of those in [`Meter::total`].
    fn done(&self) -> u64;

    /// How many bytes are to be done; 0 if nobody knows.
    fn total(&self) -> u64;

    /// A line about it, for SIGUSR1; `time` has gone by.
    fn status(&self, time: Duration) -> String;
}

/// What to show.
#[derive(Default)]
pub struct Show<'a> {
    /// A bar, if standard error is a terminal.
    pub bar: bool,
    /// The classic dots; no bar then.
    pub dots: Option<&'a mut (dyn Dots + 'a)>,
}

/// Shows how far the work is that `meter` knows, until `work` is done. Answers SIGUSR1 in any case.
pub fn watch<'a, T>(meter: &'a dyn Meter, show: Show<'a>, work: impl FnOnce() -> T) -> T {
    let bar = show.bar && show.dots.is_none() && io::stderr().is_terminal();
    let mut display =
        Display { meter, start: Instant::now(), bar: bar.then(|| new_bar(meter)), dots: show.dots };
    thread::scope(|scope| {
        let ended = Ended::default();
        // Also when `work` panics: the scope waits for the thread.
        let watched = ended.clone();
        let thread = thread::Builder::new().name("progress".to_owned());
        // Without a thread nothing is shown, but the work is done.
        let _ = thread.spawn_scoped(scope, move || {
            let interval = display.has_to_look().then_some(INTERVAL);
            let mut seen = WAKE.seen();
            loop {
                let event = WAKE.wait(&watched, &mut seen, interval);
                display.tick(event.asked);
                if event.ended {
                    display.end();
                    break;
                }
            }
        });
        let _end = ended.on_drop();
        work()
    })
}

fn new_bar(meter: &dyn Meter) -> ProgressBar {
    let template = match meter.total() {
        0 => "{bytes}, {bytes_per_sec}, {elapsed}",
        _ => "{percent:>3}% [{bar:40}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
    };
    let style = ProgressStyle::with_template(template);
    let bar = ProgressBar::with_draw_target(Some(meter.total()), ProgressDrawTarget::stderr());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "))
}

struct Display<'a> {
    meter: &'a dyn Meter,
    start: Instant,
    bar: Option<ProgressBar>,
    dots: Option<&'a mut (dyn Dots + 'a)>,
}

impl Display<'_> {
    /// Whether there is something to show that nobody asks for.
    fn has_to_look(&self) -> bool {
        self.bar.is_some() || self.dots.is_some()
    }

    fn tick(&mut self, asked: bool) {
        let time = self.start.elapsed();
        if let Some(bar) = &self.bar {
            bar.set_length(self.meter.total());
            bar.set_position(self.meter.done());
        }
        if let Some(dots) = &mut self.dots {
            say(&dots.tick(time));
        }
        if asked {
            let status = self.meter.status(time) + "\n";
            match &self.bar {
                Some(bar) => bar.suspend(|| say(&status)),
                None => say(&status),
            }
        }
    }

    fn end(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if let Some(dots) = &mut self.dots {
            say(&dots.end(self.start.elapsed()));
        }
    }
}

/// How the classic tools write a time: seconds and milliseconds.
pub fn seconds(time: Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}

fn say(text: &str) {
    // Nobody may be listening.
    let _ = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests;
