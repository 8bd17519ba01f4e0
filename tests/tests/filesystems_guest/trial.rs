//! One boot after the other, and what this machine's programs do between them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fixtures::results::Row;
use fixtures::{Disk, judge};
use imagezip_core::filesystem::{Examined, Verdict};
use xtask::guest::{Guest, Job};
use xtask::{apt, paths};

use crate::case::{Case, Expected};

/// An emulated CPU that is shared is slow.
const LIMIT: Duration = Duration::from_mins(12);

/// The least part of the free sectors that has to be found.
const LEAST_RECALL: f64 = 0.99;

/// Cases and their disks.
pub(crate) struct Trial {
    guest: Guest,
    directory: PathBuf,
    cases: &'static [Case],
    /// Those of a case, for each of them.
    pub(crate) disks: Vec<Vec<Disk>>,
}

impl Trial {
    pub(crate) fn new(name: &str, cases: &'static [Case]) -> Result<Self> {
        apt::ensure(apt::FILE_SYSTEMS)?;
        let directory = paths::target().join("tests/filesystems_guest").join(name);
        let _ = fs::remove_dir_all(&directory);
        let blank = |case: &Case| case.disks.iter().map(|mib| Disk::blank(*mib)).collect();
        let disks = cases.iter().map(blank).collect::<Result<_>>()?;
        Ok(Self { guest: Guest::prepare()?, directory, cases, disks })
    }

    /// Runs a script with these disks to its end.
    pub(crate) fn boot(&self, name: &str, script: &str, disks: &[Vec<Disk>]) -> Result<PathBuf> {
        let directory = self.directory.join(name);
        with_job(&directory, script, disks, |job| self.guest.run(job))?;
        Ok(directory)
    }

    /// Runs a script until it asks for the power to be cut.
    pub(crate) fn cut(&self, name: &str, script: &str, longer: Duration) -> Result<PathBuf> {
        let directory = self.directory.join(name);
        with_job(&directory, script, &self.disks, |job| self.guest.run_until_cut(job, longer))?;
        Ok(directory)
    }

    /// What our parsers find on each case's disks.
    pub(crate) fn examine(&self) -> Result<Vec<Vec<Examined>>> {
        let mut all = Vec::new();
        for (case, disks) in self.cases.iter().zip(&self.disks) {
            let found = disks.iter().map(Disk::examine).collect::<Result<Vec<_>>>()?;
            for examined in &found {
                println!("{}: {}", case.name, describe(examined));
            }
            all.push(found);
        }
        Ok(all)
    }

    /// The disks as they are where only what is in use was restored.
    pub(crate) fn restored(&self, found: &[Vec<Examined>]) -> Result<Vec<Vec<Disk>>> {
        let restore = |(disks, found): (&Vec<Disk>, &Vec<Examined>)| {
            let pairs = disks.iter().zip(found);
            pairs.map(|(disk, found)| judge::restored(disk, &found.in_use)).collect()
        };
        self.disks.iter().zip(found).map(restore).collect()
    }

    /// The part of what is free by the kernel's words (`NAME.free`, after a use) that is found. It is
    /// more than 1 where the kernel keeps some for itself.
    pub(crate) fn recall(&self, used: &Path, found: &[Vec<Examined>]) -> Result<Vec<Option<f64>>> {
        let mut recalls = Vec::new();
        for ((case, disks), found) in self.cases.iter().zip(&self.disks).zip(found) {
            if case.expected != Expected::Aware {
                recalls.push(None);
                continue;
            }
            let file = used.join(format!("{}.free", case.name));
            let text = fs::read_to_string(&file).context(file.display().to_string())?;
            let numbers = text.split_whitespace().map(str::parse::<u64>);
            let free: u64 = numbers.sum::<Result<u64, _>>()?;
            ensure!(free > 0, "{}: nothing is free, so nothing is compared", case.name);
            // Mirrors have it once each.
            let (mut ours, mut theirs) = (0, 0);
            for (disk, found) in disks.iter().zip(found) {
                ours += found.in_use.complement(disk.sectors()?).sector_count().to_bytes().get();
                theirs += free;
            }
            let recall = ratio(ours, theirs);
            println!("{}: {:.2} % of {theirs} bytes", case.name, recall * 100.0);
            recalls.push(Some(recall));
        }
        Ok(recalls)
    }

