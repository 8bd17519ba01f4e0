//! The heartbeat: a thread that keeps `<vname>-swap.status` and the log file up to date.
//!
//! It is the only one that writes them, so that whoever reports a failure never waits for the
//! file server longer than they want to.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::time::Duration;

use imagezip_core::swapinfo::{Phase, Status, TEXT_LIMIT};
use rustix::fd::OwnedFd;
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, fstat, fsync, mkdirat, openat, renameat, unlinkat,
};
use rustix::io::{Errno, Result};

use super::ending::ENDED;
use super::time::{Utc, unix_time};
use super::{ending, journal};
use crate::event::{now, sleep};
use crate::failure::{FailureKind, Os};
use crate::file::{list_opened, read_all, write_all};
use crate::progress::{Progress, Snapshot};
use crate::project::ownership::{self, give_to_group};
use crate::project::patience::Patience;
use crate::project::swapinfo::SwapInfo;
use crate::threads::Threads;

/// How many logs of earlier runs of a node stay.
const LOGS_KEPT: usize = 20;
/// How often. Readers may take a run for dead after several times this.
const PERIOD: Duration = Duration::from_secs(3);
/// After so long without a change nobody is at work any more.
pub const SILENCE: Duration = Duration::from_secs(8);
/// How long each part of the end's report is tried; the machine waits 30 seconds for both.
const LAST_WORDS: Duration = Duration::from_secs(12);
/// The pause between two looks or attempts.
const LOOK: Duration = Duration::from_millis(250);

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
        ending::PROJECT.done();
        FailureKind::Resource.because(format_args!("cannot start a thread: {}", Os(errno)))
    })
}

