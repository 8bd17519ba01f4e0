//! What all that saves or loads a disk has in common: the node's files, in the user's name, and signs of
//! life.

use alloc::sync::Arc;

use imagezip_core::swapinfo::Phase;

use crate::cmdline::directory::ServerDirectory;
use crate::cmdline::{CommandLine, Credentials, Node};
use crate::failure::{Failure, FailureKind, Os, Result};
use crate::processes::Processes;
use crate::progress::Progress;
use crate::project::commit::Recovered;
use crate::project::credentials::{become_root, become_user};
use crate::project::mount;
use crate::project::patience::Patience;
use crate::project::swapinfo::SwapInfo;
use crate::project::tree::Tree;
use crate::ranges::SyncRanges;
use crate::report::heartbeat;
use crate::threads::Threads;

/// What a job needs of the runtime.
#[derive(Clone, Copy)]
pub struct Host<'a> {
    /// Threads.
    pub threads: &'a dyn Threads,
    /// Processes, for a project's own engine.
    pub processes: &'a dyn Processes,
    /// Syncs parts of files.
    pub ranges: &'a dyn SyncRanges,
    /// Loads drivers for devices that have none, while the disk is waited for.
    pub rescan: &'a dyn Fn(),
}

/// The node's files, used in the user's name.
pub(super) struct Session<'a> {
    pub(super) info: Arc<SwapInfo>,
    identity: Option<&'a Credentials>,
}

impl<'a> Session<'a> {
    /// Opens the node's files, those of its experiment unless another directory is given, and begins
    /// to write signs of life there.
    ///
    /// # Errors
    /// Those of [`SwapInfo::open`] and [`SwapInfo::open_other`]; `ProjectFile` if another machine is at work as this node.
    pub(super) fn begin(
        line: &'a CommandLine,
        node: &Node,
        directory: Option<&ServerDirectory>,
        host: Host<'_>,
        progress: &'static Progress,
    ) -> Result<Self> {
        progress.enter(Phase::Prepare);
        let identity = line.credentials.as_ref();
        use_project(identity)?;
        let tree = Tree::of_mounts(mount::ROOT)
            .map_err(|errno| Failure::of_project(errno, "opening the directory of mounts"))?;
        let patience = Patience::new(line.retry_limit, progress);
        let info = match directory {
            None => SwapInfo::open(tree, node, patience)?,
            Some(place) => SwapInfo::open_other(tree, node, place, patience)?,
        };
        let info = Arc::new(info);
        heartbeat::must_be_alone(&info, heartbeat::SILENCE, progress)?;
        heartbeat::start(host.threads, Arc::clone(&info), progress)?;
        #[cfg(feature = "drill")]
        crate::drill::play(line.drill, host.threads, progress);
        Ok(Self { info, identity })
    }

    /// Puts in order what an earlier save left.
    pub(super) fn recover(&self) -> Result<()> {
        match self.info.commit().recover()? {
            Recovered::Clean => {}
            Recovered::Discarded => {
                log::info!("the unfinished image of an earlier run is removed");
            }
            Recovered::Completed => log::info!("the image of an earlier run is completed"),
        }
        Ok(())
    }

    /// Does what only root may: opens disks.
    pub(super) fn as_root<T>(&self, body: impl FnOnce() -> Result<T>) -> Result<T> {
        become_root().map_err(cannot_switch)?;
        let result = body();
        use_project(self.identity)?;
        result
    }
}

pub(super) fn use_project(identity: Option<&Credentials>) -> Result<()> {
    identity.map_or(Ok(()), become_user).map_err(cannot_switch)
}

pub(super) fn cannot_switch(errno: rustix::io::Errno) -> Failure {
    FailureKind::Resource.because(format_args!("cannot change the user: {}", Os(errno)))
}
