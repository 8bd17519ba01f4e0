//! Runs a case's commands in a directory of its own.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use swapmfs_tests::tools;
use tempfile::TempDir;

use super::deviations;
use super::disks::Disks;
use super::files::Files;
use super::judge::{Judge, Verdict};
use super::table::Row;

/// Whose files the commands read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inputs {
    /// The reference's, each time as it made them.
    Reference,
    /// Those that our tools made before; only the disks are given.
    Own,
}

/// What is told from whether a file was written.
type Mark = (u64, i64, i64, u64);

pub(crate) struct Run<'a> {
    files: &'a Files,
    inputs: Inputs,
    dir: TempDir,
    /// The golden files in the directory, as they were when they were put there.
    placed: BTreeMap<String, Mark>,
    disks: Disks,
    judge: Judge<'a>,
    row: Row,
    faults: Vec<String>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(files: &'a Files, inputs: Inputs) -> Self {
        let dir = TempDir::new().unwrap();
        let mut run = Self {
            files,
            inputs,
            placed: BTreeMap::new(),
            disks: Disks::new(files, dir.path()),
            judge: Judge::new(files, inputs, dir.path()),
            row: Row::new(files.case(), inputs),
            faults: Vec::new(),
            dir,
        };
        for name in files.disks() {
            run.place(name);
        }
        run
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Puts a golden file into the directory, unless it is there unchanged.
    fn place(&mut self, name: &str) {
        let path = self.path(name);
        let unchanged = mark(&path).is_some_and(|mark| self.placed.get(name) == Some(&mark));
        if let Some(content) = self.files.get(name).filter(|_| !unchanged) {
            fs::write(&path, content.as_slice()).unwrap();
            self.placed.extend(mark(&path).map(|mark| (name.to_owned(), mark)));
        }
    }

    /// Runs all commands; tells what was compared, and everything that was wrong.
    pub(crate) fn all(mut self) -> (Row, Vec<String>) {
        let files = self.files;
        for entry in files.manifest()["commands"].as_array().unwrap() {
            self.command(entry);
        }
        (self.row, self.faults)
    }

    fn command(&mut self, entry: &Value) {
        let line = entry["cmd"].as_str().unwrap();
        let Some(tool) = tools::NAMES.into_iter().find(|tool| line.contains(tool)) else {
            // A comparison of files that were made before; of the reference's it says nothing.
            if self.inputs == Inputs::Own {
                self.compare(line);
            }
            return;
        };
        let reference = i32::try_from(entry["rc"].as_i64().unwrap()).unwrap();
        let deviation = deviations::find(self.files.case(), self.inputs, line, reference);
        let expected = match deviation.map(|deviation| deviation.status) {
            Some(None) => return,
            Some(Some(status)) => status,
            None => reference,
        };
        // What our imagezip made is not compressed as the reference's was.
        let line = match line.split_once("; cmp ") {
            Some((first, _)) if self.inputs == Inputs::Reference && tool == "imagezip" => first,
            _ => line,
        };
        self.prepare(line);
        let before = self.marks();
        let output = self.sh(line);
        if output.status.code() != Some(expected) {
            let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', " / ");
            self.faults.push(format!("{line}: {}, not {expected}: {said}", output.status));
            return;
        }
        let after = self.marks();
        let written = after.iter().filter(|(name, mark)| before.get(*name) != Some(mark));
        let mut verdicts: Vec<Verdict> = Vec::new();
        for (name, _) in written {
            match self.judge.file(line, name) {
                Ok(verdict) => verdicts.extend(verdict),
                Err(fault) => self.faults.push(format!("{line}: {name}: {fault:#}")),
            }
        }
        if expected == 0 {
            match self.disks.after(line, &self.judge) {
                Ok(verdict) => verdicts.extend(verdict),
                Err(fault) => self.faults.push(format!("{line}: {fault:#}")),
            }
        }
        verdicts.extend(deviation.map(|deviation| Verdict::Right(deviation.reason)));
        self.row.add(tool, &verdicts);
    }

    /// Files that the command reads.
    fn prepare(&mut self, line: &str) {
        if self.inputs == Inputs::Reference {
            for word in line.split([' ', ';']).collect::<Vec<_>>() {
                self.place(word);
            }
        } else if line.contains("base.v1.sig") && !self.path("base.v1.sig").exists() {
            // Without it, the command fails.
            if let Ok(signature) = fs::read(self.path("base.sig")) {
                fs::write(self.path("base.v1.sig"), as_version_1(signature)).unwrap();
            }
        }
        self.disks.before(line);
    }

    fn compare(&mut self, line: &str) {
        let output = self.sh(line);
        if !output.status.success() {
            self.faults.push(format!("{line}: {}", output.status));
        }
    }

    fn sh(&self, line: &str) -> Output {
        let line = line.replace("/dev/loop0", "$DISK");
        let mut command = Command::new("sh");
        command.args(["-c", &line]).current_dir(self.dir.path());
        command.env("PATH", tools::path()).env("LC_ALL", "C");
        command.env("DISK", self.disks.disk()).env("TMP", self.disks.directory());
        command.output().unwrap()
    }

    /// All files of the directory.
    fn marks(&self) -> BTreeMap<String, Mark> {
        let entries = fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap());
        let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
        let marked = files.filter_map(|entry| {
            Some((entry.file_name().into_string().ok()?, mark(&entry.path())?))
        });
        marked.collect()
    }
}

fn mark(path: &Path) -> Option<Mark> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.ino(), metadata.ctime(), metadata.ctime_nsec(), metadata.len()))
}

/// A signature in the layout of version 1, which has no field for the size of hash blocks.
fn as_version_1(mut signature: Vec<u8>) -> Vec<u8> {
    signature[8..12].copy_from_slice(&0x2003_1107_u32.to_le_bytes());
    signature[20..24].fill(0);
    signature
}
