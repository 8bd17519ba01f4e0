//! Runs one driver to its end.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time;

use super::error::one_line;
use super::{Action, Drivers, Machine, PowerErrorKind};

/// The most that is kept of what a driver writes. The rest is read and forgotten, since one that
/// can't get rid of it would stand still.
const MOST: usize = 4096;
/// How long is waited for the end of a driver's output once it has ended itself: what it left
/// running may still hold it.
const GRACE: Duration = Duration::from_secs(1);

/// How a driver ended.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) output: Vec<u8>,
    errors: Vec<u8>,
}

impl Ended {
    /// The reason that it gave, else its exit status.
    pub(super) fn why(&self) -> String {
        let said = one_line(&self.errors);
        if said.is_empty() { format!("it gave no reason; {}", self.status) } else { said }
    }
}

/// Kills a driver and all that it started, unless it has ended by itself. Its number is not given to
/// another process as long as nobody has asked for its status.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0.take() {
            // It may just have ended.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

pub(super) async fn run(
    drivers: &Drivers,
    machine: &Machine,
    action: Action,
) -> Result<Ended, (PowerErrorKind, String)> {
    let program = std::path::absolute(drivers.directory.join(machine.driver()));
    let program =
        program.map_err(|error| (PowerErrorKind::Misconfigured, format!("its path: {error}")))?;
    let mut command = Command::new(&program);
    command
        .args([machine.node().as_str(), action.as_str()])
        .env_clear()
        .env("PATH", &drivers.path)
        .envs(machine.variables())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let cannot_start = |error: io::Error| {
        let why = format!("cannot run {}: {error}", program.display());
        (kind_of_start(&error), why)
    };
    let mut child = command.spawn().map_err(cannot_start)?;
    let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    // Dropped before the child, whose status then nobody has asked for yet.
    let mut group = Group(leader);

    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let status = time::timeout(drivers.limit, async {
        let reading = async { tokio::join!(keep(stdout, &mut output), keep(stderr, &mut errors)) };
        tokio::pin!(reading);
        tokio::select! {
            status = child.wait() => {
                // From now on its number may be another's.
                group.0 = None;
                // Both are kept as far as they came.
                let _ = time::timeout(GRACE, reading).await;
                status
            }
            // Its outputs have ended; so will it.
            _ = &mut reading => {
                let status = child.wait().await;
                group.0 = None;
                status
            }
        }
    })
    .await;
    match status {
        Ok(Ok(status)) => Ok(Ended { status, output, errors }),
        Ok(Err(error)) => Err((PowerErrorKind::Failed, format!("its status: {error}"))),
        Err(_) => {
            drop(group);
            let _ = time::timeout(GRACE, child.wait()).await;
            let mut why = format!("not done after {:?}", drivers.limit);
            let said = one_line(&errors);
            if !said.is_empty() {
                why = format!("{why}: {said}");
            }
            Err((PowerErrorKind::TimedOut, why))
        }
    }
}

/// A driver that isn't there or can't be run is for somebody to install; that there are too many
/// processes or open files, or that it is just being written, passes.
fn kind_of_start(error: &io::Error) -> PowerErrorKind {
    match error.kind() {
        io::ErrorKind::OutOfMemory
        | io::ErrorKind::WouldBlock
        | io::ErrorKind::ExecutableFileBusy => PowerErrorKind::Failed,
        _ if matches!(error.raw_os_error(), Some(23 | 24)) => PowerErrorKind::Failed,
        _ => PowerErrorKind::Misconfigured,
    }
}

/// Reads to the end, and keeps the beginning.
async fn keep(from: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut from) = from else { return };
    let mut buffer = [0; 4096];
    // An error is an end, too: what counts is the exit status.
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let room = MOST.saturating_sub(kept.len());
        kept.extend(buffer.iter().take(count).take(room));
    }
}
