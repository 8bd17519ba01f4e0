//! A directory to work in, the tools, and the shell.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

const TOOLS: [&str; 9] = [
    "imagezip",
    "imageunzip",
    "imagehash",
    "imagedelta",
    "imageundelta",
    "imagerebase",
    "imagerestore",
    "imagerezip",
    "imagedump",
];

/// A directory in which the tools run.
pub(crate) struct Bench(TempDir);

impl Bench {
    /// With a small image, its disk and its signature: `disk`, `base.ndz`, `base.ndz.sig`.
    pub(crate) fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        fs::set_permissions(bench.0.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(bench.path("bin")).unwrap();
        for tool in TOOLS {
            symlink(env!("CARGO_BIN_EXE_imagezip-tools"), bench.path("bin").join(tool)).unwrap();
        }
        fs::create_dir(bench.path("work")).unwrap();
        fs::write(bench.file("disk"), noise(3 << 20)).unwrap();
        bench.does("imagezip -r -U '' disk base.ndz");
        bench
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file in the working directory.
    pub(crate) fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path("work").join(name)
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.path("bin").display());
        command.current_dir(self.path("work")).env("PATH", path);
        command
    }

    /// Runs a line of shell.
    pub(crate) fn shell(&self, line: &str) -> Output {
        let mut command = self.command("sh");
        command.args(["-c", line]).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a line of shell that must succeed.
    pub(crate) fn does(&self, line: &str) -> String {
        let output = self.shell(line);
        assert_eq!(output.status.code(), Some(0), "{line}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a line of shell that must fail: not by a signal, and with a reason.
    pub(crate) fn refuses(&self, line: &str, reason: &str) {
        let output = self.shell(line);
        let said = String::from_utf8_lossy(&output.stderr);
        let status = output.status.code().unwrap_or_else(|| panic!("{line}: {output:?}"));
        assert!((1..=8).contains(&status), "{line}: {status}: {said}");
        assert!(said.contains(reason), "{line}: {said}");
    }

    /// The names of the files, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("work")).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// Starts a program that reads from a pipe and ignores no signals, whatever this process was
    /// told to ignore (by `nohup`, or as a shell's background job).
    pub(crate) fn start(&self, program: &str, arguments: &[&str]) -> Child {
        let mut command = self.command("env");
        command
            .arg("--default-signal")
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        command.stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// Bytes that can hardly be compressed.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state ^ (state >> 29)).to_le_bytes()
    };
    std::iter::repeat_with(next).take(len / 8).flatten().collect()
}
