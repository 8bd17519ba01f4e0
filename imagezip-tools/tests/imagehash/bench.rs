//! A directory to work in, the tool in it, and the programs of the system.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use crate::golden;

/// A directory.
pub(crate) struct Bench(TempDir);

/// What came of a call.
pub(crate) struct Outcome {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// When all files of a bench were last changed.
const TIME: Duration = Duration::from_millis(1_400_000_000_250);

impl Bench {
    /// A directory with these files of a golden case.
    pub(crate) fn new(case: &str, names: &[&str]) -> Self {
        let bench = Self(TempDir::new().unwrap());
        for name in names {
            bench.put(name, &golden::file(case, name));
        }
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Makes a file, as old as all others.
    pub(crate) fn put(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).unwrap();
        self.set_time(name, TIME);
    }

    /// The content of a file.
    pub(crate) fn get(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Sets when a file was last changed.
    pub(crate) fn set_time(&self, name: &str, since_1970: Duration) {
        let file = File::options().write(true).open(self.path(name)).unwrap();
        file.set_modified(UNIX_EPOCH + since_1970).unwrap();
    }

    /// When a file was last changed.
    pub(crate) fn time(&self, name: &str) -> Duration {
        let time: SystemTime = fs::metadata(self.path(name)).unwrap().modified().unwrap();
        time.duration_since(UNIX_EPOCH).unwrap()
    }

    /// Calls imagehash.
    pub(crate) fn call(&self, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imagezip-tools"));
        command.arg0("imagehash").args(arguments).current_dir(self.0.path());
        outcome(command.output().unwrap(), &format!("{arguments:?}"))
    }

    /// Calls imagehash, which has to end with this status; what it prints.
    pub(crate) fn prints(&self, arguments: &[&str], status: i32) -> String {
        let outcome = self.call(arguments);
        assert_eq!(outcome.status, status, "{arguments:?}: {}", outcome.stderr);
        outcome.stdout
    }

    /// Calls imagehash, which has to refuse it with this status and these words.
    pub(crate) fn refuses(&self, arguments: &[&str], status: i32, words: &[&str]) {
        let outcome = self.call(arguments);
        let said = &outcome.stderr;
        assert_eq!(outcome.status, status, "{arguments:?}: {said}");
        assert!(said.starts_with("imagehash: "), "{said}");
        for word in words {
            assert!(said.contains(word), "{arguments:?}: {word}: {said}");
        }
    }

    /// Runs a command line of the shell, which has to end well; what it prints.
    pub(crate) fn shell(&self, line: &str) -> String {
        let output = Command::new("bash")
            .args(["-o", "pipefail", "-c", line])
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir(self.0.path())
            .output()
            .unwrap();
        let outcome = outcome(output, line);
        assert_eq!(outcome.status, 0, "{line}: {}", outcome.stderr);
        outcome.stdout
    }

    /// The directory.
    pub(crate) fn directory(&self) -> &Path {
        self.0.path()
    }
}

fn outcome(Output { status, stdout, stderr }: Output, line: &str) -> Outcome {
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    assert!(!stderr.contains("panicked"), "{line}: {stderr}");
    let status = status.code().unwrap_or_else(|| panic!("{line}: {status}: {stderr}"));
    Outcome { status, stdout: String::from_utf8_lossy(&stdout).into_owned(), stderr }
}
