//! The result: rows, as JSON and as Markdown.

mod markdown;

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};

use super::check::Packing;
use super::growth::Point;
use super::limits::{Limits, median, spread};
use super::program::Usage;
use super::stand::Facts;
use super::target::Target;
use crate::command::stdout;
use crate::paths;

pub(super) use markdown::seconds;

/// One job, in all its runs.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) job: String,
    /// The median.
    pub(super) seconds: f64,
    /// What no program could do it in less time than.
    pub(super) limit_seconds: Option<f64>,
    /// How many times that limit it took.
    pub(super) ratio: Option<f64>,
    /// What the reference program took, if there is one: the median.
    pub(super) reference_seconds: Option<f64>,
    /// Bytes written.
    pub(super) bytes_out: u64,
    /// The most memory, in bytes, in any run.
    pub(super) peak_rss: u64,
    /// How `limit_seconds` is found.
    pub(super) limit: String,
    /// The greatest ratio that is good enough.
    pub(super) ratio_at_most: Option<f64>,
    /// What one thread with zlib takes.
    pub(super) single_seconds: Option<f64>,
    /// Whether the target is met, if there is one.
    pub(super) met: Option<bool>,
    /// CPU time of all threads: the median.
    pub(super) cpu_seconds: Option<f64>,
    /// Each run.
    pub(super) runs: Vec<f64>,
    /// Each run of the reference program.
    pub(super) reference_runs: Vec<f64>,
    #[serde(skip)]
    cpu_runs: Vec<f64>,
}

impl Row {
    /// A job that has not run yet.
    pub(super) fn new(job: &str) -> Self {
        Self {
            job: job.to_owned(),
            seconds: 0.0,
            limit_seconds: None,
            ratio: None,
            reference_seconds: None,
            bytes_out: 0,
            peak_rss: 0,
            limit: String::new(),
            ratio_at_most: None,
            single_seconds: None,
            met: None,
            cpu_seconds: None,
            runs: Vec::new(),
            reference_runs: Vec::new(),
            cpu_runs: Vec::new(),
        }
    }

    /// Adds a run.
    pub(super) fn add(&mut self, usage: &Usage, bytes_out: u64) {
        self.runs.push(usage.seconds);
        self.cpu_runs.push(usage.cpu_seconds);
        self.seconds = median(self.runs.iter().copied()).unwrap_or_default();
        self.cpu_seconds = median(self.cpu_runs.iter().copied());
        self.peak_rss = self.peak_rss.max(usage.peak_rss);
        self.bytes_out = bytes_out;
    }

    /// Adds a run of the reference program.
    pub(super) fn add_reference(&mut self, usage: &Usage) {
        self.reference_runs.push(usage.seconds);
        self.reference_seconds = median(self.reference_runs.iter().copied());
    }

    /// Compares with the target.
    pub(super) fn judge(&mut self, target: &Target) {
        self.limit_seconds = Some(target.limit_seconds);
        self.ratio = Some(self.seconds / target.limit_seconds.max(1e-9));
        target.limit.clone_into(&mut self.limit);
        self.ratio_at_most = target.at_most;
        self.single_seconds = target.single_seconds;
        self.met = target.is_met(self.seconds);
    }

    /// Adds a condition to the target.
    pub(super) fn require(&mut self, condition: bool) {
        self.met = self.met.map(|met| met && condition);
    }

    /// Shortest and longest run.
    fn spread(&self) -> Option<(f64, f64)> {
        spread(self.runs.iter().copied())
    }
}

/// The machine that was measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    cpu: String,
    cpus: usize,
    memory_mib: u64,
    kernel: String,
    system: String,
    file_system: String,
    rustc: String,
    commit: String,
}

impl Machine {
    /// This machine.
    pub(super) fn examine() -> Result<Self> {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let after = |text: &str, key: &str, by: char| {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            let value = line.and_then(|line| line.split_once(by)).map(|(_, value)| value.trim());
            value.unwrap_or("unknown").trim_matches('"').to_owned()
        };
        let said = |program: &str, arguments: &[&str]| {
            let text =
                stdout(Command::new(program).args(arguments).current_dir(paths::workspace()));
            text.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
        };
        let memory = after(&read("/proc/meminfo"), "MemTotal", ':');
        let kib: u64 = memory.trim_end_matches(" kB").parse().unwrap_or(0);
        Ok(Self {
            cpu: after(&read("/proc/cpuinfo"), "model name", ':'),
            cpus: std::thread::available_parallelism()?.get(),
            memory_mib: kib >> 10,
            kernel: said("uname", &["-r"]),
            system: after(&read("/etc/os-release"), "PRETTY_NAME", '='),
            file_system: said("stat", &["-f", "-c", "%T", "."]),
            rustc: said("rustc", &["--version"]),
            commit: said("git", &["describe", "--always", "--dirty"]),
        })
    }
}

