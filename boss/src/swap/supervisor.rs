//! Looks at all runs of this boss' swaps every second, or when something is heard: writes down what
//! [`machine`] decides, starts what that needs done, and never waits for a node.
//!
//! What it keeps in memory (who does what at the moment) is nothing that the next boss needs: every
//! action may be done again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::actions;
use super::machine::{self, Action, Fate, Policy, Seen, Step};
use super::task::Task;
use super::{Kind, Outcome, RunState};
use crate::db::experiments::ExperimentState;
use crate::db::now;
use crate::db::swaps::{Run, Swap};
use crate::server::Boss;

/// How often all runs are looked at, if nothing is heard.
const PERIOD: Duration = Duration::from_secs(1);
/// The least time from one look to the next: when many nodes speak at once, one look is for all.
const GAP: Duration = Duration::from_millis(100);
/// For how many seconds a swap is this boss'. After so long without a sign of it another takes over.
const LEASE: i64 = 30;
/// How often "still saving" is said, in seconds.
const REPORT: i64 = 60;

/// The supervisor of one boss.
#[derive(Debug)]
pub struct Supervisor {
    boss: Arc<Boss>,
    /// Who this boss is, in the data base.
    owner: String,
    policy: Policy,
    tasks: HashMap<i64, Task>,
}

impl Supervisor {
    /// For this boss.
    pub fn new(boss: Arc<Boss>) -> Self {
        let limits = &boss.config.limits;
        let policy = Policy { attempts: limits.boot_attempts.max(1), backoff: limits.backoff };
        // Only one process at a time can listen there: what its predecessor had is its own at once.
        let owner = format!("{}:{}", boss.config.address, boss.config.listen.http.port());
        Self { boss, owner, policy, tasks: HashMap::new() }
    }

    /// Supervises for ever.
    pub async fn run(mut self) {
        loop {
            // One who hears something in the meantime finds the next look about to begin.
            let _ = timeout(PERIOD, self.boss.wake.notified()).await;
            let start = Instant::now();
            match self.look().await {
                Ok(runs) => {
                    let states = runs.iter().map(|run| (run.kind, run.decision.state));
                    self.boss.metrics.looked(states, start.elapsed());
                }
                // The data base may be away for a moment; nodes go on meanwhile.
                Err(error) => tracing::error!("supervisor: {error}"),
            }
            tokio::time::sleep(GAP.saturating_sub(start.elapsed())).await;
        }
    }

    /// Looks at all runs once.
    async fn look(&mut self) -> sqlx::Result<Vec<Run>> {
        let swaps = self.boss.db.claim_swaps(&self.owner, LEASE).await?;
        if swaps.is_empty() {
            self.tasks.clear();
            return Ok(Vec::new());
        }
        let runs = self.boss.db.runs_of_owner(&self.owner).await?;
        let ids: HashSet<i64> = runs.iter().map(|run| run.id).collect();
        self.tasks.retain(|id, _| ids.contains(id));
        let mut active = HashMap::new();
        for run in &runs {
            if !active.contains_key(&run.file_server) {
                let count = self.boss.db.active_runs(&run.file_server).await?;
                active.insert(run.file_server.clone(), count);
            }
        }
        let mut by_swap: HashMap<i64, Vec<Run>> = HashMap::new();
        for run in runs {
            by_swap.entry(run.swap_id).or_default().push(run);
        }
        let mut all = Vec::new();
        for swap in &swaps {
            let mut runs = by_swap.remove(&swap.id).unwrap_or_default();
            if let Err(error) = self.look_at(swap, &mut runs, &mut active).await {
                // One swap's trouble is not another's.
                tracing::error!(swap = swap.id, "supervisor: {error}");
            }
            all.append(&mut runs);
        }
        Ok(all)
    }

