//! What processes have used.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use rustix::param::clock_ticks_per_second;
use serde::Serialize;

/// CPU seconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Cpu {
    /// Of the process itself.
    pub(super) own: f64,
    /// Of its children that have ended: power drivers.
    pub(super) children: f64,
}

impl Cpu {
    pub(super) fn of(process: u32) -> Result<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{process}/stat"))?)
    }

    fn parse(stat: &str) -> Result<Self> {
        let ticks = fields(stat).skip(11).take(4).map(str::parse);
        let ticks: Vec<u32> =
            ticks.collect::<std::result::Result<_, _>>().context(stat.to_owned())?;
        let [user, system, child_user, child_system] = ticks[..] else {
            anyhow::bail!("no status of a process: {stat}");
        };
        let per_second = u32::try_from(clock_ticks_per_second()).map_or(100.0, f64::from);
        Ok(Self {
            own: f64::from(user + system) / per_second,
            children: f64::from(child_user + child_system) / per_second,
        })
    }

    pub(super) fn since(self, before: Self) -> Self {
        Self { own: self.own - before.own, children: self.children - before.children }
    }
}

/// CPU seconds of a process and its children, those that are there and those that have ended.
pub(super) fn cpu_of_family(process: u32) -> Result<f64> {
    let parent = Cpu::of(process)?;
    let mut sum = parent.own + parent.children;
    for entry in fs::read_dir("/proc")? {
        // It may have ended meanwhile.
        let Ok(stat) = fs::read_to_string(entry?.path().join("stat")) else { continue };
        if fields(&stat).nth(1) == Some(process.to_string().as_str()) {
            sum += Cpu::parse(&stat)?.own;
        }
    }
    Ok(sum)
}

/// The fields of `/proc/<pid>/stat` from the third on. The name before them may have anything in it.
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace()
}

/// The most memory that a process has had, in MiB.
pub(super) fn peak_memory(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u32 =
        line.and_then(|line| line.trim().strip_suffix(" kB")).context("VmHWM")?.parse()?;
    Ok(f64::from(kib) / 1024.0)
}

/// How large a data base in a file is, with what is not in its place yet, in MiB.
pub(super) fn file_size(file: &Path) -> f64 {
    let names = ["", "-wal"].map(|suffix| format!("{}{suffix}", file.display()));
    let sizes = names.iter().filter_map(|name| fs::metadata(name).ok());
    let kib: u64 = sizes.map(|metadata| metadata.len() / 1024).sum();
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_something() {
        let cpu = Cpu::parse("7 (a b) c) R 1 7 7 0 -1 4 9 9 9 9 150 50 25 75 20 0 1 0 9").unwrap();
        assert!((cpu.own - 2.0).abs() < 1.5 && (cpu.children - 1.0).abs() < 0.8, "{cpu:?}");
        assert!(peak_memory(std::process::id()).unwrap() > 1.0);
        assert!(Cpu::of(std::process::id()).is_ok());
    }
}
