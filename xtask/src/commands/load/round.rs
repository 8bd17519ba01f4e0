//! One round: all experiments are swapped out, or in.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use boss::db::swaps::Run;
use boss::server::Boss;
use boss::swap::{Outcome, begin, request};
use xtask::fleet::{Behaviour, Fleet, LOGIN, Limits};
use xtask::postgres::Postgres;
use xtask::process::Tied;

use super::check;
use super::measure::{Cpu, cpu_of_family, file_size, peak_memory};
use super::report::Round;

/// How long a round may take.
const LIMIT: Duration = Duration::from_mins(20);
/// How often the data base is looked at. This is not boss' work, so it is seldom.
const LOOK: Duration = Duration::from_millis(500);

/// What a round needs.
pub(super) struct Stand<'a> {
    /// For requests only; the one that works is a process of its own.
    pub(super) boss: &'a Boss,
    pub(super) fleet: &'a Fleet,
    pub(super) server: &'a Tied,
    pub(super) postgres: Option<&'a Postgres>,
}

/// What the counters were.
struct Before {
    start: Instant,
    boss: Cpu,
    postgres: f64,
    power: u64,
}

/// Everybody gives their nodes back.
pub(super) async fn swapout(stand: &Stand<'_>, limits: Limits) -> Result<Round> {
    let fleet = stand.fleet;
    let behaviours: Vec<_> = fleet.nodes().iter().map(|node| node.behaviour()).collect();
    let before = stand.begin()?;
    let mut swaps = Vec::new();
    for id in fleet.experiments() {
        let swap = request::swapout(stand.boss, &id, &LOGIN.parse()?).await;
        swaps.push(swap.map_err(|error| anyhow!("{error}"))?);
    }
    let requested = before.start.elapsed();
    let mut complaints = stand.wait(&swaps, &before).await?;
    let runs = stand.runs(&swaps).await?;
    for (node, behaviour) in fleet.nodes().iter().zip(behaviours) {
        let expected = behaviour.outcome_of_save(limits.attempts);
        complaints.extend(check::run(node, &runs, expected, behaviour == Behaviour::Good));
        complaints.extend(check::given_back(node, &runs));
    }
    stand.end(before, requested, &swaps, &runs, complaints).await
}

/// Everybody gets their nodes again; all are good.
pub(super) async fn swapin(stand: &Stand<'_>) -> Result<Round> {
    let fleet = stand.fleet;
    let before = stand.begin()?;
    let mut swaps = Vec::new();
    for id in fleet.experiments() {
        let nodes = fleet.nodes_of(&id);
        let on = nodes.iter().map(|node| (node.vname().clone(), node.node_id().clone()));
        let on: BTreeMap<_, _> = on.collect();
        let swap = begin::swapin(stand.boss, &id, &on, &LOGIN.parse()?).await;
        swaps.push(swap.map_err(|error| anyhow!("{error}"))?);
    }
    let requested = before.start.elapsed();
    let mut complaints = stand.wait(&swaps, &before).await?;
    let runs = stand.runs(&swaps).await?;
    for node in fleet.nodes() {
        complaints.extend(check::run(node, &runs, Outcome::Done, true));
        if !node.is_on() {
            complaints.push(format!("{} is off, and should run its own system", node.node_id()));
        }
    }
    stand.end(before, requested, &swaps, &runs, complaints).await
}

