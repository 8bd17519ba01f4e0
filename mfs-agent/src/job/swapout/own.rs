//! The image as a project's own program makes it: `/proj/<pid>/bin/imagezip`, if the site allows
//! that (`mfs.override=1`).
//!
//! The program is taken for hostile (docs/decisions/0011-a-projects-own-engine.md). It runs as
//! the swapper, who may write what is on `/proj` anyway, and gets the disk for reading and
//! nothing else of the node. What it makes is only believed after all of it was compared with
//! the disk.

mod check;
mod executable;
mod grant;
mod lines;
mod watch;

use alloc::ffi::CString;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use imagezip_core::swapinfo::Phase;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, chmod};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{DumpableBehavior, getpid, set_dumpable_behavior};

use super::plan::Plan;
use super::publish::Made;
use crate::cmdline::{CommandLine, Credentials, Node};
use crate::failure::{FailureKind, Os, Result};
use crate::file;
use crate::job::base::free_memory;
use crate::job::session::{cannot_switch, use_project};
use crate::processes::{Exit, Processes, Program};
use crate::project::commit::Member;
use crate::project::credentials::become_root;
use crate::project::swapinfo::SwapInfo;
use executable::Executable;
use grant::Grant;
use watch::Watch;

/// The largest program that is taken, in bytes; less if that is more than a quarter of the memory
/// that is free.
const LARGEST: u64 = 64 << 20;

/// A project's program, ready to run.
pub(super) struct Engine {
    /// Where it was.
    path: String,
    executable: Executable,
    user: Credentials,
    /// How long it may stand still.
    limit: Duration,
}

impl Engine {
    /// Copies the project's program, if it has one. To be called as the user of `/proj`.
    ///
    /// # Errors
    /// `OwnEngineStart`: there is one, but it can't be run.
    pub(super) fn find(info: &SwapInfo, node: &Node, line: &CommandLine) -> Result<Option<Self>> {
        let path = format!("/proj/{}/bin/imagezip", node.pid);
        let refuse = |why: &dyn core::fmt::Display| {
            FailureKind::OwnEngineStart.because(format_args!("{path}: {why}"))
        };
        let program = match info.open_program(&node.pid) {
            Ok(Some(program)) => program,
            Ok(None) => {
                log::info!("{path}: no such program; the built-in engine makes the image");
                return Ok(None);
            }
            Err(errno) => return Err(refuse(&Os(errno))),
        };
        let user = match &line.credentials {
            Some(user) if user.uid != 0 && user.gid != 0 => user.clone(),
            _ => {
                return Err(refuse(
                    &"a project's program never runs as root; mfs.uid= and mfs.gid= must name \
                      the swapper",
                ));
            }
        };
        let limit = LARGEST.min(free_memory() / 4);
        let executable = Executable::copy(&program, limit).map_err(|why| refuse(&why))?;
        let Executable { size, digest, .. } = &executable;
        log::info!("{path} makes the image: {size} bytes, SHA-256 {digest}");
        Ok(Some(Self { path, executable, user, limit: line.progress_limit }))
    }

    /// Lets the program make the image, and checks it.
    pub(super) fn make(&self, plan: &Plan<'_>, processes: &dyn Processes) -> Result<Made> {
        plan.progress.enter(Phase::Save);
        self.run(plan, processes)?;
        plan.progress.enter(Phase::Verify);
        let made = check::check(plan)?;
        Ok(Made { engine: Some(self.executable.digest), ..made })
    }

    /// Runs the program to its end, and that of all that it has started.
    fn run(&self, plan: &Plan<'_>, processes: &dyn Processes) -> Result<()> {
        become_root().map_err(cannot_switch)?;
        let result = self.run_as_root(plan, processes);
        use_project(Some(&self.user))?;
        let path = &self.path;
        match result? {
            Exit::Status(0) => Ok(()),
            Exit::Status(status) => Err(FailureKind::OwnEngineStatus.because(format_args!(
                "{path} failed with status {status}; what it said is in the log; without \
                 mfs.override=1 the built-in engine saves the disk"
            ))),
            Exit::Signal(signal) => Err(FailureKind::OwnEngineSignal.because(format_args!(
                "{path} was killed by signal {signal}; without mfs.override=1 the built-in engine \
                 saves the disk"
            ))),
        }
    }

