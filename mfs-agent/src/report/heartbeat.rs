//! The heartbeat: a thread that keeps `<vname>-swap.status` and the log file up to date.
//!
//! It is the only one that writes them, so that whoever reports a failure never waits for the
//! file server longer than they want to.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use core::time::Duration;

use imagezip_core::swapinfo::{Phase, Status};
use rustix::fd::OwnedFd;
use rustix::fs::{
    AtFlags, Mode, OFlags, chmodat, fchmod, fsync, mkdirat, openat, renameat, unlinkat,
};
use rustix::io::{Errno, Result};

use super::ending::ENDED;
use super::time::{Utc, unix_time};
use super::{ending, journal};
use crate::failure::{FailureKind, Os};
use crate::file::{list_opened, write_all};
use crate::progress::{Progress, Snapshot};
use crate::project::swapinfo::SwapInfo;
use crate::threads::Threads;

/// How many logs of earlier runs of a node stay.
const LOGS_KEPT: usize = 20;
/// How often. Readers may take a run for dead after several times this.
const PERIOD: Duration = Duration::from_secs(3);

/// Starts the thread. It uses the files as the user that the caller is.
///
/// # Errors
/// `Resource`
pub fn start(
    threads: &dyn Threads,
    info: Arc<SwapInfo>,
    progress: &'static Progress,
) -> crate::failure::Result<()> {
    ending::PROJECT.expect();
    threads.start(Box::new(move || beat(&info, progress))).map(drop).map_err(|errno| {
        FailureKind::Resource.because(format_args!("cannot start a thread: {}", Os(errno)))
    })
}

fn beat(info: &SwapInfo, progress: &Progress) {
    let mut trouble = Trouble::default();
    let mut log_file = None;
    loop {
        let ended = ENDED.wait(PERIOD);
        let status = status(progress.snapshot());
        trouble.note("status", write_status(info, &status, ended));
        if ended && let Some(ending) = ending::get() {
            // Who announced it may not have dared to log it: the log takes a lock.
            let level = if ending.code == 0 { log::Level::Info } else { log::Level::Error };
            journal::keep(level, format_args!("{ending}"));
        }
        trouble.note("log", write_log(info, &mut log_file, ended));
        if ended {
            return ending::PROJECT.done();
        }
    }
}

/// Logs that writing fails or works again, but not each time.
#[derive(Default)]
struct Trouble(Option<Errno>);

impl Trouble {
    fn note(&mut self, what: &str, result: Result<()>) {
        if let Err(errno) = result
            && self.0.replace(errno) != Some(errno)
        {
            log::warn!("cannot write the {what} of the run: {}", Os(errno));
        }
    }
}

fn status(snapshot: Snapshot) -> Status {
    let Snapshot { phase, scanned, total, changed, written, .. } = snapshot;
    let ending = ending::get();
    let failed = ending.filter(|ending| ending.code != 0);
    Status {
        phase: match ending {
            None => phase,
            Some(ending) if ending.code == 0 => Phase::Done,
            Some(_) => Phase::Failed,
        },
        scanned,
        total,
        changed,
        written,
        time: unix_time(),
        result: ending.map(|ending| ending.code),
        error: failed.map(|ending| ending.text.as_str().to_string()),
    }
}

/// Replaces the status file. The data go to the server when the file is closed.
fn write_status(info: &SwapInfo, status: &Status, sync: bool) -> Result<()> {
    let name = format!("{}-swap.status", info.vname());
    let temporary = format!("{name}.tmp");
    let directory = info.directory();
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW;
    let file = create(directory, &temporary, flags)?;
    write_all(&file, status.to_string().as_bytes())?;
    if sync {
        fsync(&file)?;
    }
    drop(file);
    renameat(directory, temporary.as_str(), directory, name.as_str())
}

/// Appends what was logged since the last time to `logs/<vname>.<utc>.log`.
fn write_log(info: &SwapInfo, log_file: &mut Option<OwnedFd>, sync: bool) -> Result<()> {
    let file = match log_file {
        Some(file) => file,
        None => log_file.insert(open_log(info)?),
    };
    write_all(&*file, journal::take().as_bytes())?;
    if sync { fsync(&*file) } else { Ok(()) }
}