/// All that was measured.
#[derive(Debug)]
pub struct Report {
    pub(super) rows: Vec<Row>,
    pub(super) limits: Limits,
    pub(super) machine: Machine,
    pub(super) disk: Facts,
    pub(super) packing: Packing,
    pub(super) growth: Vec<Point>,
}

impl Report {
    /// As JSON.
    ///
    /// # Errors
    /// If a time is no number.
    pub fn json(&self) -> Result<String> {
        let limits: BTreeMap<_, Value> = self
            .limits
            .all()
            .into_iter()
            .map(|(name, measure)| {
                let (least, most) = self.limits.spread(name).unwrap_or_default();
                let value = json!({
                    "seconds": measure.seconds, "least": least, "most": most,
                    "bytes_in": measure.bytes, "bytes_out": measure.out,
                });
                (name, value)
            })
            .collect();
        let value = json!({
            "rows": self.rows, "limits": limits, "machine": self.machine, "disk": self.disk,
            "packing": self.packing, "growth": self.growth,
        });
        Ok(serde_json::to_string_pretty(&value)? + "\n")
    }

    /// As Markdown tables.
    pub fn markdown(&self) -> String {
        markdown::write(self)
    }

    /// The names of the jobs that took longer than they should.
    pub fn missed(&self) -> Vec<&str> {
        let missed = self.rows.iter().filter(|row| row.met == Some(false));
        missed.map(|row| row.job.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::tests::limits;
    use super::*;

    fn report() -> Report {
        let mut row = Row::new("full");
        for seconds in [12.0, 10.0, 14.0] {
            let usage = Usage { seconds, cpu_seconds: 2.0 * seconds, peak_rss: 1 << 20 };
            row.add(&usage, 1_000_000);
        }
        row.judge(&Target {
            limit_seconds: 10.0,
            limit: "compress",
            at_most: Some(1.25),
            single_seconds: None,
        });
        Report {
            rows: vec![row, Row::new("load")],
            limits: limits(&[("hash", 2.0)]),
            machine: Machine::examine().unwrap(),
            disk: Facts { gib: 8, bytes_in_use: 3_000_000_000, bytes_changed: 150_000_000 },
            packing: Packing { bytes: 100, payload_bytes: 98, header_bytes: 1, padding_bytes: 1 },
            growth: Vec::new(),
        }
    }

    #[test]
    fn rows_have_the_keys_that_others_read() {
        let value: Value = serde_json::from_str(&report().json().unwrap()).unwrap();
        let row = &value["rows"][0];
        assert_eq!(row["job"], "full");
        assert_eq!(row["seconds"], 12.0);
        assert_eq!(row["limit_seconds"], 10.0);
        assert_eq!(row["ratio"], 1.2);
        assert!(row["reference_seconds"].is_null() && row.get("reference_seconds").is_some());
        assert_eq!(row["bytes_out"], 1_000_000);
        assert_eq!(row["peak_rss"], 1 << 20);
        assert_eq!(row["met"], true);
    }

    #[test]
    fn a_condition_can_only_make_it_harder() {
        let mut report = report();
        report.rows[0].require(true);
        assert!(report.missed().is_empty());
        report.rows[0].require(false);
        report.rows[1].require(false);
        assert_eq!(report.missed(), ["full"]);
    }

    #[test]
    fn tables_have_as_many_columns_in_each_line() {
        let text = report().markdown();
        assert!(text.contains("| full |"), "{text}");
        for table in text.split("\n\n").filter(|part| part.starts_with('|')) {
            let columns: Vec<_> = table.lines().map(|line| line.matches('|').count()).collect();
            assert!(columns.iter().all(|count| *count == columns[0]), "{table}");
        }
    }
}
