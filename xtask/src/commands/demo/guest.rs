//! A guest whose agent does a job: shown while it goes on, and what came of it.

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use imagezip_core::swapinfo::{Phase, Status};
use xtask::experiment::Experiment;
use xtask::qemu::{Exit, Machine, WatchdogAction};

/// How long a guest may take in all. An emulated CPU hashes and compresses slowly.
const LIMIT: Duration = Duration::from_mins(10);

/// What a guest's run showed. Times are since the machine was turned on.
pub(super) struct Run {
    pub(super) agent_started: Duration,
    pub(super) ended: Duration,
    /// What the agent says of the result, behind `mfs-result: `.
    pub(super) result: String,
    pub(super) peak_memory: String,
    pub(super) last: Status,
    phases: Vec<(String, Duration)>,
}

/// Starts the machine and shows how far its agent is, until it has turned itself off. Fails unless
/// the result begins with `word` and the last status says so, too.
pub(super) fn run(experiment: &Experiment, machine: Machine, word: &str) -> Result<Run> {
    let mut node = machine.cpus(2).watchdog(WatchdogAction::Reset).start()?;
    let started = node.wait_for_line("mfs-agent ", LIMIT)?;
    let terminal = std::io::stdout().is_terminal();
    let exit = loop {
        match node.wait(Duration::from_millis(500)) {
            Ok(exit) => break exit,
            Err(error) if node.elapsed() > LIMIT => return Err(error),
            Err(_) => {}
        }
        // One with a result is that of the run before, or of this one when it has ended.
        let status = read_status(&experiment.node_file("-swap.status"));
        if let Some(status) = status.filter(|status| terminal && status.result.is_none()) {
            print!("\r{:<78}", progress_line(&status, word));
            std::io::stdout().flush()?;
        }
    };

    let console = node.console();
    let result = console.find("mfs-result: ").map(|line| line.text).unwrap_or_default();
    let result = result.split_once("mfs-result: ").map(|(_, result)| result.trim());
    let result = result.unwrap_or("no result").to_owned();
    if exit != Exit::PowerOff || result.split_whitespace().next() != Some(word) {
        bail!("the node's disk was not {word} ({exit}): {result}\n{}", console.tail(30));
    }
    let last = read_status(&experiment.node_file("-swap.status")).context("no last status")?;
    let good = last.result == Some(0) && last.phase == Phase::Done;
    ensure!(good, "the last status is not that of a success: {last:?}");
    // Nothing of a longer line may stay on a terminal.
    let start = if terminal { "\r\x1b[K" } else { "" };
    println!("{start}{}", progress_line(&last, word));

    let lines = console.lines().into_iter();
    let phases = lines.filter_map(|line| {
        let (_, phase) = line.text.split_once("mfs-phase: ")?;
        Some((phase.trim().to_owned(), line.at))
    });
    let peak = console.find("peak memory").map(|line| line.text).unwrap_or_default();
    Ok(Run {
        agent_started: started.at,
        ended: node.elapsed(),
        peak_memory: peak.split("peak memory").nth(1).unwrap_or("?").trim().to_owned(),
        phases: phases.collect(),
        result,
        last,
    })
}

impl Run {
    /// How long a phase took: until the next one, or the end.
    pub(super) fn phase(&self, phase: Phase) -> Duration {
        let index = self.phases.iter().position(|(name, _)| name == phase.name());
        let Some(index) = index else { return Duration::ZERO };
        let end = self.phases.get(index + 1).map_or(self.ended, |(_, at)| *at);
        end.saturating_sub(self.phases[index].1)
    }

    /// A number of the result, by the word before it.
    pub(super) fn number(&self, word: &str) -> Result<u64> {
        let words = self.result.split_whitespace().filter_map(|part| part.split_once('='));
        let value = words.clone().find(|(key, _)| *key == word).map(|(_, value)| value);
        let value = value.with_context(|| format!("no {word}= in {:?}", self.result))?;
        value.parse().with_context(|| format!("{word}={value}"))
    }
}

fn read_status(path: &Path) -> Option<Status> {
    fs::read(path).ok().and_then(|text| Status::parse(&text).ok())
}

/// How far a run is whose result will begin with `word`.
fn progress_line(status: &Status, word: &str) -> String {
    let mib = |bytes: u64| bytes >> 20;
    let Status { phase, scanned, total, changed, written, .. } = status;
    let (scanned, total) = (mib(*scanned), mib(*total));
    let (changed, written) = (mib(*changed), mib(*written));
    let phase = phase.name();
    match word {
        "loaded" => format!("    {phase:<8} {scanned} of {total} MiB right, {changed} MiB written"),
        _ => format!(
            "    {phase:<8} {scanned} of {total} MiB read, {changed} MiB changed, {written} MiB \
             written"
        ),
    }
}
