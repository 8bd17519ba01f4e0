//! The report, for people and as JSON.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Result, ensure};
use serde::Serialize;
use xtask::fleet::Summary;

use super::measure::Cpu;

/// What a run was.
#[derive(Debug, Serialize)]
pub(super) struct Head {
    pub(super) nodes: usize,
    pub(super) misbehaving: usize,
    pub(super) experiments: usize,
    /// How many nodes may be at work with the file server at once.
    pub(super) at_once: u32,
    pub(super) database: String,
    pub(super) cpus: usize,
}

/// What was measured in a round. Times of requests are milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Round {
    pub(super) seconds: f64,
    /// Until all swaps were asked for. That is done by this program, one after another.
    pub(super) request_seconds: f64,
    pub(super) outcomes: BTreeMap<String, usize>,
    pub(super) boss_cpu: Cpu,
    pub(super) postgres_cpu: f64,
    /// Since boss was started.
    pub(super) peak_memory_mib: f64,
    pub(super) driver_starts: u64,
    pub(super) events: usize,
    pub(super) database_mib: f64,
    /// From a good node's last word until boss has had it turned off.
    pub(super) reaction: Summary,
    pub(super) requests: BTreeMap<String, Summary>,
    /// What should not have been.
    pub(super) complaints: Vec<String>,
}

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    #[serde(flatten)]
    pub(super) head: Head,
    pub(super) swapout: Round,
    pub(super) swapin: Round,
}

impl Report {
    /// Fails if something was not as it should be.
    pub(super) fn judge(&self) -> Result<()> {
        let complaints = [&self.swapout.complaints[..], &self.swapin.complaints].concat();
        ensure!(
            complaints.is_empty(),
            "{} things were wrong; the first are\n{}",
            complaints.len(),
            complaints.iter().take(20).map(String::as_str).collect::<Vec<_>>().join("\n")
        );
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Head { nodes, misbehaving, experiments, at_once, database, cpus } = &self.head;
        writeln!(
            f,
            "{nodes} nodes in {experiments} experiments, {misbehaving} misbehave in the swapout; \
             at most {at_once} at once; {database}; {cpus} CPUs for all"
        )?;
        for (name, round) in [("swapout", &self.swapout), ("swapin", &self.swapin)] {
            round.show(f, name, *nodes)?;
        }
        Ok(())
    }
}

impl Round {
    fn show(&self, f: &mut fmt::Formatter<'_>, name: &str, nodes: usize) -> fmt::Result {
        let outcomes = self.outcomes.iter().map(|(name, count)| format!("{count} {name}"));
        let outcomes: Vec<_> = outcomes.collect();
        let count = f64::from(u32::try_from(nodes).unwrap_or(1).max(1));
        let Self { seconds, request_seconds, boss_cpu: Cpu { own, children }, .. } = self;
        writeln!(f, "\n{name}: {}", outcomes.join(", "))?;
        writeln!(
            f,
            "  wall time            {seconds:.1} s, of which {request_seconds:.1} s until all was asked for"
        )?;
        writeln!(
            f,
            "  boss' CPU            {own:.1} s, {:.1} % of one CPU, {:.1} ms for each node",
            own / seconds * 100.0,
            own / count * 1000.0
        )?;
        writeln!(
            f,
            "  power drivers' CPU   {children:.1} s, {} starts, {:.1} ms for each node",
            self.driver_starts,
            children / count * 1000.0
        )?;
        if self.postgres_cpu > 0.0 {
            let cpu = self.postgres_cpu;
            writeln!(
                f,
                "  PostgreSQL's CPU     {cpu:.1} s, {:.1} ms for each node",
                cpu / count * 1000.0
            )?;
        }
        writeln!(f, "  boss' peak memory    {:.1} MiB", self.peak_memory_mib)?;
        writeln!(f, "  data base            {:.1} MiB, {} events", self.database_mib, self.events)?;
        writeln!(
            f,
            "  {:<20} {:>7} {:>7} {:>9} {:>9} {:>9}",
            "ms", "count", "failed", "p50", "p99", "max"
        )?;
        let reaction = ("last word to off", &self.reaction);
        let requests = self.requests.iter().map(|(name, summary)| (name.as_str(), summary));
        for (name, Summary { count, failed, p50, p99, max }) in requests.chain([reaction]) {
            writeln!(f, "  {name:<20} {count:>7} {failed:>7} {p50:>9.1} {p99:>9.1} {max:>9.1}")?;
        }
        writeln!(f, "  wrong                {}", self.complaints.len())
    }
}
