//! Why something that was asked for is not done: for the exit status of a command, and the status of
//! an HTTP reply.

use std::fmt;

/// What kind of reason it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Something failed: the data base, a file, a program.
    Failed,
    /// What was asked for makes no sense.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// It can't be done now: something else is going on, or the state is another.
    Conflict,
    /// It may not be done, by this user or at this site.
    Refused,
}

/// Why something is not done: what, where, and what to do about it.
#[derive(Debug)]
pub struct Error {
    /// The kind.
    pub kind: ErrorKind,
    why: anyhow::Error,
}

/// A result whose error is an [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl ErrorKind {
    /// The name, for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Invalid => "invalid",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
        }
    }

    /// The exit status of a command.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Invalid => 2,
            Self::NotFound => 3,
            Self::Conflict => 4,
            Self::Refused => 5,
        }
    }

    /// The status of an HTTP reply.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Failed => 500,
            Self::Invalid => 400,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Refused => 403,
        }
    }

    /// An error of this kind.
    pub fn because(self, why: impl fmt::Display) -> Error {
        Error { kind: self, why: anyhow::anyhow!("{why}") }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Error {
    fn from(error: E) -> Self {
        Self { kind: ErrorKind::Failed, why: error.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.why)
    }
}
