//! Why a run failed: what happened, where, and what to do about it.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use rustix::io::Errno;

/// A result whose error is a [`Failure`].
pub type Result<T> = core::result::Result<T, Failure>;

/// The kinds of failure, each with an exit code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureKind {
    /// A kind of `imagezip-core`, by its exit code.
    Core(u8),
    /// The kernel command line lacks a word or has one that makes no sense.
    CommandLine,
    /// A kernel module or a pseudo file system that is needed could not be had.
    Module,
    /// No network: no interface, no carrier, no address.
    Network,
    /// `/proj` could not be mounted.
    Mount,
    /// The `.part` file is missing or malformed.
    PartFile,
    /// The `.sig` file is missing or unusable.
    SignatureFile,
    /// The disk that is meant is not there, or is not the one described.
    DiskAbsent,
    /// The disk that is meant is in use.
    DiskInUse,
    /// The partition that is meant is not in the partition table.
    PartitionAbsent,
    /// `/proj` can't be written to.
    ProjectReadOnly,
    /// `/proj` or the quota on it is full.
    ProjectFull,
    /// What was read back is not what was written.
    Verification,
    /// Nothing moved for too long.
    NoProgress,
    /// A fault of the program itself.
    Panic,
    /// Another error of a file on `/proj`.
    ProjectFile,
    /// Memory, threads or another resource of the node ran out.
    Resource,
    /// More than one disk could be the one that is meant.
    DiskAmbiguous,
    /// The disk that is meant is of a kind that is not used: removable, or no disk.
    DiskRefused,
    /// Boss can't be reached, doesn't know this node, or its answer can't be used.
    Boss,
    /// A project's own program can't be started.
    OwnEngineStart,
    /// A project's own program ended with a status that is not 0.
    OwnEngineStatus,
    /// A project's own program was killed by a signal.
    OwnEngineSignal,
    /// There is no saved disk to load.
    NothingSaved,
    /// Base image, signatures and what was saved don't belong together.
    WrongBase,
    /// What was saved doesn't fit the disk: its size, its sectors or its partitions.
    DiskMisfit,
}

impl FailureKind {
    /// The exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Core(code) => code,
            Self::CommandLine => 20,
            Self::Module => 21,
            Self::Network => 22,
            Self::Mount => 23,
            Self::PartFile => 24,
            Self::SignatureFile => 25,
            Self::DiskAbsent => 26,
            Self::DiskInUse => 27,
            Self::PartitionAbsent => 28,
            Self::ProjectReadOnly => 29,
            Self::ProjectFull => 30,
            Self::Verification => 31,
            Self::NoProgress => 32,
            Self::Panic => 33,
            Self::ProjectFile => 34,
            Self::Resource => 35,
            Self::DiskAmbiguous => 36,
            Self::DiskRefused => 37,
            Self::Boss => 38,
            Self::OwnEngineStart => 39,
            Self::OwnEngineStatus => 40,
            Self::OwnEngineSignal => 41,
            Self::NothingSaved => 42,
            Self::WrongBase => 43,
            Self::DiskMisfit => 44,
        }
    }

    /// The kind with a message.
    pub fn because(self, message: impl fmt::Display) -> Failure {
        Failure { kind: self, message: message.to_string(), errno: None }
    }
}

/// A failure of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// What, where and what to do.
    pub message: String,
    /// The error of the operating system behind it, of files of `/proj`.
    pub errno: Option<Errno>,
}

impl Failure {
    /// An error of the core, met while `doing` something.
    pub fn of_core(error: &imagezip_core::Error, doing: impl fmt::Display) -> Self {
        FailureKind::Core(error.kind.exit_code()).because(format_args!("{doing}: {error}"))
    }

    /// An error of the operating system on a file of `/proj`, met while `doing` something.
    pub fn of_project(errno: Errno, doing: impl fmt::Display) -> Self {
        let (kind, advice) = match errno {
            Errno::ROFS => (FailureKind::ProjectReadOnly, "export /proj read-write to this node"),
            Errno::ACCESS | Errno::PERM => (
                FailureKind::ProjectReadOnly,
                "let mfs.uid= and mfs.gid= name a user who may write there, and check the export",
            ),
            Errno::NOSPC => (FailureKind::ProjectFull, "make room on the file server"),
            Errno::DQUOT => (FailureKind::ProjectFull, "raise the quota or make room"),
            Errno::STALE => (
                FailureKind::ProjectFile,
                "the server no longer knows the file: was its directory moved, or the export?",
            ),
            _ => (FailureKind::ProjectFile, ""),
        };
        let separator = if advice.is_empty() { "" } else { "; " };
        let failure = kind.because(format_args!("{doing}: {}{separator}{advice}", Os(errno)));
        Self { errno: Some(errno), ..failure }
    }