    fn run_as_root(&self, plan: &Plan<'_>, processes: &dyn Processes) -> Result<Exit> {
        let fail = |doing: &str, errno| {
            let path = &self.path;
            FailureKind::OwnEngineStart.because(format_args!("{path}: {doing}: {}", Os(errno)))
        };
        // Nobody may look into this program, whatever user its threads are.
        set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .map_err(|errno| fail("hiding the agent's memory", errno))?;
        // Elsewhere, in tests, the kernel isn't this program's.
        if getpid().is_init() {
            restrain_kernel().map_err(|errno| fail("changing kernel settings", errno))?;
        }
        let disk = format!("/dev/{}", plan.disk.name);
        let user = self.groups();
        let grant = Grant::new(&disk, &user).map_err(|errno| fail(&disk, errno))?;
        let mut groups = user;
        groups.push(grant.group());

        let (output, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
            .and_then(|(reader, writer)| blocking(&writer).map(|()| (reader, writer)))
            .map_err(|errno| fail("making a pipe", errno))?;
        let input = file::open("/dev/null").map_err(|errno| fail("/dev/null", errno))?;
        let arguments = arguments(plan).map_err(|errno| fail("its arguments", errno))?;
        let program = Program {
            file: self.executable.file.as_fd(),
            arguments: &arguments,
            directory: plan.info.directory().as_fd(),
            uid: self.user.uid,
            gid: self.user.gid,
            groups: &groups,
            input: input.as_fd(),
            output: writer.as_fd(),
        };
        let mut process = processes.start(&program).map_err(|errno| fail("starting it", errno))?;
        drop(writer);
        // What is to be seen of the image is seen as its user.
        let result = use_project(Some(&self.user)).and_then(|()| {
            Watch::new(plan, &self.path, self.limit).until_end(process.as_mut(), &output)
        });
        process.end_all();
        drop(process);
        become_root().map_err(cannot_switch)?;
        drop(grant);
        result
    }

    /// The swapper's groups, without root's: its files in the node's memory are not theirs.
    fn groups(&self) -> Vec<u32> {
        self.user.groups.iter().copied().filter(|group| *group != 0).collect()
    }
}

/// Settings of the kernel (its Documentation/admin-guide/sysctl, `user.rst` and `vm.rst`) for the
/// time that a foreign program runs.
fn restrain_kernel() -> rustix::io::Result<()> {
    // In a user namespace of its own any program is root, and much more of the kernel open to it.
    let namespaces = file::write_text(c"/proc/sys/user/max_user_namespaces", "0\n");
    // Of a machine's memory a fifth could be data of the image that is still to be sent. When the
    // program ends it waits until all is sent, and would seem to stand still.
    let unsent = file::write_text(c"/proc/sys/vm/dirty_bytes", "67108864\n");
    // Boss' key for this run is among the kernel's words, which its log has, too.
    let words = chmod(c"/proc/cmdline", Mode::RUSR);
    let log = file::write_text(c"/proc/sys/kernel/dmesg_restrict", "1\n");
    let namespaces = match namespaces {
        // A kernel without such namespaces.
        Err(Errno::NOENT) => Ok(()),
        result => result,
    };
    namespaces.and(unsent).and(words).and(log)
}

/// Writing waits for a reader. What reads the other end does not wait.
fn blocking(writer: &OwnedFd) -> rustix::io::Result<()> {
    rustix::fs::fcntl_setfl(writer, OFlags::empty())
}

/// The classic arguments, in their classic order.
fn arguments(plan: &Plan<'_>) -> rustix::io::Result<Vec<CString>> {
    let mut words = alloc::vec![String::from("imagezip")];
    if plan.base.is_some() {
        words.push(String::from("-H"));
        words.push(format!("{}.sig", plan.info.vname()));
    }
    if plan.part.load_partition != 0 {
        words.push(String::from("-s"));
        words.push(format!("{}", plan.part.load_partition));
    }
    words.push(format!("/dev/{}", plan.disk.name));
    let image = plan.info.commit().temporary_name(Member::Image);
    // A node's name may begin with a dash.
    words.push(if image.starts_with('-') { format!("./{image}") } else { image });
    words.into_iter().map(|word| CString::new(word).map_err(|_| Errno::INVAL)).collect()
}

#[cfg(test)]
mod tests;
