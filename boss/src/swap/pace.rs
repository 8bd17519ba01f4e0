//! How fast nodes work, and how long it will take.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::RunState;
use crate::db::swaps::{Progress, Run};

/// The time that a rate is of: long enough for figures that stand still, short enough to follow a
/// disk that gets slower.
const WINDOW: Duration = Duration::from_secs(30);
/// Heartbeats come every three seconds; after so long without a change a rate goes down.
const LATE: Duration = Duration::from_secs(10);

/// The paces of runs, as somebody sees them who looks again and again.
#[derive(Debug, Default)]
pub struct Paces(HashMap<i64, Pace>);

/// What was seen of a run's phase in the last [`WINDOW`].
#[derive(Debug, Default)]
struct Pace {
    phase: String,
    /// When how many bytes were done; only when there were more.
    seen: VecDeque<(Instant, u64)>,
    /// Whether the first of them was seen to come: what was there already is older by nobody knows
    /// how much.
    exact: bool,
}

/// How far a run is in its phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HowFar {
    /// Of what there is to do.
    pub percent: u64,
    /// Bytes in a second; 0, as long as there is nothing to say.
    pub rate: u64,
    /// Seconds until the phase is over, if that can be said.
    pub left: Option<u64>,
}

impl Paces {
    /// Notes how far runs are now. Runs that aren't there any more are forgotten.
    pub fn note(&mut self, runs: &[Run], now: Instant) {
        self.0.retain(|id, _| runs.iter().any(|run| run.id == *id));
        for run in runs {
            self.0.entry(run.id).or_default().note(&run.decision.progress, now);
        }
    }

    /// How far a run is, if it is at work and says so.
    pub fn how_far(&self, run: &Run, now: Instant) -> Option<HowFar> {
        let works = matches!(run.decision.state, RunState::Working | RunState::Verifying);
        let progress = &run.decision.progress;
        let rate = self.0.get(&run.id).map_or(0, |pace| pace.rate(now));
        (works && progress.total > 0).then(|| HowFar::of(progress, rate))
    }
}

impl Pace {
    fn note(&mut self, progress: &Progress, now: Instant) {
        let last = self.seen.back().map(|(_, scanned)| *scanned);
        let goes_on = self.phase == progress.phase && last.is_some_and(|it| it <= progress.scanned);
        if !goes_on {
            self.phase.clone_from(&progress.phase);
            self.seen.clear();
            self.seen.push_back((now, progress.scanned));
            self.exact = last.is_some();
        } else if last != Some(progress.scanned) {
            if !self.exact {
                self.seen.clear();
                self.exact = true;
            }
            self.seen.push_back((now, progress.scanned));
        }
        let is_old = |(at, _): &(Instant, u64)| now.saturating_duration_since(*at) > WINDOW;
        // The window begins at the last one before it.
        while self.seen.get(1).is_some_and(is_old) {
            self.seen.pop_front();
        }
    }

    fn rate(&self, now: Instant) -> u64 {
        let (Some(first), Some(last)) = (self.seen.front(), self.seen.back()) else { return 0 };
        let silent = now.saturating_duration_since(last.0) > LATE;
        let until = if silent { now } else { last.0 };
        let elapsed = until.saturating_duration_since(first.0).as_millis();
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        let done = last.1.saturating_sub(first.1);
        done.saturating_mul(1000).checked_div(elapsed).unwrap_or_default()
    }
}

impl HowFar {
    fn of(progress: &Progress, rate: u64) -> Self {
        let Progress { scanned, total, .. } = progress;
        let percent = u128::from(*scanned) * 100 / u128::from((*total).max(1));
        let percent = u64::try_from(percent.min(100)).unwrap_or(100);
        Self { percent, rate, left: total.saturating_sub(*scanned).checked_div(rate) }
    }
}

/// Seconds as people read them: 1:05, or 2:01:05.
pub fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swap::fixture::run;

    const MB: u64 = 1_000_000;

    struct Story {
        run: Run,
        paces: Paces,
        now: Instant,
    }

    impl Story {
        fn new() -> Self {
            let mut run = run(RunState::Working);
            run.decision.progress.total = 1000 * MB;
            Self { run, paces: Paces::default(), now: Instant::now() }
        }

        fn after(&mut self, seconds: u64, phase: &str, scanned: u64) -> HowFar {
            self.now += Duration::from_secs(seconds);
            self.run.decision.progress.phase = phase.to_owned();
            self.run.decision.progress.scanned = scanned;
            self.paces.note(std::slice::from_ref(&self.run), self.now);
            self.paces.how_far(&self.run, self.now).unwrap()
        }
    }

    #[test]
    fn the_last_half_minute_counts() {
        let mut story = Story::new();
        assert_eq!(story.after(0, "save", 0), HowFar::default());
        let mut scanned = 0;
        for _ in 0..40 {
            scanned += 15 * MB;
            story.after(3, "save", scanned);
        }
        let far = story.after(1, "save", scanned);
        assert_eq!(far, HowFar { percent: 60, rate: 5 * MB, left: Some(80) });
        // Then it gets slower: after the window only that counts.
        for _ in 0..15 {
            scanned += 3 * MB;
            story.after(3, "save", scanned);
        }
        assert_eq!(story.after(0, "save", scanned).rate, MB);
    }

    #[test]
    fn a_node_that_stands_still_has_no_pace() {
        let mut story = Story::new();
        story.after(0, "save", 0);
        // When it came to the first is not known.
        assert_eq!(story.after(1, "save", 30 * MB).rate, 0);
        story.after(3, "save", 60 * MB);
        assert_eq!(story.after(9, "save", 60 * MB).rate, 10 * MB);
        assert!(story.after(3, "save", 60 * MB).rate < 3 * MB);
        let far = story.after(60, "save", 60 * MB);
        assert_eq!((far.rate, far.left), (0, None));
    }

    #[test]
    fn each_phase_and_each_attempt_begins_anew() {
        let mut story = Story::new();
        story.after(0, "save", 0);
        story.after(3, "save", 900 * MB);
        assert_eq!(story.after(3, "verify", 0).rate, 0);
        assert_eq!(story.after(3, "verify", 30 * MB).rate, 10 * MB);
        assert_eq!(story.after(3, "verify", 3 * MB).rate, 0);
        story.run.decision.state = RunState::Requested;
        assert_eq!(story.paces.how_far(&story.run, story.now), None);
        story.paces.note(&[], story.now);
        assert!(story.paces.0.is_empty());
    }

    #[test]
    fn any_numbers_will_do() {
        let mut story = Story::new();
        story.run.decision.progress.total = u64::MAX;
        story.after(0, "save", 0);
        story.after(1, "save", 1);
        let far = story.after(1, "save", u64::MAX);
        assert_eq!((far.percent, far.left), (100, Some(0)));
        assert_eq!(
            (clock(5), clock(75), clock(7265)),
            ("0:05".into(), "1:15".into(), "2:01:05".into())
        );
    }
}
