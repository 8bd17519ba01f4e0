//! A node that boots the MFS in QEMU, for tests of the whole: its disk, its server, its files.

mod prepared;
mod set;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use imagezip_core::sector::Sector;
use imagezip_core::swapinfo::Status;
use imagezip_tools::host::FileDevice;
use imagezip_tools::load::load;
use xtask::command::{stdout, tool};
use xtask::experiment::Experiment;
use xtask::mfs::Image;
use xtask::nfs::Server;
use xtask::node_disk::{NodeDisk, SECTOR};
use xtask::paths;
use xtask::qemu::hardware::Disk;
use xtask::qemu::{Exit, Machine, Running, WatchdogAction};

pub use prepared::{Prepared, complete_image, prepared};
pub use set::Set;

use crate::disk::filled;

/// How long a guest may take to say or do one thing.
pub const PATIENCE: Duration = Duration::from_mins(2);
/// How long a guest may take for all of its run.
pub const LIMIT: Duration = Duration::from_mins(4);

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_micros(500);

/// One test's experiment and the server of its `/proj`, in a directory of their own. The disk is
/// that of all tests, so it is for reading only unless [`Trial::with_own_disk`] was called.
#[derive(Debug)]
pub struct Trial {
    /// The experiment. `/proj` holds a previous set of swap files.
    pub experiment: Experiment,
    /// The server.
    pub server: Server,
}

/// What a guest did.
#[derive(Debug)]
pub struct Run {
    /// Why it ended.
    pub exit: Exit,
    /// All that it said.
    pub console: String,
}

/// Where the tests' directories are.
fn directory(name: &str) -> PathBuf {
    paths::target().join("tests").join("qemu").join(name)
}

impl Trial {
    /// A node whose disk a user has changed, with a server that runs. `name` is the test's own.
    pub fn new(name: &str) -> Result<Self> {
        let prepared = prepared()?;
        Self::of(name, prepared.experiment.disk.clone(), prepared.experiment.base_signature.clone())
    }

    /// A node with another disk or another base.
    pub fn of(name: &str, disk: NodeDisk, base_signature: PathBuf) -> Result<Self> {
        let prepared = prepared()?;
        let directory = directory(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(directory.join("scratch"))?;
        let base_image = prepared.experiment.base_image.clone();
        let experiment = Experiment { directory, disk, base_image, base_signature };
        fs::create_dir_all(experiment.swapinfo())?;
        experiment.install_base_image()?;
        experiment.install_part("DISK=vda LOADPART=0 BOOTPART=2")?;
        prepared.previous.write(&experiment)?;
        let server = Server::started(&experiment.proj(), "/proj")?;
        Ok(Self { experiment, server })
    }

    /// Gives the node a copy of the disk that nobody else uses.
    pub fn with_own_disk(mut self) -> Result<Self> {
        let own = self.experiment.directory.join("node.img");
        copy_sparse(&self.experiment.disk.path, &own)?;
        self.experiment.disk = self.experiment.disk.at(&own);
        Ok(self)
    }

    /// The node, about to save its disk, with more words on its command line.
    pub fn node(&self, words: &str) -> Result<Machine> {
        Ok(self.node_of(&prepared()?.image, words))
    }

    /// As [`Trial::node`], booted from another image.
    pub fn node_of(&self, image: &Image, words: &str) -> Machine {
        let options = self.server.mount_options();
        let node = self.experiment.node(image, "/proj", &options);
        node.append(words).watchdog(WatchdogAction::Reset)
    }

    /// A node that is about to load `disk` with what was saved, with more words on its command
    /// line.
    pub fn loading(&self, disk: impl Into<Disk>, words: &str) -> Result<Machine> {
        let (image, options) = (&prepared()?.image, self.server.mount_options());
        let node = self.experiment.loading_machine(image, "/proj", &options);
        Ok(node.append(words).disk(disk.into()).watchdog(WatchdogAction::Reset))
    }

    /// Lets the node save its disk, with more words on its command line.
    pub fn run(&self, words: &str) -> Result<Run> {
        Run::of(&mut self.node(words)?.start()?)
    }

    /// The last heartbeat.
    pub fn status(&self) -> Result<Status> {
        let path = self.experiment.node_file("-swap.status");
        let text = fs::read(&path).with_context(|| path.display().to_string())?;
        Status::parse(&text).with_context(|| path.display().to_string())
    }

    /// The node's log files, one after the other.
    pub fn logs(&self) -> Result<String> {
        let mut logs = String::new();
        for entry in fs::read_dir(self.experiment.swapinfo().join("logs"))? {
            logs += &fs::read_to_string(entry?.path())?;
        }
        Ok(logs)
    }

    /// Fails unless the previous set is as it was and nothing is left of another one.
    pub fn check_previous_is_untouched(&self) -> Result<()> {
        let previous = &prepared()?.previous;
        ensure!(Set::read(&self.experiment)? == *previous, "the previous set has changed");
        self.check_nothing_is_left()
    }

    /// Fails if a temporary file of a set is there.
    pub fn check_nothing_is_left(&self) -> Result<()> {
        let mut left = set::SUFFIXES.map(|suffix| self.temporary(suffix)).into_iter();
        match left.find(|path| path.exists()) {
            Some(path) => anyhow::bail!("{} is left", path.display()),
            None => Ok(()),
        }
    }

    /// Fails unless the run ended in good order with `code` and an error that contains `words`, on
    /// the console, in the status and in the log file, and the previous set is untouched.
    pub fn check_refused(&self, run: &Run, code: u8, words: &str) -> Result<()> {
        run.check_failed(code, words)?;
        let status = self.status()?;
        let error = status.error.clone().unwrap_or_default();
        ensure!(status.result == Some(code) && error.contains(words), "the status is {status:?}");
        ensure!(self.logs()?.contains(words), "the log lacks {words:?}");
        self.check_previous_is_untouched()
    }

    /// A member of the set that is being made, for example `.ndz`.
    pub fn temporary(&self, suffix: &str) -> PathBuf {
        self.experiment.node_file(&format!("-swap{suffix}.tmp"))
    }

    /// Loads the base image and what the node saved onto a new disk of `sectors`, at `base`. The
    /// disk is full of [`crate::disk::FILLING`] before.
    pub fn restore(&self, base_image: &Path, sectors: u64, base: u64) -> Result<PathBuf> {
        let path = self.experiment.directory.join("restored.img");
        fs::write(&path, filled(usize::try_from(sectors * SECTOR)?))?;
        let device = FileDevice::open_for_writing(&path)?;
        let base = Sector::new(base).context("beyond all disks")?;
        load(base_image, &device, base)?;
        load(&self.experiment.node_file("-swap.ndz"), &device, base)?;
        Ok(path)
    }
}

impl Drop for Trial {
    /// Consoles and swap files stay for who wants to look at them; disks don't.
    fn drop(&mut self) {
        for name in ["node.img", "restored.img"] {
            let _ = fs::remove_file(self.experiment.directory.join(name));
        }
    }
}

impl Run {
    /// Waits for the end of a guest.
    pub fn of(node: &mut Running) -> Result<Self> {
        let exit = node.wait(LIMIT)?;
        let lines = node.console().lines();
        let text: Vec<_> = lines.into_iter().map(|line| line.text).collect();
        Ok(Self { exit, console: text.join("\n") })
    }