    async fn look_at(
        &mut self,
        swap: &Swap,
        runs: &mut [Run],
        active: &mut HashMap<String, u32>,
    ) -> sqlx::Result<()> {
        for run in &mut *runs {
            let room = active.get(&run.file_server).copied().unwrap_or_default();
            let turn = room < self.boss.config.limits.nodes_per_file_server;
            if self.advance(swap, run, turn).await? == Some(RunState::Booting) {
                *active.entry(run.file_server.clone()).or_default() += 1;
            }
        }
        let all: Vec<&Run> = runs.iter().collect();
        let fates: Vec<Option<Fate>> = runs
            .iter()
            .map(|run| machine::fate(swap.kind, swap.fail, swap.cancelled, run, &all))
            .collect();
        for (run, fate) in runs.iter_mut().zip(&fates) {
            self.act(swap, run, *fate).await?;
        }
        if runs.iter().all(|run| run.decision.state == RunState::Released) {
            self.conclude(swap, runs).await?;
        }
        Ok(())
    }

    /// Has the machine decide, and writes it down; the state that is entered, if one is.
    async fn advance(
        &mut self,
        swap: &Swap,
        run: &mut Run,
        turn: bool,
    ) -> sqlx::Result<Option<RunState>> {
        let task = self.tasks.entry(run.id).or_default();
        let acted = task.finished();
        let heard = task.heartbeat(&self.boss, run).await;
        let seen = Seen {
            now: now(),
            turn,
            cancelled: swap.cancelled,
            acted,
            progress: heard.progress,
            error: heard.error,
            error_is_known: heard.has_error_or_never,
        };
        let before = run.clone();
        if let Some(progress) = &seen.progress {
            run.decision.progress = progress.clone();
            run.decision.progress_at = seen.now;
        }
        match &seen.acted {
            Some((Action::BootMfs, Ok(()))) => run.decision.power_at = Some(seen.now),
            Some((Action::TurnOff, Ok(()))) => run.decision.off_at = Some(seen.now),
            _ => {}
        }
        // What was just noted counts already.
        let step = machine::step(run, &seen, self.policy);
        let mut text = None;
        let (mut entered, mut anew) = (None, false);
        match step {
            Step::Stay => {}
            Step::Enter(state) => entered = Some(state),
            Step::Stop(outcome, why) => {
                text = Some(end_text(run, outcome, &why));
                (run.decision.outcome, run.decision.reason) = (Some(outcome), why);
                entered = Some(RunState::Stopping);
            }
            Step::End(outcome, why) => {
                text = Some(end_text(run, outcome, &why));
                (run.decision.outcome, run.decision.reason) = (Some(outcome), why);
                entered = Some(RunState::Ended);
            }
            Step::Again(why) => {
                let pause = machine::pause(run.decision.attempt, self.policy);
                text = Some(("warning", format!("{why}; again in {pause} s")));
                run.decision.attempt = run.decision.attempt.saturating_add(1);
                run.decision.not_before = seen.now.saturating_add(pause);
                (run.decision.power_at, run.decision.off_at) = (None, None);
                run.decision.reason = why;
                (entered, anew) = (Some(RunState::Requested), true);
            }
        }
        if let Some(state) = entered {
            run.decision.state = state;
            run.decision.entered_at = seen.now;
            if state == RunState::Booting {
                anew = true;
            }
        }
        if *run == before {
            self.report(run, seen.now).await?;
            return Ok(None);
        }
        if !self.boss.db.decide(&self.owner, run, anew).await? {
            *run = before;
            return Ok(None);
        }
        if anew {
            run.signs = crate::db::swaps::Signs { boots: run.signs.boots, ..Default::default() };
        }
        if let Some(outcome) = run.decision.outcome.filter(|_| before.decision.outcome.is_none()) {
            self.boss.metrics.ended(run.kind, outcome);
        }
        if let Some(state) = entered {
            let (level, text) =
                text.unwrap_or_else(|| ("info", state.describe(run.kind).to_owned()));
            self.event(run, level, &text).await?;
        }
        self.report(run, seen.now).await?;
        Ok(entered)
    }

    /// Says every minute how far a node at work is.
    async fn report(&mut self, run: &Run, now: i64) -> sqlx::Result<()> {
        if !matches!(run.decision.state, RunState::Working | RunState::Verifying) {
            return Ok(());
        }
        let Some(task) = self.tasks.get_mut(&run.id) else { return Ok(()) };
        if let Some(text) = task.due_report(run, now, REPORT) {
            self.event(run, "info", &text).await?;
        }
        Ok(())
    }