    /// Whether the same files were found in two guests, `which` of them; how many those are, of each
    /// case.
    pub(crate) fn compare(&self, before: &Path, after: &Path, which: &str) -> Result<Vec<usize>> {
        let mut counts = Vec::new();
        for case in self.cases {
            let mut count = 0;
            for number in 0..case.volumes.len() {
                let name = format!("{}.{number}.{which}", case.name);
                let [was, is] = [before, after].map(|directory| directory.join(&name));
                let (was, is) = (fs::read_to_string(was)?, fs::read_to_string(is)?);
                ensure!(!was.is_empty(), "{name}: there are no files");
                let differs = was.lines().find(|line| !is.lines().any(|other| other == *line));
                ensure!(was == is, "{name}: not the same files; the first: {differs:?}");
                count += was.lines().count();
            }
            counts.push(count);
        }
        Ok(counts)
    }

    /// Keeps what was found for the table, and fails if the verdicts are others than expected, or too
    /// little of what is free is found.
    pub(crate) fn record(
        &self,
        state: &str,
        oracle: &str,
        found: &[Vec<Examined>],
        recalls: &[Option<f64>],
        files: &[usize],
    ) -> Result<()> {
        let mut complaints = Vec::new();
        for (((case, found), recall), files) in self.cases.iter().zip(found).zip(recalls).zip(files)
        {
            let is_aware = |found: &Examined| matches!(found.verdict, Verdict::Aware(_));
            let is_wrong = |found: &&Examined| match case.expected {
                Expected::Aware => !is_aware(found),
                Expected::Raw => is_aware(found),
                Expected::Either => false,
            };
            complaints.extend(
                found
                    .iter()
                    .filter(is_wrong)
                    .map(|found| format!("{}: {}", case.name, found.verdict)),
            );
            if let Some(recall) = recall.filter(|recall| *recall < LEAST_RECALL) {
                complaints.push(format!("{}: {:.2} %", case.name, recall * 100.0));
            }
            let whole = if found.iter().all(is_aware) { "" } else { "saved whole; " };
            let exact = recall.filter(|recall| *recall < 1.001);
            Row {
                kind: case.kind.into(),
                variant: case.variant.into(),
                state: state.into(),
                oracle: exact.map_or("", |_| oracle).into(),
                recall: exact.map(|recall| recall.min(1.0)),
                restored: format!("{whole}{}, {files} files", case.judge),
            }
            .record()?;
        }
        ensure!(complaints.is_empty(), "not what was expected: {complaints:?}");
        Ok(())
    }
}

/// Runs a job in a directory of its own, with the program that it uses.
fn with_job(
    directory: &Path,
    script: &str,
    disks: &[Vec<Disk>],
    run: impl FnOnce(&Job) -> Result<()>,
) -> Result<()> {
    fs::create_dir_all(directory)?;
    fs::copy(env!("CARGO_BIN_EXE_guest_files"), directory.join("tool"))?;
    let disks: Vec<PathBuf> = disks.iter().flatten().map(|disk| disk.path().to_owned()).collect();
    run(&Job { directory, script, disks: &disks, limit: LIMIT })
}

fn describe(examined: &Examined) -> String {
    let parts: Vec<String> =
        examined.parts.iter().map(|part| format!("{} {}", part.name, part.verdict)).collect();
    format!("{} {parts:?} {:?}", examined.verdict, examined.notes)
}

#[expect(clippy::cast_precision_loss, reason = "test disks are small")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