    /// The same failure with `context` before the message.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// The exit code.
    pub const fn code(&self) -> u8 {
        self.kind.code()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for Failure {}

/// Shows an error number in words: rustix knows only the number.
#[derive(Clone, Copy)]
pub struct Os(
    /// The error.
    pub Errno,
);

impl fmt::Display for Os {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            Errno::PERM => "not permitted",
            Errno::NOENT => "no such file or directory",
            Errno::IO => "input/output error",
            Errno::NXIO => "no such device or address",
            Errno::AGAIN => "try again",
            Errno::NOMEM => "out of memory",
            Errno::ACCESS => "permission denied",
            Errno::BUSY => "busy",
            Errno::EXIST => "exists already",
            Errno::XDEV => "leads out of the file system",
            Errno::NODEV => "no such device",
            Errno::NOTDIR => "not a directory",
            Errno::ISDIR => "is a directory",
            Errno::INVAL => "invalid argument",
            Errno::FBIG => "file too large",
            Errno::NOSPC => "no space left",
            Errno::ROFS => "read-only file system",
            Errno::NAMETOOLONG => "name too long",
            Errno::PIPE | Errno::CONNABORTED => "the other side has closed the connection",
            Errno::LOOP => "too many symbolic links",
            Errno::NOEXEC => "not a module for this kernel",
            Errno::PROTONOSUPPORT => "protocol not supported",
            Errno::OPNOTSUPP => "not supported",
            Errno::NETDOWN => "network is down",
            Errno::NETUNREACH => "network unreachable",
            Errno::CONNRESET => "connection reset",
            Errno::CONNREFUSED => "connection refused",
            Errno::HOSTDOWN => "host is down",
            Errno::HOSTUNREACH => "no route to host",
            Errno::TIMEDOUT => "timed out",
            Errno::STALE => "stale file handle",
            Errno::DQUOT => "quota exceeded",
            _ => return write!(f, "error {}", self.0.raw_os_error()),
        };
        f.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_their_own() {
        let kinds = [
            FailureKind::CommandLine,
            FailureKind::Module,
            FailureKind::Network,
            FailureKind::Mount,
            FailureKind::PartFile,
            FailureKind::SignatureFile,
            FailureKind::DiskAbsent,
            FailureKind::DiskInUse,
            FailureKind::PartitionAbsent,
            FailureKind::ProjectReadOnly,
            FailureKind::ProjectFull,
            FailureKind::Verification,
            FailureKind::NoProgress,
            FailureKind::Panic,
            FailureKind::ProjectFile,
            FailureKind::Resource,
            FailureKind::DiskAmbiguous,
            FailureKind::DiskRefused,
            FailureKind::Boss,
        ];
        for (index, kind) in kinds.iter().enumerate() {
            assert_eq!(usize::from(kind.code()), 20 + index, "{kind:?}");
        }
    }

    #[test]
    fn the_ends_of_a_projects_own_engine_are_told_apart() {
        let kinds = [
            FailureKind::OwnEngineStart,
            FailureKind::OwnEngineStatus,
            FailureKind::OwnEngineSignal,
        ];
        assert_eq!(kinds.map(FailureKind::code), [39, 40, 41]);
    }

    #[test]
    fn what_a_swapin_refuses_is_told_apart() {
        let kinds = [FailureKind::NothingSaved, FailureKind::WrongBase, FailureKind::DiskMisfit];
        assert_eq!(kinds.map(FailureKind::code), [42, 43, 44]);
    }

    #[test]
    fn a_full_server_is_told_from_a_read_only_one() {
        let failure = Failure::of_project(Errno::DQUOT, "writing pc1-swap.ndz.tmp");
        assert_eq!(failure.kind, FailureKind::ProjectFull);
        assert!(failure.message.contains("quota exceeded"), "{failure}");
        assert_eq!(Failure::of_project(Errno::ROFS, "x").kind, FailureKind::ProjectReadOnly);
        assert_eq!(Failure::of_project(Errno::IO, "x").kind, FailureKind::ProjectFile);
        let unknown = Failure::of_project(Errno::XFULL, "x");
        assert_eq!(unknown.message, "x: error 54");
    }
}