    /// Fails unless the disk was saved and the machine turned itself off.
    pub fn check_saved(&self) -> Result<()> {
        ensure!(
            self.exit == Exit::PowerOff && self.console.contains("mfs-result: saved bytes="),
            "the disk was not saved ({}):\n{}",
            self.exit,
            self.console
        );
        Ok(())
    }

    /// Fails unless the disk was loaded and the machine turned itself off.
    pub fn check_loaded(&self) -> Result<()> {
        ensure!(
            self.exit == Exit::PowerOff && self.console.contains("mfs-result: loaded written="),
            "the disk was not loaded ({}):\n{}",
            self.exit,
            self.console
        );
        Ok(())
    }

    /// A number of the result line, by the word before it: `written`, for example.
    pub fn result(&self, word: &str) -> Result<u64> {
        let line = self.console.lines().find(|line| line.contains("mfs-result: "));
        let key = format!("{word}=");
        let value =
            line.and_then(|line| line.split_whitespace().find_map(|w| w.strip_prefix(&key)));
        let value = value.with_context(|| format!("no {key} in {line:?}"))?;
        value.parse().with_context(|| format!("{key}{value}"))
    }

    /// Fails unless the run failed with `code` and a message that contains `words`, and the
    /// machine turned itself off.
    pub fn check_failed(&self, code: u8, words: &str) -> Result<()> {
        let start = format!("mfs-result: failed code={code} ");
        let result = self.console.lines().find(|line| line.contains("mfs-result: "));
        let good = result.is_some_and(|line| line.contains(&start) && line.contains(words));
        ensure!(
            good && self.exit == Exit::PowerOff,
            "not code {code} with {words:?} ({}):\n{}",
            self.exit,
            self.console
        );
        Ok(())
    }
}

/// Waits until something is so, or the guest has ended; whether it is so.
pub fn wait_until(node: &Running, mut so: impl FnMut() -> bool) -> Result<bool> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if so() {
            return Ok(true);
        }
        if node.console().has_ended() {
            return Ok(false);
        }
        ensure!(Instant::now() < deadline, "waited for too long:\n{}", node.console().tail(20));
        thread::sleep(LOOK);
    }
}

/// Waits until a guest has written more than so many bytes to its first disk; how many it has then,
/// or `None` if it has ended before.
pub fn wait_until_written(node: &mut Running, bytes: u64) -> Result<Option<u64>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match node.bytes_written() {
            Ok(written) => {
                let first = written.first().copied().context("the guest has no disk")?;
                if first > bytes {
                    return Ok(Some(first));
                }
            }
            Err(_) if node.console().has_ended() => return Ok(None),
            Err(error) => return Err(error),
        }
        ensure!(Instant::now() < deadline, "waited for too long:\n{}", node.console().tail(20));
        thread::sleep(LOOK);
    }
}

/// Copies a disk, leaving out what is zero.
pub fn copy_sparse(from: &Path, to: &Path) -> Result<()> {
    stdout(tool("cp").arg("--sparse=always").arg(from).arg(to)).map(drop)
}

/// Whether this user may mount and make namespaces. Tests that must, pass without doing anything
/// if not.
pub fn is_root(test: &str) -> bool {
    use std::os::unix::fs::MetadataExt;
    let root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if !root {
        println!("{test} was skipped: it needs root");
    }
    root
}
