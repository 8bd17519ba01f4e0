//! A guest that runs.

use super::console::{Console, Line};
use super::control::Control;
use super::exit::Exit;
use crate::process::Tied;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How often a guest is looked at while waiting for its end.
const LOOK: Duration = Duration::from_millis(20);
/// How long the readers may take to see the end of a dead QEMU's output.
const DRAIN: Duration = Duration::from_secs(10);
/// How much of the console an error shows.
const TAIL_LINES: usize = 30;

/// A running guest. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    qemu: Tied,
    control: Control,
    console: Console,
    log: PathBuf,
    start: Instant,
    killed: bool,
}

/// The marks of a boot, each since the start of QEMU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootTimes {
    /// The kernel's first line.
    pub kernel: Option<Duration>,
    /// The kernel starts PID 1.
    pub init: Option<Duration>,
}

impl Running {
    pub(super) fn attach(mut qemu: Tied, log: &Path) -> Result<Self> {
        let start = Instant::now();
        let child = qemu.child();
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else { bail!("QEMU has no pipes") };
        let console = Console::start(stderr, log, start)?;
        let control = Control::start(stdin, stdout).map_err(|error| {
            console.wait_for_end(DRAIN);
            error.context(console.tail(TAIL_LINES))
        })?;
        Ok(Self { qemu, control, console, log: log.to_owned(), start, killed: false })
    }

    /// Waits for the guest's end. An error when the time is over; the guest then still runs.
    pub fn wait(&mut self, timeout: Duration) -> Result<Exit> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = self.qemu.status()? {
                self.console.wait_for_end(DRAIN);
                self.control.wait_for_end();
                if self.killed {
                    return Ok(Exit::Killed);
                }
                let panicked = self.console.find("Kernel panic - not syncing").is_some();
                let status = format!("{status}\n{}", self.console.tail(TAIL_LINES));
                return Ok(Exit::classify(&self.control.events(), panicked, &status));
            }
            if Instant::now() >= deadline {
                bail!(self.complaint(&format!("did not end within {} s", timeout.as_secs())));
            }
            thread::sleep(LOOK);
        }
    }

    /// Waits for a line that contains `text`; lines that already came count. An error when the
    /// time is over or the guest ends without it.
    pub fn wait_for_line(&self, text: &str, timeout: Duration) -> Result<Line> {
        self.console.wait_for(text, timeout).with_context(|| {
            let why = if self.console.has_ended() {
                "ended without saying".to_owned()
            } else {
                format!("did not say within {} s", timeout.as_secs())
            };
            self.complaint(&format!("{why}: `{text}`"))
        })
    }

    /// What the guest has said.
    pub fn console(&self) -> &Console {
        &self.console
    }

    /// The time since QEMU was started.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The marks of the boot so far.
    pub fn boot_times(&self) -> BootTimes {
        let at = |text| self.console.find(text).map(|line| line.at);
        BootTimes { kernel: at("Linux version"), init: at(" as init process") }
    }

    /// Kills the guest like a power failure: nothing is flushed, nobody is told.
    pub fn kill(&mut self) -> Result<()> {
        self.killed = self.qemu.status()?.is_none();
        self.qemu.kill().map(drop)
    }

    /// Stops the guest's CPUs.
    pub fn pause(&mut self) -> Result<()> {
        self.control.execute("stop", &json!({})).map(drop)
    }

    /// Lets the guest's CPUs go on.
    pub fn resume(&mut self) -> Result<()> {
        self.control.execute("cont", &json!({})).map(drop)
    }

    /// Plugs the network cable in or pulls it out, that of the first card.
    pub fn set_network(&mut self, plugged: bool) -> Result<()> {
        self.set_cable(0, plugged)
    }

    /// Plugs the cable of card `index` in or pulls it out.
    pub fn set_cable(&mut self, index: usize, plugged: bool) -> Result<()> {
        let name = format!("net{index}");
        self.control.execute("set_link", &json!({ "name": name, "up": plugged })).map(drop)
    }

    /// How many bytes the guest has written to each disk, in the order they were added.
    pub fn bytes_written(&mut self) -> Result<Vec<u64>> {
        let reply = self.control.execute("query-blockstats", &json!({}))?;
        let devices = reply.as_array().context("query-blockstats returns no list")?;
        devices
            .iter()
            .filter(|device| device["device"].as_str().is_some_and(|name| name.starts_with("disk")))
            .map(|device| device["stats"]["wr_bytes"].as_u64().context("no wr_bytes"))
            .collect()
    }

    /// Runs any QMP command.
    pub fn qmp(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        self.control.execute(command, arguments)
    }

    fn complaint(&self, what: &str) -> String {
        format!(
            "the guest {what}; its last lines (all of them: {}):\n{}",
            self.log.display(),
            self.console.tail(TAIL_LINES)
        )
    }
}