impl Stand<'_> {
    fn begin(&self) -> Result<Before> {
        self.fleet.samples().clear();
        self.fleet.nodes().iter().for_each(|node| node.forget());
        Ok(Before {
            start: Instant::now(),
            boss: Cpu::of(self.server.id())?,
            postgres: self.postgres_cpu()?,
            power: self.fleet.power_requests(),
        })
    }

    fn postgres_cpu(&self) -> Result<f64> {
        self.postgres.map_or(Ok(0.0), |postgres| cpu_of_family(postgres.process()))
    }

    /// Waits until all have ended, and looks meanwhile whether nodes are free that could write.
    async fn wait(&self, swaps: &[i64], before: &Before) -> Result<Vec<String>> {
        let mut complaints = Vec::new();
        let mut open = swaps.to_vec();
        let mut told = Instant::now();
        while !open.is_empty() {
            ensure!(before.start.elapsed() < LIMIT, "{} swaps have not ended", open.len());
            tokio::time::sleep(LOOK).await;
            for node in self.boss.db.free_nodes().await? {
                if self.fleet.node(&node.node_id).is_some_and(|node| node.is_on()) {
                    complaints.push(format!("{} is on, and free", node.node_id));
                }
            }
            let mut still = Vec::new();
            for id in &open {
                if self.boss.db.swap(*id).await?.is_none_or(|swap| !swap.ended) {
                    still.push(*id);
                }
            }
            open = still;
            if self.only_power_is_missing(&open).await? {
                self.fleet.mend();
            }
            if told.elapsed() > Duration::from_secs(10) {
                told = Instant::now();
                eprintln!(
                    "{:>4.0} s: {} swaps go on",
                    before.start.elapsed().as_secs_f64(),
                    open.len()
                );
            }
        }
        Ok(complaints)
    }

    /// Whether all that is waited for are machines whose power can't be controlled.
    async fn only_power_is_missing(&self, open: &[i64]) -> Result<bool> {
        let unreachable = self.fleet.nodes().iter();
        let unreachable =
            unreachable.filter(|node| node.behaviour() == Behaviour::PowerUnreachable).count();
        if unreachable == 0 || open.len() > unreachable {
            return Ok(false);
        }
        let waits = |run: &Run| {
            run.decision.off_at.is_none()
                && self.fleet.node(&run.node_id).is_none_or(|node| {
                    node.behaviour() != Behaviour::PowerUnreachable
                        || run.decision.outcome.is_none()
                })
        };
        Ok(!self.runs(open).await?.iter().any(waits))
    }

    async fn runs(&self, swaps: &[i64]) -> Result<Vec<Run>> {
        let mut runs = Vec::new();
        for id in swaps {
            runs.extend(self.boss.db.runs(*id).await?);
        }
        Ok(runs)
    }

    async fn end(
        &self,
        before: Before,
        requested: Duration,
        swaps: &[i64],
        runs: &[Run],
        mut complaints: Vec<String>,
    ) -> Result<Round> {
        let seconds = before.start.elapsed().as_secs_f64();
        let cpu = Cpu::of(self.server.id())?.since(before.boss);
        let postgres_cpu = self.postgres_cpu()? - before.postgres;
        let late = self.fleet.written_after_off();
        complaints
            .extend(late.iter().map(|path| format!("{} was written after off", path.display())));
        let mut events = 0;
        for id in swaps {
            events += self.boss.db.events(*id, 0).await?.len();
        }
        let mut outcomes = BTreeMap::new();
        for run in runs {
            let name = run.decision.outcome.map_or("none", Outcome::name);
            *outcomes.entry(name.to_owned()).or_default() += 1;
        }
        let database_mib = if let Some(server) = self.postgres {
            let bytes: f64 = server.sql("SELECT pg_database_size('boss')")?.parse()?;
            bytes / 1_048_576.0
        } else {
            file_size(self.boss.config.database.trim_start_matches("sqlite://").as_ref())
        };
        Ok(Round {
            seconds,
            request_seconds: requested.as_secs_f64(),
            outcomes,
            boss_cpu: cpu,
            postgres_cpu,
            peak_memory_mib: peak_memory(self.server.id())?,
            driver_starts: self.fleet.power_requests() - before.power,
            events,
            database_mib,
            reaction: check::reactions(self.fleet),
            requests: self.fleet.samples().summaries().into_iter().map(owned).collect(),
            complaints,
        })
    }
}

fn owned<T>((name, value): (&'static str, T)) -> (String, T) {
    (name.to_owned(), value)
}
