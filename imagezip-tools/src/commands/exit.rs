//! How the tools end: exit statuses, messages, output that nobody reads.

use std::io::{self, Write};
use std::process::ExitCode;

use imagezip_core::error::ErrorKind;

/// The status of a wrong command line, of a negative answer ("differs"), and of what went wrong
/// on the host without being one of the kinds of [`ErrorKind`].
pub const USAGE: u8 = 1;

/// The status with which a shell shows a program whose reader has gone (128 + SIGPIPE).
const NO_READER: u8 = 141;

/// What the statuses mean that all tools have.
pub const STATUSES: &[(u8, &str)] = &[
    (0, "done; what was compared is equal"),
    (
        USAGE,
        "the command line is wrong; what was compared differs; a file can't be opened, or another \
         error of the host",
    ),
    (3, "reading failed"),
    (4, "writing failed"),
    (5, "the input ends too early"),
    (6, "the input is damaged"),
    (7, "the input is of a form that is not supported"),
    (8, "the input is larger than the format or this program allows"),
    (NO_READER, "the reader of standard output has gone"),
];

/// The operating system's error number for a pipe without a reader.
const EPIPE: i32 = 32;

/// The status that a tool ends with when nothing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(pub u8);

impl Exit {
    /// All is well.
    pub const OK: Self = Self(0);
    /// The answer is no: it differs, it isn't there.
    pub const NO: Self = Self(1);
}

/// An error with an exit status of the tool's own: returned by itself, or put around its cause
/// with `error.context(Failure::new(…))`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The status to end with.
    pub status: u8,
    /// What is said.
    pub message: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// The error `message`, with which the tool ends with `status`.
    pub fn new(status: u8, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}

/// Writes to standard output.
///
/// # Errors
/// As for any file; `println!` would panic.
pub fn print(text: &str) -> anyhow::Result<Exit> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| anyhow::Error::new(error).context("writing to standard output"))?;
    Ok(Exit::OK)
}

/// Says what went wrong, and turns a tool's result into the program's status.
pub fn finish(tool: &str, result: anyhow::Result<Exit>) -> ExitCode {
    let status = match result {
        Ok(exit) => exit.0,
        Err(error) if reader_has_gone(&error) => NO_READER,
        Err(error) => {
            eprintln!("{tool}: {error:#}");
            status(&error)
        }
    };
    ExitCode::from(status)
}

/// The status for an error: a tool's own, or that of the kind, or 1.
pub(crate) fn status(error: &anyhow::Error) -> u8 {
    let own = error.downcast_ref::<Failure>().map(|failure| failure.status);
    let kind = || {
        let core = error.chain().find_map(|cause| cause.downcast_ref::<imagezip_core::Error>());
        core.map(|core| core.kind.exit_code())
    };
    own.or_else(kind).unwrap_or(USAGE)
}

/// Whether what was written went to a pipe whose reader has seen enough.
fn reader_has_gone(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let host = cause.downcast_ref::<io::Error>();
        let core = cause.downcast_ref::<imagezip_core::Error>();
        host.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
            || core.is_some_and(|error| error.kind == ErrorKind::Write(EPIPE))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use imagezip_core::error::{CorruptKind, Place};

    #[test]
    fn kinds_have_their_statuses() {
        let core = ErrorKind::Corrupt(CorruptKind::ChunkMagic).at(Place::Chunk(3));
        let error = anyhow::Error::new(core).context("reading x.ndz");
        assert_eq!(status(&error), 6);
        assert_eq!(status(&anyhow::anyhow!("no such file")), USAGE);
        let own = anyhow::Error::new(Failure::new(2, "no signature"));
        assert_eq!(status(&own.context("imagehash")), 2);
        let cause = anyhow::Error::new(ErrorKind::Truncated.at(Place::Whole));
        assert_eq!(status(&cause.context(Failure::new(2, "no signature"))), 2);
    }

    #[test]
    fn only_a_closed_pipe_is_quiet() {
        let closed = anyhow::Error::new(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(reader_has_gone(&closed.context("writing to standard output")));
        let core = anyhow::Error::new(ErrorKind::Write(EPIPE).at(Place::Whole));
        assert!(reader_has_gone(&core));
        assert!(!reader_has_gone(&anyhow::Error::new(ErrorKind::Write(28).at(Place::Whole))));
    }
}
