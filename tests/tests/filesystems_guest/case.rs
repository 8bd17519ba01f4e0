//! What is tried: how it is made, used, checked and found again in a guest, in words of the shell.

/// A file system, or some of them in layers, on disks of its own.
///
/// In the commands `$1` and `$2` are the disks, `$n` is the case's name and `$k` its number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// The type, as the table of results has it.
    pub(crate) kind: &'static str,
    /// The variant, too.
    pub(crate) variant: &'static str,
    /// A word for files and devices.
    pub(crate) name: &'static str,
    /// The disks, in MiB.
    pub(crate) disks: &'static [u64],
    /// Makes it, and has its devices there.
    pub(crate) make: &'static str,
    /// Has its devices there again, in another guest.
    pub(crate) up: &'static str,
    /// Fails unless the layers are as whole as they were, if they were left clean.
    pub(crate) check: &'static str,
    /// Takes its devices away.
    pub(crate) down: &'static str,
    /// Prints what is free beside what the file systems tell, in bytes, a number a line.
    pub(crate) free: &'static str,
    /// The file systems.
    pub(crate) volumes: &'static [Volume],
    /// What judges them.
    pub(crate) judge: &'static str,
    /// Whether its free sectors are told.
    pub(crate) expected: Expected,
}

/// What is expected of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Its free sectors are told.
    Aware,
    /// It is saved whole.
    Raw,
    /// One or the other, by what was going on.
    Either,
}

/// A file system of a case. In its commands `$m` is where it is mounted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Volume {
    /// Mounts it.
    pub(crate) mount: &'static str,
    /// Fails unless it is whole; it is not mounted.
    pub(crate) check: &'static str,
    /// Repairs it after a loss of power; it is not mounted.
    pub(crate) recover: &'static str,
    /// So much is written to it, in MiB; nothing if it can only be read.
    pub(crate) mib: u64,
    /// Whether it is in a part that is saved whole, so that nothing in it is free for us.
    pub(crate) whole: bool,
}

/// The common part of cases: a disk without layers.
pub(crate) const PLAIN: Case = Case {
    kind: "",
    variant: "",
    name: "",
    disks: &[64],
    make: ":",
    up: ":",
    check: ":",
    down: ":",
    free: ":",
    volumes: &[],
    judge: "",
    expected: Expected::Aware,
};
