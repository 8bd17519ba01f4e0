//! A call of a tool, and what came of it.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A call that can be run.
pub(crate) struct Call {
    command: Command,
    line: String,
}

/// What came of it.
pub(crate) struct Outcome {
    /// The exit status.
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The call, for messages.
    pub(crate) line: String,
}

impl Call {
    /// A call of the program under `name` in `directory`.
    pub(crate) fn new(name: &str, arguments: &[&str], directory: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imagezip-tools"));
        command.arg0(name).args(arguments).current_dir(directory);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, line: format!("{name} {}", arguments.join(" ")) }
    }

    /// A call that may make files of at most so many blocks of 512 bytes.
    pub(crate) fn limited(name: &str, arguments: &[&str], directory: &Path, blocks: u32) -> Self {
        let program = env!("CARGO_BIN_EXE_imagezip-tools");
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh", program, name]).args(arguments);
        command
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self { command, line: format!("{name} {} (limited)", arguments.join(" ")) }
    }

    /// With standard output to a pipe that nobody reads.
    pub(crate) fn without_reader(mut self) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        self.command.stdout(writer);
        self
    }

    /// With a full disk as standard error.
    pub(crate) fn with_full_stderr(mut self) -> Self {
        self.command.stderr(File::options().write(true).open("/dev/full").unwrap());
        self
    }

    /// Runs it to its end, which must not be a signal or a panic.
    pub(crate) fn run(mut self) -> Outcome {
        let Output { status, stdout, stderr } =
            self.command.spawn().unwrap().wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        let line = self.line;
        assert!(!stderr.contains("panicked"), "{line}: {stderr}");
        let status = status.code().unwrap_or_else(|| panic!("{line}: {status}: {stderr}"));
        Outcome { status, stdout: String::from_utf8_lossy(&stdout).into_owned(), stderr, line }
    }
}

impl Outcome {
    /// Checks that the tool failed with this status and said why, in its own name.
    pub(crate) fn failed(&self, tool: &str, status: i32) -> &Self {
        assert_eq!(self.status, status, "{}: {}", self.line, self.stderr);
        let own = format!("{tool}: ");
        assert!(self.stderr.lines().any(|line| line.starts_with(&own)), "{}", self.stderr);
        self
    }

    /// Checks that something is named in what the tool said.
    pub(crate) fn names(&self, what: &str) -> &Self {
        assert!(self.stderr.contains(what), "{}: {what}: {}", self.line, self.stderr);
        self
    }
}
