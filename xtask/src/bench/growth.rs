//! How the time of a job grows with the disk, on one CPU and on two.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;

use super::job::Job;
use super::limits::median;
use super::program::Programs;
use super::report::seconds;
use super::stand::Stand;
use super::step;

/// The jobs whose growth is shown.
pub(super) const JOBS: [Job; 4] = [Job::Delta5, Job::Full, Job::Load, Job::Signature];

/// Numbers of CPUs.
pub(super) const CPUS: [usize; 2] = [1, 2];

/// How often each is run, in turn.
const ROUNDS: usize = 2;

/// A job on a disk of some size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Point {
    #[serde(serialize_with = "name")]
    pub(super) job: Job,
    pub(super) cpus: usize,
    /// The disk's size.
    pub(super) gib: u64,
    /// Of which an image holds so much.
    pub(super) bytes_in_use: u64,
    /// The median.
    pub(super) seconds: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn name<S: serde::Serializer>(job: &Job, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(job.name())
}

/// Measures the jobs on one disk.
pub(super) fn measure(programs: &Programs, stand: &Stand) -> Result<Vec<Point>> {
    let (gib, bytes_in_use) = (stand.bench.gib, stand.facts()?.bytes_in_use);
    step(&format!("growth: {gib} GiB"));
    let mut runs: BTreeMap<(Job, usize), Vec<f64>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        for job in JOBS {
            for cpus in CPUS {
                let usage = stand.time(programs, job, false, Some(cpus))?;
                runs.entry((job, cpus)).or_default().push(usage.seconds);
            }
        }
    }
    stand.remove_outputs()?;
    let points = runs.into_iter().map(|((job, cpus), runs)| Point {
        job,
        cpus,
        gib,
        bytes_in_use,
        seconds: median(runs.into_iter()).unwrap_or_default(),
    });
    Ok(points.collect())
}

/// The points as a table in Markdown: a line for each job and number of CPUs.
pub(super) fn table(points: &[Point]) -> String {
    let mut sizes: Vec<_> = points.iter().map(|point| point.gib).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut text = String::from("| Seconds for a disk of |");
    for size in &sizes {
        let _ = write!(text, " {size} GiB |");
    }
    text.push_str("\n|---|");
    text.push_str(&"--:|".repeat(sizes.len()));
    text.push('\n');
    for job in JOBS {
        for cpus in CPUS {
            let plural = if cpus == 1 { "" } else { "s" };
            let _ = write!(text, "| {}, {cpus} CPU{plural} |", job.name());
            for size in &sizes {
                let here =
                    |point: &&Point| (point.job, point.cpus, point.gib) == (job, cpus, *size);
                let point = points.iter().find(here);
                let _ = match point {
                    Some(point) => write!(text, " {} |", seconds(point.seconds)),
                    None => write!(text, " – |"),
                };
            }
            text.push('\n');
        }
    }
    text.push('\n');
    text
}
