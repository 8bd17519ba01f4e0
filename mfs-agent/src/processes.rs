//! What the agent needs of processes; the runtime has them by clone(2), tests play them.

use alloc::boxed::Box;
use alloc::ffi::CString;

use rustix::fd::BorrowedFd;
use rustix::io::Result;

/// A program that is to run as somebody who is not root, with nothing but what stands here.
///
/// It runs in a session of its own, with an empty environment, without a network, without
/// capabilities and without a way to get any.
#[derive(Clone, Copy)]
pub struct Program<'a> {
    /// The program's file. It needs no name.
    pub file: BorrowedFd<'a>,
    /// Its arguments, the first of which is its name.
    pub arguments: &'a [CString],
    /// The directory that it starts in.
    pub directory: BorrowedFd<'a>,
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// All other groups; none but these are kept.
    pub groups: &'a [u32],
    /// Its standard input.
    pub input: BorrowedFd<'a>,
    /// Its standard output and standard error.
    pub output: BorrowedFd<'a>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
}

/// A program that was started.
pub trait Process {
    /// How it ended, once it has.
    ///
    /// # Errors
    /// If the system doesn't know the process.
    fn poll(&mut self) -> Result<Option<Exit>>;

    /// Ends it, if it runs, and everything that it started, and returns when all that is gone.
    fn end_all(&mut self);
}

/// Starts programs.
pub trait Processes: Sync {
    /// Starts a program. Needs root.
    ///
    /// # Errors
    /// What kept the program from starting; there is no process then.
    fn start(&self, program: &Program<'_>) -> Result<Box<dyn Process>>;
}
