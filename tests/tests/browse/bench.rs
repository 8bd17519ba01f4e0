//! Disks, what the tools make of them, and what they say.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, ensure};
use fixtures::Mount;
use tempfile::TempDir;
use xtask::command::{stdout, tool};
use xtask::tools::Tools;
use xtask::{apt, tools};

/// How long a tool may take, in seconds.
const LIMIT: &str = "60";

/// The tools, built once for all tests.
pub(crate) fn installed() -> Result<&'static Tools> {
    static TOOLS: OnceLock<Result<Tools>> = OnceLock::new();
    TOOLS.get_or_init(tools::build).as_ref().map_err(|error| anyhow!("{error:#}"))
}

/// A directory for a test's disks and images.
pub(crate) struct Bench(TempDir);

impl Bench {
    pub(crate) fn new() -> Result<Self> {
        apt::ensure(apt::DISK_TOOLS)?;
        Ok(Self(TempDir::new()?))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A call of a tool in the directory, which ends in time.
    pub(crate) fn call(&self, name: &str, arguments: &[&str]) -> Result<Command> {
        let mut command = tool("timeout");
        command.arg(LIMIT).arg(installed()?.program(name)).args(arguments);
        command.current_dir(self.0.path());
        Ok(command)
    }

    /// What a tool prints that does its work.
    pub(crate) fn run(&self, name: &str, arguments: &[&str]) -> Result<String> {
        stdout(&mut self.call(name, arguments)?)
    }

    /// What becomes of a tool that need not do its work, but must neither be killed nor panic.
    pub(crate) fn outcome(&self, name: &str, arguments: &[&str]) -> Result<Output> {
        let output = self.call(name, arguments)?.output()?;
        let code = output.status.code();
        let errors = String::from_utf8_lossy(&output.stderr);
        let ended = code.is_some_and(|code| code < 124) && !errors.contains("panicked");
        ensure!(ended, "{name} {arguments:?}: {}: {errors}", output.status);
        Ok(output)
    }

    /// The bytes of a file in images.
    pub(crate) fn cat(&self, images: &[&str], place: &str) -> Result<Vec<u8>> {
        let arguments = [&["cat"], images, &[place]].concat();
        let output = self.call("imagefs", &arguments)?.output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{arguments:?}: {}: {errors}", output.status);
        Ok(output.stdout)
    }

    /// A file of so many MiB without content.
    pub(crate) fn blank(&self, name: &str, mib: u64) -> Result<PathBuf> {
        let path = self.path(name);
        File::create(&path)?.set_len(mib << 20)?;
        Ok(path)
    }

    /// A disk with a file system, which is made with these words.
    pub(crate) fn formatted(&self, name: &str, mib: u64, line: &str) -> Result<PathBuf> {
        let disk = self.blank(name, mib)?;
        let mut words = line.split_whitespace();
        let program = words.next().context("no program")?;
        stdout(tool(program).args(words).arg(&disk))?;
        Ok(disk)
    }

    /// Mounts a disk; `options` may say where on it the file system is.
    pub(crate) fn mount(&self, disk: &Path, options: &str) -> Result<Mounted> {
        let at = TempDir::new_in(self.0.path())?.keep();
        Mount::new(disk, &at, options).map(Mounted)
    }
}

/// A mounted file system.
pub(crate) struct Mounted(Mount);

impl Mounted {
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Ends as if the power failed: what was not yet written never is.
    pub(crate) fn cut(self) -> Result<()> {
        stdout(tool("xfs_io").args(["-x", "-c", "shutdown"]).arg(self.path()))?;
        self.end()
    }

    pub(crate) fn end(self) -> Result<()> {
        self.0.unmount()
    }
}

/// Bytes that don't compress, the same for the same seed.
pub(crate) fn noise(seed: u32, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

/// Writes a file and waits until it is on the disk.
pub(crate) fn write_synced(path: &Path, content: &[u8]) -> Result<()> {
    fs::write(path, content)?;
    Ok(File::open(path)?.sync_all()?)
}
