//! Following a swap: what happens, as it happens, and on a terminal how far each node is.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Context;
use crate::db::swaps::Event;
use crate::db::swaps::{Progress, Run};
use crate::error::{ErrorKind, Result};
use crate::swap::RunState;
use crate::swap::pace::{HowFar, Paces, clock};
use crate::view::{self, time};

/// How often it is looked.
const PERIOD: Duration = Duration::from_millis(500);
/// Longer lines would be broken, and then the next picture be drawn at the wrong place.
const WIDTH: usize = 79;
/// As shells say it of a program that SIGINT has ended.
const INTERRUPTED: u8 = 130;

/// A swap was begun: follows it, or says its number.
pub(super) async fn begun(context: &Context, swap: i64, detach: bool) -> Result<ExitCode> {
    if detach {
        let value = json!({ "swap": swap });
        context
            .print(&value, |out| writeln!(out, "swap {swap}; boss exp watch {swap} shows it"))?;
        return Ok(ExitCode::SUCCESS);
    }
    follow(context, swap).await
}

/// Prints what happens in a swap until it is over; a failure if it isn't done then.
pub(super) async fn follow(context: &Context, id: i64) -> Result<ExitCode> {
    let mut screen = Screen {
        json: context.json,
        terminal: !context.json && io::stdout().is_terminal(),
        drawn: 0,
        paces: Paces::default(),
    };
    let mut ticks = tokio::time::interval(PERIOD);
    let (mut last, mut told) = (0, false);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = tokio::signal::ctrl_c() => {
                screen.erase()?;
                eprintln!("boss: swap {id} goes on; boss exp watch {id} shows it");
                return Ok(ExitCode::from(INTERRUPTED));
            }
        }
        // First the swap: what happened before its end is all there when it is seen to be over.
        let swap = context.db.swap(id).await?;
        let none = || ErrorKind::NotFound.because(format_args!("there is no swap {id}"));
        let swap = swap.ok_or_else(none)?;
        let events = context.db.events(id, last).await?;
        last = events.last().map_or(last, |event| event.id);
        let runs = context.db.runs(id).await?;
        screen.show(events, &runs)?;
        if swap.ended {
            screen.erase()?;
            if context.json {
                let shown = view::Swap::of(&context.db, &swap).await?;
                writeln!(io::stdout(), "{}", serde_json::to_string(&shown)?)?;
            }
            let done = swap.outcome.as_deref() == Some("done");
            return Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        if !told && context.db.is_forsaken(&swap).await? {
            told = true;
            eprintln!("boss: no server looks after swap {id}: it begins when boss serve runs");
        }
    }
}

struct Screen {
    json: bool,
    terminal: bool,
    /// How many lines the picture below the events has.
    drawn: usize,
    paces: Paces,
}

impl Screen {
    fn show(&mut self, events: Vec<Event>, runs: &[Run]) -> io::Result<()> {
        if !self.terminal && events.is_empty() {
            return Ok(());
        }
        self.erase()?;
        let mut out = io::stdout().lock();
        for event in events {
            if self.json {
                let line = serde_json::to_string(&view::Event::from(event))?;
                writeln!(out, "{line}")?;
            } else {
                let mark = if event.level == "info" { "" } else { &event.level };
                let colon = if mark.is_empty() { "" } else { ": " };
                writeln!(out, "{} {mark}{colon}{}", time(event.at), event.text)?;
            }
        }
        if self.terminal {
            self.paces.note(runs, Instant::now());
            for run in runs.iter().filter(|run| run.decision.state != RunState::Released) {
                let line: String = self.line(run).chars().take(WIDTH).collect();
                writeln!(out, "{line}")?;
                self.drawn += 1;
            }
        }
        out.flush()
    }

    /// Takes the picture away, so that events stand above each other.
    fn erase(&mut self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.drawn > 0 {
            write!(out, "\x1b[{}A\x1b[J", self.drawn)?;
            self.drawn = 0;
        }
        out.flush()
    }

    fn line(&self, run: &Run) -> String {
        let line = format!("{:<16} {:<10}", run.vname, run.decision.state.describe(run.kind));
        match self.paces.how_far(run, Instant::now()) {
            Some(far) => line + &how_far(&run.decision.progress, far),
            None => line,
        }
    }
}

/// Phase, percent, pace and time left.
fn how_far(progress: &Progress, HowFar { percent, rate, left }: HowFar) -> String {
    let Progress { phase, written, .. } = progress;
    let mut text = format!(" {phase:<10} {percent:>3} %  {} MB written", written / 1_000_000);
    if let Some(left) = left {
        // Writing to a String can't fail.
        let _ = write!(text, "  {} MB/s  {} left", rate / 1_000_000, clock(left));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_long_it_takes() {
        let progress = Progress {
            phase: "save".to_owned(),
            scanned: 250_000_000,
            total: 1_000_000_000,
            changed: 0,
            written: 12_000_000,
        };
        let far = HowFar { percent: 25, rate: 10_000_000, left: Some(75) };
        let text = how_far(&progress, far);
        assert_eq!(text, " save        25 %  12 MB written  10 MB/s  1:15 left");
        assert!(!how_far(&progress, HowFar { left: None, ..far }).contains("left"));
    }
}
