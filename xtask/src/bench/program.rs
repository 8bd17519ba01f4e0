//! The programs that are timed, and the one that times them.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{command, paths, tools};

/// The classic tools that a reference directory has to have.
const CLASSIC: [&str; 3] = ["imagezip", "imageunzip", "imagehash"];

/// Where the programs are.
#[derive(Debug)]
pub(super) struct Programs {
    /// The program that measures.
    pub(super) bench: PathBuf,
    /// The project's tools.
    pub(super) tools: PathBuf,
    /// Other programs for the same work.
    pub(super) reference: Option<PathBuf>,
}

/// What a program took.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub(super) struct Usage {
    /// From its start to its end.
    pub(super) seconds: f64,
    /// CPU time of all threads.
    pub(super) cpu_seconds: f64,
    /// The most memory it had, in bytes.
    pub(super) peak_rss: u64,
}

impl Programs {
    /// Builds what is the project's own.
    pub(super) fn build(reference: Option<&Path>) -> Result<Self> {
        let reference = reference
            .map(|path| {
                let path = path.canonicalize().with_context(|| path.display().to_string())?;
                for name in CLASSIC {
                    ensure!(path.join(name).is_file(), "{} has no {name}", path.display());
                }
                Ok(path)
            })
            .transpose()?;
        let tools = tools::build()?.directory;
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["build", "--quiet", "--locked", "--release"])
            .args(["--package", "bench", "--features", "c-codecs"])
            .current_dir(paths::workspace());
        command::run(&mut cargo).context("the program that measures could not be built")?;
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(paths::target, PathBuf::from);
        Ok(Self { bench: target.join("release/bench"), tools, reference })
    }

    /// One of the project's tools.
    pub(super) fn tool(&self, name: &str) -> Command {
        Command::new(self.tools.join(name))
    }

    /// What the measuring program says to these arguments.
    pub(super) fn ask<T: DeserializeOwned>(&self, arguments: &[&OsStr]) -> Result<T> {
        let text = command::stdout(Command::new(&self.bench).args(arguments))?;
        serde_json::from_str(&text).with_context(|| format!("the answer to {arguments:?}"))
    }

    /// Runs a program on `cpus` CPUs, or on all, and says what it took.
    pub(super) fn time(&self, cpus: Option<usize>, line: &[OsString]) -> Result<Usage> {
        let cpus = cpus.map(|count| count.to_string());
        let mut arguments = vec![OsStr::new("child")];
        if let Some(cpus) = &cpus {
            arguments.extend([OsStr::new("--cpus"), OsStr::new(cpus)]);
        }
        arguments.push(OsStr::new("--"));
        arguments.extend(line.iter().map(OsString::as_os_str));
        self.ask(&arguments)
    }
}
