//! Saving the disk: all of what is in use on it, or the delta to the image that it was loaded from.

mod built_in;
mod count;
mod own;
mod plan;
mod publish;
mod statistics;

use alloc::string::String;
use alloc::sync::Arc;

use imagezip_core::swapinfo::Phase;

use crate::cmdline::{CommandLine, Credentials, Node, Save};
use crate::disk;
use crate::disk::device::DiskDevice;
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
use plan::{BaseImage, Plan};

/// What a save needs of the runtime.
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

/// Saves the disk of `node`, or counts what that would take; the words of the result line.
///
/// # Errors
/// Anything; the previous image is as it was.
pub fn run(
    line: &CommandLine,
    node: &Node,
    save: Save,
    host: Host<'_>,
    progress: &'static Progress,
) -> Result<String> {
    progress.enter(Phase::Prepare);
    let identity = line.credentials.as_ref();
    use_project(identity)?;
    let tree = Tree::of_mounts(mount::ROOT)
        .map_err(|errno| Failure::of_project(errno, "opening the directory of mounts"))?;
    let patience = Patience::new(line.retry_limit, progress);
    let info = Arc::new(SwapInfo::open(tree, node, patience)?);
    heartbeat::must_be_alone(&info, heartbeat::SILENCE, progress)?;
    heartbeat::start(host.threads, Arc::clone(&info), progress)?;
    #[cfg(feature = "drill")]
    crate::drill::play(line.drill, host.threads, progress);
    if !save.is_statistics() {
        recover(&info)?;
    }
    let part = info.read_part()?;
    let base = if save.is_full() { None } else { Some(BaseImage::read(&info)?) };
    let engine = if line.own_engine && !save.is_statistics() {
        own::Engine::find(&info, node, line)?
    } else {
        None
    };

    // Only root may open the disk.
    become_root().map_err(cannot_switch)?;
    let disk = disk::find(&disk::SYSTEM, &part, &line.disk, host.rescan, progress)?;
    let device = DiskDevice::open(&disk::SYSTEM, &disk, progress)?;
    use_project(identity)?;

    let map = plan::allocation(&device, &disk, &part)?;
    if let Some(base) = &base {
        base.check_fits(&map, &disk)?;
    }
    let in_use = map.in_use.sector_count().to_bytes().get();
    progress.set_total(in_use);
    let plan = Plan {
        node,
        part: &part,
        disk: &disk,
        device: &device,
        map: &map,
        base: base.as_ref(),
        level: line.level,
        info: &info,
        threads: host.threads,
        ranges: host.ranges,
        progress,
    };
    if save.is_statistics() {
        return statistics::take(&plan);
    }
    info.check_room(in_use);
    let result = info.commit().save_again_if_refused(|| {
        let made = match &engine {
            Some(engine) => engine.make(&plan, host.processes)?,
            None => built_in::make(&plan)?,
        };
        publish::publish(&plan, &made)
    });
    if result.is_err()
        && let Err(failure) = info.commit().recover()
    {
        log::warn!("{failure}");
    }
    result
}

/// Puts in order what an earlier run left.
fn recover(info: &SwapInfo) -> Result<()> {
    match info.commit().recover()? {
        Recovered::Clean => {}
        Recovered::Discarded => log::info!("the unfinished image of an earlier run is removed"),
        Recovered::Completed => log::info!("the image of an earlier run is completed"),
    }
    Ok(())
}

fn use_project(identity: Option<&Credentials>) -> Result<()> {
    identity.map_or(Ok(()), become_user).map_err(cannot_switch)
}

fn cannot_switch(errno: rustix::io::Errno) -> Failure {
    FailureKind::Resource.because(format_args!("cannot change the user: {}", Os(errno)))
}
