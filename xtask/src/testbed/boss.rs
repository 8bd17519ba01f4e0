//! Boss' processes, and those that it starts, in a namespace that ends with all of them.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::nfs::namespace::Namespace;
use crate::process::{Tied, tied_command};

/// How long a command may take: loading a disk takes minutes with an emulated CPU.
const LIMIT: Duration = Duration::from_mins(15);
/// How long the room may take to be there.
const START: Duration = Duration::from_secs(10);

/// A namespace of processes in one of networks.
#[derive(Debug)]
pub(super) struct Room {
    _holder: Tied,
    /// The first process inside; when that ends, the kernel ends all others.
    first: u32,
}

/// What a command of boss came to.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its exit status.
    pub code: Option<i32>,
    /// What it printed.
    pub text: String,
    /// What it complained of.
    pub complaints: String,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
        write!(f, "exit status {code}\n{}{}", self.text, self.complaints)
    }
}

impl Room {
    pub(super) fn new(namespace: &Namespace) -> Result<Self> {
        let mut command = namespace.command("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "sleep", "infinity"]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let holder = Tied::start(command)?;
        let children = format!("/proc/{0}/task/{0}/children", holder.id());
        let deadline = Instant::now() + START;
        let first = loop {
            let first = fs::read_to_string(&children).context("the room for boss is gone")?;
            if let Ok(first) = first.trim().parse() {
                break first;
            }
            ensure!(Instant::now() < deadline, "the room for boss is not there");
            thread::sleep(Duration::from_millis(10));
        };
        Ok(Self { _holder: holder, first })
    }

    fn command(&self, program: &Path, directory: &Path, arguments: &[&str]) -> Command {
        let mut command = tied_command("nsenter");
        command.arg(format!("--target={}", self.first));
        command.args(["--net", "--mount", "--pid", "--"]).arg(program);
        command.arg("--config").arg(directory.join("boss.toml")).args(arguments);
        command.env_remove("BOSS_CONFIG").stdin(Stdio::null());
        command
    }

    /// Starts the server; what it logs goes to `boss.log`.
    pub(super) fn serve(&self, program: &Path, directory: &Path) -> Result<Tied> {
        let log = File::options().create(true).append(true).open(directory.join("boss.log"))?;
        let mut command = self.command(program, directory, &["serve"]);
        command.stdout(log.try_clone()?).stderr(log);
        Tied::start(command)
    }

    /// Runs a command to its end.
    pub(super) fn run(
        &self,
        program: &Path,
        directory: &Path,
        arguments: &[&str],
    ) -> Result<Answer> {
        self.watch(program, directory, arguments, false)
    }

    /// The same; each line is shown when it comes.
    pub(super) fn show(
        &self,
        program: &Path,
        directory: &Path,
        arguments: &[&str],
    ) -> Result<Answer> {
        self.watch(program, directory, arguments, true)
    }

    fn watch(
        &self,
        program: &Path,
        directory: &Path,
        arguments: &[&str],
        shown: bool,
    ) -> Result<Answer> {
        // Operators act in the user's name.
        let acts = ["exp", "image"].contains(arguments.first().unwrap_or(&""));
        let mut all = if acts { vec!["--as", super::LOGIN] } else { Vec::new() };
        all.extend(arguments);
        let mut command = self.command(program, directory, &all);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = Tied::start(command)?;
        let output = child.child().stdout.take().context("no output")?;
        let errors = child.child().stderr.take().context("no output")?;
        let read = |stream: Box<dyn std::io::Read + Send>| {
            thread::spawn(move || {
                let mut text = String::new();
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if shown {
                        println!("      {line}");
                    }
                    text.push_str(&line);
                    text.push('\n');
                }
                text
            })
        };
        let (output, errors) = (read(Box::new(output)), read(Box::new(errors)));
        let deadline = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = child.status()? {
                break status;
            }
            ensure!(Instant::now() < deadline, "boss {} takes too long", arguments.join(" "));
            thread::sleep(Duration::from_millis(20));
        };
        let text = output.join().unwrap_or_default();
        Ok(Answer { code: status.code(), text, complaints: errors.join().unwrap_or_default() })
    }
}