/// Makes the log file of the run, and room for it.
fn open_log(info: &SwapInfo) -> Result<OwnedFd> {
    let directory = info.directory();
    let mode = Mode::from_raw_mode(0o770);
    match mkdirat(directory, c"logs", mode) {
        Ok(()) => {
            // Whatever the mask is; the group's members keep their logs here too.
            let _ = chmodat(directory, c"logs", mode, AtFlags::empty());
        }
        Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
    if let Err(errno) = remove_old_logs(info) {
        log::warn!("cannot remove old logs: {}", Os(errno));
    }
    let name = format!("logs/{}.{}.log", info.vname(), Utc::now().compact());
    create(directory, &name, OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::NOFOLLOW)
}

/// Removes the node's oldest log files but for [`LOGS_KEPT`].
fn remove_old_logs(info: &SwapInfo) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let logs = openat(info.directory(), c"logs", flags, Mode::empty())?;
    // The name of a node has no dot. The rest of the file's name sorts by time.
    let prefix = format!("{}.", info.vname());
    let again = openat(&logs, c".", flags, Mode::empty())?;
    let mut names = list_opened(again)?;
    names.retain(|name| name.starts_with(&prefix) && name.strip_suffix(".log").is_some());
    let excess = names.len().saturating_sub(LOGS_KEPT);
    for name in names.iter().take(excess) {
        unlinkat(&logs, name.as_str(), AtFlags::empty())?;
    }
    Ok(())
}

fn create(directory: &OwnedFd, name: &str, flags: OFlags) -> Result<OwnedFd> {
    let mode = Mode::from_raw_mode(0o660);
    let file = openat(directory, name, flags | OFlags::CLOEXEC, mode)?;
    // Whatever the mask is. Who may write the file but doesn't own it can't.
    let _ = fchmod(&file, mode);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmdline::Node;
    use crate::names::{Name, NameKind};
    use std::fs;

    #[test]
    fn status_and_log_are_there_for_the_group() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("testbed/exp/exp1/swapinfo");
        fs::create_dir_all(&path).unwrap();
        let name = |kind, text| Name::new(kind, text).unwrap();
        let node = Node {
            pid: name(NameKind::Project, "testbed"),
            eid: name(NameKind::Experiment, "exp1"),
            vname: name(NameKind::Node, "n"),
        };
        let info = SwapInfo::open(root.path(), &node).unwrap();
        let progress = Progress::new();
        progress.enter(Phase::Save);
        progress.set_total(100);
        let written = status(progress.snapshot());
        for sync in [false, true] {
            write_status(&info, &written, sync).unwrap();
        }
        let file = path.join("n-swap.status");
        let read = Status::parse(&fs::read(&file).unwrap()).unwrap();
        assert_eq!((read.phase, read.total, read.result), (Phase::Save, 100, None));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o660);
        fs::create_dir(path.join("logs")).unwrap();
        for day in 10..40 {
            fs::write(path.join(format!("logs/n.199901{day}T000000Z.log")), "").unwrap();
        }
        fs::write(path.join("logs/n2.19990101T000000Z.log"), "").unwrap();
        let mut log_file = None;
        write_log(&info, &mut log_file, false).unwrap();
        write_log(&info, &mut log_file, true).unwrap();
        let logs = crate::file::list(path.join("logs")).unwrap();
        assert_eq!(logs.len(), LOGS_KEPT + 2);
        assert_eq!(logs[0], "n.19990120T000000Z.log");
        assert_eq!(logs[LOGS_KEPT + 1], "n2.19990101T000000Z.log");
        fs::remove_dir_all(path.join("logs")).unwrap();
        open_log(&info).unwrap();
        assert_eq!(fs::metadata(path.join("logs")).unwrap().permissions().mode() & 0o777, 0o770);
    }
}