    /// Starts what the run needs done, unless it is being done.
    async fn act(&mut self, swap: &Swap, run: &mut Run, fate: Option<Fate>) -> sqlx::Result<()> {
        match machine::wanted(run, fate) {
            Some(action) => {
                let task = self.tasks.entry(run.id).or_default();
                if let Some(text) = task.trouble.take() {
                    self.boss.db.add_event(swap.id, Some(run.id), "warning", &text).await?;
                }
                if task.is_free() {
                    let work = actions::perform(&self.boss, swap, run, action);
                    task.start(&self.boss, action, work);
                }
            }
            // Nothing is left to do for it.
            None if fate.is_some() && run.decision.state == RunState::Ended => {
                run.decision.state = RunState::Released;
                run.decision.entered_at = now();
                self.boss.db.decide(&self.owner, run, false).await?;
            }
            None => {}
        }
        Ok(())
    }

    /// All nodes are where they belong: so is the experiment.
    async fn conclude(&mut self, swap: &Swap, runs: &[Run]) -> sqlx::Result<()> {
        let all: Vec<&Run> = runs.iter().collect();
        let good = machine::succeeded(&all);
        let given_back = match swap.kind {
            Kind::Swapout => good || !(swap.fail || swap.cancelled),
            Kind::Swapin => !good,
            Kind::Load | Kind::Capture => false,
        };
        let outcome = match (good, swap.kind) {
            (true, _) => "done",
            (false, Kind::Swapout) if given_back => "warned",
            (false, _) => "failed",
        };
        let (experiment, db) = (swap.experiment(), &self.boss.db);
        let from = match swap.kind {
            Kind::Swapout => ExperimentState::Swapping,
            _ => ExperimentState::Activating,
        };
        let to = if given_back { ExperimentState::Swapped } else { ExperimentState::Active };
        let text = format!("{} of {experiment} {outcome}: {}", swap.kind, summary(runs));
        db.add_event(swap.id, None, if good { "info" } else { "error" }, &text).await?;
        db.move_experiment(&experiment, from, to).await?;
        if good {
            db.set_swapper(&experiment, &swap.requested_by).await?;
        }
        db.end_swap(&self.owner, swap.id, outcome).await?;
        actions::after(&self.boss, swap, runs).await;
        Ok(())
    }

    async fn event(&self, run: &Run, level: &str, text: &str) -> sqlx::Result<()> {
        let text = format!("{} on {}: {text}", run.vname, run.node_id);
        self.boss.db.add_event(run.swap_id, Some(run.id), level, &text).await
    }
}

fn end_text(run: &Run, outcome: Outcome, why: &str) -> (&'static str, String) {
    let word = outcome.describe(run.kind, &run.command);
    match outcome {
        Outcome::Done if why.is_empty() => ("info", word.to_owned()),
        Outcome::Done | Outcome::Skipped => ("info", format!("{word}: {why}")),
        Outcome::Failed | Outcome::TimedOut => ("error", format!("{word}: {why}")),
    }
}

/// How many ended how.
fn summary(runs: &[Run]) -> String {
    let outcomes = [Outcome::Done, Outcome::Skipped, Outcome::Failed, Outcome::TimedOut];
    let counts = outcomes.into_iter().filter_map(|outcome| {
        let these = runs.iter().filter(|run| run.decision.outcome == Some(outcome));
        let names: Vec<_> = these.map(|run| run.vname.as_str()).collect();
        let first = runs.first()?;
        let word = outcome.describe(first.kind, &first.command);
        let listed =
            if names.len() > 8 { String::new() } else { format!(" ({})", names.join(" ")) };
        (!names.is_empty()).then(|| format!("{} {word}{listed}", names.len()))
    });
    let counts: Vec<_> = counts.collect();
    if counts.is_empty() { "no nodes".to_owned() } else { counts.join(", ") }
}
