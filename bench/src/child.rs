//! Another program: its time and its memory.

use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::Serialize;
use wait4::Wait4;

/// Runs a program and waits for it; what it prints on standard output is dropped.
#[derive(Debug, Args)]
pub(crate) struct Child {
    /// Only on so many CPUs.
    #[arg(long)]
    cpus: Option<usize>,
    /// The program and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    line: Vec<OsString>,
}

/// What the program took.
#[derive(Debug, Serialize)]
pub(crate) struct Usage {
    /// From its start to its end.
    seconds: f64,
    /// CPU time of all its threads, in the program and in the kernel.
    cpu_seconds: f64,
    /// The most memory it had, in bytes.
    peak_rss: u64,
}

impl Child {
    pub(crate) fn run(self) -> Result<Usage> {
        if let Some(count) = self.cpus {
            // The child inherits it.
            limit_to(count).context("cannot be limited to some CPUs")?;
        }
        let [program, arguments @ ..] = self.line.as_slice() else { bail!("no program") };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
        let start = Instant::now();
        let child = command.spawn().with_context(|| format!("running {}", program.display()))?;
        let result = child.wait4()?;
        let seconds = start.elapsed().as_secs_f64();
        if !result.status.success() {
            bail!("{} failed: {}", program.display(), result.status);
        }
        Ok(Usage {
            seconds,
            cpu_seconds: (result.rusage.utime + result.rusage.stime).as_secs_f64(),
            peak_rss: result.rusage.maxrss,
        })
    }
}

/// Limits this process to the first `count` of the CPUs that it may use.
fn limit_to(count: usize) -> Result<()> {
    let allowed = sched_getaffinity(None)?;
    let mut chosen = CpuSet::new();
    for cpu in (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).take(count) {
        chosen.set(cpu);
    }
    Ok(sched_setaffinity(None, &chosen)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(line: &[&str]) -> Result<Usage> {
        Child { cpus: None, line: line.iter().map(OsString::from).collect() }.run()
    }

    #[test]
    fn memory_is_counted_in_bytes() {
        // GNU dd takes its buffer at once and fills it.
        let large =
            child(&["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1", "status=none"]);
        let large = large.unwrap().peak_rss;
        assert!((64 << 20..96 << 20).contains(&large), "{large}");
    }

    #[test]
    fn a_failure_is_one() {
        assert!(child(&["false"]).is_err());
        assert!(child(&["/nonexistent/program"]).is_err());
    }
}
