//! What is being done for a run at the moment, and what was last heard of it.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::task::JoinHandle;

use super::machine::{Action, ActionError};
use super::observe::{self, Heard};
use crate::db::swaps::Run;
use crate::server::Boss;

/// How often a node's heartbeat is read. It writes one every three seconds.
const LOOK: Duration = Duration::from_secs(3);
/// How long the error is waited for that a node writes to its status when it has said by tmcd that
/// it failed.
const LAST_WORDS: Duration = Duration::from_secs(8);
/// The pause after an action that failed; it doubles, up to the second.
const PAUSES: [Duration; 2] = [Duration::from_secs(2), Duration::from_mins(1)];

/// An action that is being done.
#[derive(Debug)]
struct Doing {
    action: Action,
    result: oneshot::Receiver<Result<(), ActionError>>,
}

/// What is being done for a run.
#[derive(Debug, Default)]
pub(super) struct Task {
    doing: Option<Doing>,
    failures: u32,
    not_before: Option<Instant>,
    look: Option<JoinHandle<Heard>>,
    looked: Option<Instant>,
    /// When the node was heard to have ended.
    said_at: Option<Instant>,
    /// The status that was there before the node was booted, which is not its.
    before: Option<Vec<u8>>,
    reported: i64,
    /// What went wrong and is tried again, to be told.
    pub(super) trouble: Option<String>,
}

impl Task {
    /// Whether something may be started.
    pub(super) fn is_free(&self) -> bool {
        self.doing.is_none() && self.not_before.is_none_or(|instant| instant <= Instant::now())
    }

    /// Starts an action. Boss is woken when it has ended.
    pub(super) fn start(
        &mut self,
        boss: &Arc<Boss>,
        action: Action,
        work: impl Future<Output = Result<(), ActionError>> + Send + 'static,
    ) {
        let (end, result) = oneshot::channel();
        let boss = Arc::clone(boss);
        tokio::spawn(async move {
            // Nobody listens, if another boss has the swap now. Whoever is woken must find it there.
            let _ = end.send(work.await);
            boss.wake.notify_one();
        });
        self.doing = Some(Doing { action, result });
    }

    /// How the action ended, if it has since the last call.
    pub(super) fn finished(&mut self) -> Option<(Action, Result<(), ActionError>)> {
        let doing = self.doing.as_mut()?;
        let action = doing.action;
        let result = match doing.result.try_recv() {
            Ok(result) => result,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Closed) => {
                Err(ActionError { why: "a fault of boss".to_owned(), is_final: false })
            }
        };
        self.doing = None;
        match &result {
            Ok(()) => (self.failures, self.not_before) = (0, None),
            Err(error) => {
                let doubled = PAUSES[0].saturating_mul(1 << self.failures.min(5));
                let pause = doubled.min(PAUSES[1]);
                self.failures = self.failures.saturating_add(1);
                self.not_before = Instant::now().checked_add(pause);
                // The first time, and then ever more seldom; what a node says by tmcd is often in its
                // files only some seconds later.
                let patience = if action == Action::Check { 4 } else { 1 };
                if self.failures >= patience && self.failures.is_power_of_two() {
                    self.trouble = Some(format!("{}; tried again", error.why));
                }
            }
        }
        Some((action, result))
    }

    /// What the node's files say, if that is new. Reading them may take as long as the file server
    /// likes: nobody waits for it.
    pub(super) async fn heartbeat(&mut self, boss: &Arc<Boss>, run: &Run) -> Heard {
        let mut heard = Heard::default();
        if let Some(look) = self.look.take_if(|look| look.is_finished()) {
            heard = look.await.unwrap_or_default();
            if run.signs.up_at.is_none() {
                // Whatever is there is of an earlier run.
                self.before = heard.status.take();
                heard = Heard::default();
            } else if heard.status.is_some() && heard.status == self.before {
                heard = Heard::default();
            }
        }
        let said = run.signs.startstatus.is_some();
        let said_at = said.then(|| *self.said_at.get_or_insert_with(Instant::now));
        self.said_at = said_at;
        let waited = said_at.is_some_and(|at| at.elapsed() >= LAST_WORDS);
        heard.has_error_or_never = heard.error.is_some() || waited;
        let pause = if said { LOOK / 6 } else { LOOK };
        let due = self.looked.is_none_or(|looked| looked.elapsed() >= pause);
        if run.decision.state.wants_mfs() && self.look.is_none() && due {
            self.looked = Some(Instant::now());
            self.look = Some(tokio::spawn(observe::look(Arc::clone(boss), run.clone())));
        }
        if heard.progress.as_ref() == Some(&run.decision.progress) {
            heard.progress = None;
        }
        heard
    }

    /// What is to be said of how far the node is, if so many seconds have passed since the last
    /// time.
    pub(super) fn due_report(&mut self, run: &Run, now: i64, seconds: i64) -> Option<String> {
        let since = self.reported.max(run.decision.entered_at);
        if now.saturating_sub(since) < seconds {
            return None;
        }
        self.reported = now;
        let minutes = now.saturating_sub(run.signs.up_at.unwrap_or(now)) / 60;
        let progress = &run.decision.progress;
        let mib = |bytes: u64| bytes >> 20;
        let still = now.saturating_sub(run.decision.progress_at.max(run.decision.entered_at));
        let stalled = if still > seconds {
            format!("; nothing has moved for {still} s")
        } else {
            String::new()
        };
        Some(format!(
            "still {} after {minutes} min: {} of {} MiB read, {} MiB changed, {} MiB written{stalled}",
            run.decision.state.describe(run.kind),
            mib(progress.scanned),
            mib(progress.total),
            mib(progress.changed),
            mib(progress.written)
        ))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        // Another boss has the swap now. What was begun ends by itself; a driver that is asked twice
        // does no harm.
        if let Some(look) = self.look.take() {
            look.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::swaps::Progress;
    use crate::swap::RunState;
    use crate::swap::fixture::run;

    #[test]
    fn how_far_it_is_is_said_every_minute() {
        let mut run = run(RunState::Working);
        run.signs.up_at = Some(0);
        (run.decision.entered_at, run.decision.progress_at) = (10, 130);
        let (scanned, total, changed, written) = (5 << 20, 9 << 20, 2 << 20, 1 << 20);
        let phase = "save".to_owned();
        run.decision.progress = Progress { phase, scanned, total, changed, written };
        let mut task = Task::default();
        assert_eq!(task.due_report(&run, 69, 60), None);
        let text = task.due_report(&run, 130, 60).unwrap();
        assert_eq!(text, "still saving after 2 min: 5 of 9 MiB read, 2 MiB changed, 1 MiB written");
        assert_eq!(task.due_report(&run, 189, 60), None);
        let text = task.due_report(&run, 195, 60).unwrap();
        assert!(text.ends_with("nothing has moved for 65 s"), "{text}");
    }
}
