//! `cargo xtask bench`: how fast the tools and the agent are, against what the machine can do.
//!
//! This orders the work and judges it; what is timed in process is done by the workspace's member
//! `bench`, which is optimised. docs/performance.md says what is measured, and how to read it.

mod check;
mod codecs;
mod disk;
mod edits;
mod growth;
mod guest;
mod job;
mod limits;
mod program;
mod report;
mod stand;
mod svg;
mod target;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::{apt, paths};
use job::Job;
use limits::Limits;
use program::Programs;
use report::{Machine, Report, Row};
use stand::Stand;

/// What to measure.
#[derive(Debug)]
pub struct Options {
    /// Where the classic programs are, to be timed in the same run.
    pub reference: Option<PathBuf>,
    /// The size of the disk in GiB.
    pub gib: u64,
    /// How often each job runs.
    pub rounds: usize,
    /// Whether the agent in QEMU is measured.
    pub guests: bool,
    /// Whether disks of other sizes are measured.
    pub growth: bool,
    /// Whether the disk is made anew, though there is one of an earlier run.
    pub fresh: bool,
}

/// Where everything is left.
fn directory() -> PathBuf {
    paths::target().join("bench")
}

/// Says on standard error what comes next: standard output is for the result.
fn step(what: &str) {
    eprintln!("==> {what}");
}

/// Measures all jobs, and writes `bench.json` and `bench.md` into `target/bench`, and with disks
/// of other sizes also the curve of docs/performance.md.
///
/// # Errors
/// If something can't be built or run, or a job's result is wrong.
pub fn run(options: &Options) -> Result<Report> {
    apt::ensure(apt::DISK_TOOLS)?;
    apt::ensure(apt::OPENSSL)?;
    step("building the tools and the program that measures");
    let programs = Programs::build(options.reference.as_deref())?;
    let machine = Machine::examine()?;
    let sizes: &[u64] = if options.gib >= 8 { &[1, 2, 4] } else { &[] };

    let mut growth = Vec::new();
    if options.growth {
        for gib in sizes {
            let stand = Stand::prepare(&programs, *gib, options.fresh)?;
            growth.extend(growth::measure(&programs, &stand)?);
            stand.tidy()?;
        }
    }
    let stand = Stand::prepare(&programs, options.gib, options.fresh)?;
    let mut report = jobs(&programs, &stand, options.rounds, machine)?;
    if options.growth {
        growth.extend(growth::measure(&programs, &stand)?);
        report.growth = growth;
        let curve = paths::workspace().join("docs/performance-growth.svg");
        fs::write(curve, svg::draw(&report.growth))?;
    }
    stand.tidy()?;
    if options.guests {
        report.rows.extend(guest::measure(&programs, options.fresh)?);
    }
    let write = |name: &str, text: String| {
        let path = directory().join(name);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    };
    write("bench.json", report.json()?)?;
    write("bench.md", report.markdown())?;
    Ok(report)
}

/// Runs all jobs in turn, so that what disturbs the machine for a while disturbs all of them.
fn jobs(programs: &Programs, stand: &Stand, rounds: usize, machine: Machine) -> Result<Report> {
    let mut limits = Limits::default();
    let mut rows: Vec<Row> = Job::ALL.iter().map(|job| Row::new(job.name())).collect();
    let mut checker = check::Checker::new(programs, stand);
    let packing = check::Packing::of(programs, stand)?;
    for round in 0..rounds {
        step(&format!("round {} of {rounds}: limits", round + 1));
        limits.measure(programs, stand, round, rounds)?;
        for (job, row) in Job::ALL.iter().zip(&mut rows) {
            step(&format!("round {} of {rounds}: {}", round + 1, job.name()));
            let usage = stand.time(programs, *job, false, None)?;
            row.add(&usage, checker.check(*job)?);
            if programs.reference.is_some() && job.is_classic() {
                let usage = stand.time(programs, *job, true, None)?;
                checker.check(*job)?;
                row.add_reference(&usage);
            }
        }
        stand.remove_outputs()?;
    }
    for (job, row) in Job::ALL.iter().zip(&mut rows) {
        row.judge(&target::of(*job, &limits)?);
        if let Some(zlib) = limits.out("zlib-compress").filter(|_| *job == Job::Full) {
            row.require(packing.payload_bytes <= zlib);
        }
    }
    Ok(Report { rows, limits, machine, disk: stand.facts()?, packing, growth: Vec::new() })
}

/// The table of codecs, as Markdown.
///
/// # Errors
/// As [`run`].
pub fn codecs(options: &Options) -> Result<String> {
    apt::ensure(apt::DISK_TOOLS)?;
    let programs = Programs::build(None)?;
    let stand = Stand::prepare(&programs, options.gib, options.fresh)?;
    let table = codecs::table(&programs, &stand, options.rounds)?;
    stand.tidy()?;
    fs::write(directory().join("codecs.md"), &table)?;
    Ok(table)
}