/// Makes sure that no other machine is at work as this node: its status would change. A run that was
/// cut off leaves a status that says that it is at work, too, but stays as it is.
///
/// # Errors
/// `ProjectFile`: there is one.
pub fn must_be_alone(
    info: &SwapInfo,
    limit: Duration,
    progress: &Progress,
) -> crate::failure::Result<()> {
    let Some(seen) = running(info) else { return Ok(()) };
    log::info!("a run that did not end has left a status; is it at work?");
    let start = now();
    while now().saturating_sub(start) < limit {
        sleep(LOOK);
        progress.beat();
        match running(info) {
            Some(later) if later != seen => {
                return Err(FailureKind::ProjectFile.because(format_args!(
                    "another machine is at work as {}, in the phase {}; do two have the same \
                     mfs.vname=?",
                    info.vname(),
                    later.phase
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The status of a run, if it hasn't ended.
fn running(info: &SwapInfo) -> Option<Status> {
    let name = format!("{}-swap.status", info.vname());
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(info.directory(), name, flags, Mode::empty()).ok()?;
    let status = Status::parse(&read_all(file, TEXT_LIMIT).ok()?).ok()?;
    status.result.is_none().then_some(status)
}

fn beat(info: &SwapInfo, progress: &Progress) {
    let mut trouble = Trouble::default();
    let mut log_file = LogFile::default();
    while !ENDED.wait(PERIOD) {
        trouble.note("status", write_status(info, &status(progress.snapshot()), false));
        trouble.note("log", write_log(info, &mut log_file, false));
    }
    if let Some(ending) = ending::get() {
        // Who announced it may not have dared to log it: the log takes a lock.
        let level = if ending.code == 0 { log::Level::Info } else { log::Level::Error };
        journal::keep(level, format_args!("{ending}"));
    }
    trouble.note(
        "status",
        until_taken(info, || write_status(info, &status(progress.snapshot()), true)),
    );
    trouble.note("log", until_taken(info, || write_log(info, &mut log_file, true)));
    ending::PROJECT.done();
}

/// Writes something of the end. There is no next time, so a server that refuses for a moment is
/// asked again.
fn until_taken(info: &SwapInfo, mut write: impl FnMut() -> Result<()>) -> Result<()> {
    let start = now();
    loop {
        let result = write();
        let refused = result.is_err_and(Patience::is_refusal) && !info.patience().is_exhausted();
        if !refused || now().saturating_sub(start) > LAST_WORDS {
            return result;
        }
        sleep(LOOK);
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
    let file = match create(directory, &temporary, OFlags::empty()) {
        // Of a run that was cut off, or by somebody who wants this user to write elsewhere.
        Err(Errno::EXIST) => {
            unlinkat(directory, temporary.as_str(), AtFlags::empty())?;
            create(directory, &temporary, OFlags::empty())?
        }
        file => file?,
    };
    write_all(&file, status.to_string().as_bytes())?;
    if sync {
        fsync(&file)?;
    }
    drop(file);
    renameat(directory, temporary.as_str(), directory, name.as_str())
}

/// The log file of the run.
#[derive(Default)]
struct LogFile {
    /// Its name in `logs`, once it has one.
    name: Option<String>,
    /// The file, as long as writing to it succeeds.
    file: Option<OwnedFd>,
}

/// Appends what was logged since the last time to `logs/<vname>.<utc>.log`. If that fails, the
/// next time tries again, with the file opened anew: the server may know the open one no more.
fn write_log(info: &SwapInfo, log: &mut LogFile, sync: bool) -> Result<()> {
    let lines = journal::take();
    let result = append(info, log, &lines, sync);
    if result.is_err() {
        log.file = None;
        journal::put_back(&lines);
    }
    result
}

fn append(info: &SwapInfo, log: &mut LogFile, lines: &str, sync: bool) -> Result<()> {
    let file = if let Some(file) = &log.file {
        file
    } else {
        let logs = open_logs(info.directory())?;
        let name = log.name.take().unwrap_or_else(|| {
            if let Err(errno) = remove_old_logs(&logs, info.vname()) {
                log::warn!("cannot remove old logs: {}", Os(errno));
            }
            format!("{}.{}.log", info.vname(), Utc::now().compact())
        });
        let file = match create(&logs, &name, OFlags::APPEND) {
            Err(Errno::EXIST) => open_again(&logs, &name)?,
            file => file?,
        };
        // What can't be opened again is left alone: the next time has another name.
        log.name = Some(name);
        log.file.insert(file)
    };
    write_all(file, lines.as_bytes())?;
    if sync { fsync(file) } else { Ok(()) }
}

/// Opens the directory of logs, which is made if it isn't there. A link in its place isn't
/// followed: it may lead to the node's own files.
fn open_logs(directory: &OwnedFd) -> Result<OwnedFd> {
    let made = mkdirat(directory, c"logs", ownership::DIRECTORY);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match made {
        // The group's members keep their logs here too.
        Ok(()) => {
            let logs = openat(directory, c"logs", flags, Mode::empty())?;
            give_to_group(&logs, directory, ownership::DIRECTORY, "logs");
            Ok(logs)
        }
        Err(Errno::EXIST) => openat(directory, c"logs", flags, Mode::empty()),
        Err(errno) => Err(errno),
    }
}

/// Removes the node's oldest log files but for [`LOGS_KEPT`].
fn remove_old_logs(logs: &OwnedFd, vname: &str) -> Result<()> {
    // The name of a node has no dot. The rest of the file's name sorts by time.
    let prefix = format!("{vname}.");
    let again = openat(logs, c".", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut names = list_opened(again)?;
    names.retain(|name| name.starts_with(&prefix) && name.strip_suffix(".log").is_some());
    let excess = names.len().saturating_sub(LOGS_KEPT);
    for name in names.iter().take(excess) {
        unlinkat(logs, name.as_str(), AtFlags::empty())?;
    }
    Ok(())
}

/// Makes a file that isn't there. Whoever may make files here could have put a link there, also a
/// hard one, to a file that only this user may write.
fn create(directory: &OwnedFd, name: &str, flags: OFlags) -> Result<OwnedFd> {
    let flags = flags | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = openat(directory, name, flags, ownership::FILE)?;
    // Who may write the file but doesn't own it can't, and this isn't said at every beat.
    let _ = ownership::set(&file, directory, ownership::FILE);
    Ok(file)
}

/// Opens the log that this run has made before, and nothing that has more names than this one.
fn open_again(logs: &OwnedFd, name: &str) -> Result<OwnedFd> {
    // Without `NONBLOCK`, a pipe would be waited for.
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = openat(logs, name, flags | OFlags::CLOEXEC, Mode::empty())?;
    let status = fstat(&file)?;
    let regular = FileType::from_raw_mode(status.st_mode) == FileType::RegularFile;
    if regular && status.st_nlink == 1 { Ok(file) } else { Err(Errno::MLINK) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmdline::Node;
    use crate::names::{Name, NameKind};
    use crate::project::tree::Tree;
    use rustix::fs::mknodat;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    static PROGRESS: Progress = Progress::new();

    fn fixture() -> (tempfile::TempDir, PathBuf, SwapInfo) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("proj/testbed/exp/exp1/swapinfo");
        fs::create_dir_all(&path).unwrap();
        let name = |kind, text| Name::new(kind, text).unwrap();
        let node = Node {
            pid: name(NameKind::Project, "testbed"),
            eid: name(NameKind::Experiment, "exp1"),
            vname: name(NameKind::Node, "n"),
        };
        let patience = Patience::new(Duration::ZERO, &PROGRESS);
        let tree = Tree::of_directory(root.path()).unwrap();
        let info = SwapInfo::open(tree, &node, patience).unwrap();
        (root, path, info)
    }

    #[test]
    fn status_and_log_are_there_for_the_group() {
        let (_root, path, info) = fixture();
        let progress = &PROGRESS;
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
        let mut log_file = LogFile::default();
        write_log(&info, &mut log_file, false).unwrap();
        write_log(&info, &mut log_file, true).unwrap();
        // A file that can't be written any more is opened again, under its name.
        log_file.file = Some(crate::file::open("/dev/null").unwrap());
        journal::keep(log::Level::Info, format_args!("not lost"));
        write_log(&info, &mut log_file, false).unwrap_err();
        write_log(&info, &mut log_file, false).unwrap();
        let log = fs::read_to_string(path.join("logs").join(log_file.name.unwrap())).unwrap();
        assert_eq!(log.matches("not lost").count(), 1, "{log}");
        let logs = crate::file::list(path.join("logs")).unwrap();
        assert_eq!(logs.len(), LOGS_KEPT + 2);
        assert_eq!(logs[0], "n.19990120T000000Z.log");
        assert_eq!(logs[LOGS_KEPT + 1], "n2.19990101T000000Z.log");
        fs::remove_dir_all(path.join("logs")).unwrap();
        open_logs(info.directory()).unwrap();
        let mode = fs::metadata(path.join("logs")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o2770);
        fs::remove_dir_all(path.join("logs")).unwrap();
        fs::create_dir(path.join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(path.join("elsewhere"), path.join("logs")).unwrap();
        write_log(&info, &mut LogFile::default(), false).unwrap_err();
        assert_eq!(crate::file::list(path.join("elsewhere")).unwrap(), [""; 0]);
    }

    #[test]
    fn two_machines_as_one_node_are_noticed() {
        let (_root, path, info) = fixture();
        let alone = |limit| must_be_alone(&info, limit, &PROGRESS);
        let (long, short) = (Duration::from_mins(1), Duration::from_millis(600));
        // Nobody has been here, or somebody who has come to an end.
        alone(long).unwrap();
        let mut other = status(Snapshot::default());
        other.result = Some(0);
        write_status(&info, &other, false).unwrap();
        alone(long).unwrap();
        fs::write(path.join("n-swap.status"), "odd").unwrap();
        alone(long).unwrap();
        other.result = None;
        other.phase = Phase::Save;
        write_status(&info, &other, false).unwrap();
        alone(short).unwrap();
        std::thread::scope(|scope| {
            let checking = scope.spawn(|| alone(long));
            while !checking.is_finished() {
                other.scanned += 1;
                write_status(&info, &other, false).unwrap();
                sleep(Duration::from_millis(20));
            }
            let failure = checking.join().unwrap().unwrap_err();
            assert!(failure.message.contains("another machine is at work as n"), "{failure}");
        });
    }

    #[test]
    fn the_end_is_told_to_a_server_that_refuses_for_a_moment() {
        let (_root, _path, info) = fixture();
        let mut answers =
            [Err(Errno::ACCESS), Err(Errno::STALE), Ok(()), Err(Errno::ROFS)].into_iter();
        let mut next = || answers.next().unwrap();
        assert_eq!(until_taken(&info, &mut next), Ok(()));
        assert_eq!(until_taken(&info, &mut next), Err(Errno::ROFS));
        // Who has waited in vain waits no more.
        assert!(info.patience().retry("x", || Err::<(), _>(Errno::ACCESS)).is_err());
        assert_eq!(until_taken(&info, || Err(Errno::ACCESS)), Err(Errno::ACCESS));
    }

    #[test]
    fn nobody_makes_this_user_write_elsewhere() {
        use std::os::unix::fs::MetadataExt;
        let (_root, path, info) = fixture();
        let others = path.join("others");
        let untouched = || {
            assert_eq!(fs::read(&others).unwrap(), b"precious");
            assert_eq!(fs::metadata(&others).unwrap().mode() & 0o777, 0o600);
        };
        fs::write(&others, "precious").unwrap();
        fs::set_permissions(&others, fs::Permissions::from_mode(0o600)).unwrap();
        let temporary = path.join("n-swap.status.tmp");
        fs::hard_link(&others, &temporary).unwrap();
        let written = status(Snapshot::default());
        write_status(&info, &written, false).unwrap();
        untouched();
        std::os::unix::fs::symlink("others", &temporary).unwrap();
        write_status(&info, &written, false).unwrap();
        untouched();
        // A pipe without a reader would hold up the report of the end.
        let handle = fs::File::open(&path).unwrap();
        let pipe = |name: &str| mknodat(&handle, name, FileType::Fifo, Mode::RUSR, 0).unwrap();
        pipe("n-swap.status.tmp");
        write_status(&info, &written, true).unwrap();

        for trap in ["link", "pipe"] {
            let mut log = LogFile::default();
            let mut begin = || write_log(&info, &mut log, false);
            while begin().is_err() {
                sleep(Duration::from_millis(20));
            }
            log.file = None;
            let name = log.name.clone().unwrap();
            fs::remove_file(path.join("logs").join(&name)).unwrap();
            match trap {
                "link" => fs::hard_link(&others, path.join("logs").join(&name)).unwrap(),
                _ => pipe(&std::format!("logs/{name}")),
            }
            journal::keep(log::Level::Info, format_args!("x"));
            write_log(&info, &mut log, false).unwrap_err();
            untouched();
        }
    }
}
