//! Saving the disk: all of what is in use on it, or the delta to the image that it was loaded from.
//!
//! A capture is a save of all that is in use to another directory, from which boss makes an image.

mod built_in;
mod count;
mod own;
mod plan;
mod publish;
mod statistics;

use alloc::format;
use alloc::string::String;

use crate::cmdline::directory::ServerDirectory;
use crate::cmdline::{CommandLine, Node, Save};
use crate::disk;
use crate::disk::device::DiskDevice;
use crate::failure::Result;
use crate::job::base::BaseImage;
use crate::job::session::{Host, Session};
use crate::progress::Progress;
use plan::Plan;

/// Saves all that is in use on the disk of `node` to `directory`; the words of the result line.
///
/// # Errors
/// As [`run`].
pub fn capture(
    line: &CommandLine,
    node: &Node,
    directory: &ServerDirectory,
    host: Host<'_>,
    progress: &'static Progress,
) -> Result<String> {
    let session = Session::begin(line, node, Some(directory), host, progress)?;
    let saved = save_disk(&session, line, node, Save::Full, host, progress)?;
    Ok(format!("captured {saved}"))
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
    let session = Session::begin(line, node, None, host, progress)?;
    let saved = save_disk(&session, line, node, save, host, progress)?;
    let word = if save.is_statistics() { "statistics" } else { "saved" };
    Ok(format!("{word} {saved}"))
}

/// Saves, or counts; the numbers of the result line.
fn save_disk(
    session: &Session<'_>,
    line: &CommandLine,
    node: &Node,
    save: Save,
    host: Host<'_>,
    progress: &'static Progress,
) -> Result<String> {
    let info = &session.info;
    if !save.is_statistics() {
        session.recover()?;
    }
    let part = info.read_part()?;
    let base = if save.is_full() { None } else { Some(BaseImage::read(info)?) };
    let engine = if line.own_engine && !save.is_statistics() {
        own::Engine::find(info, node, line)?
    } else {
        None
    };

    let (disk, device) = session.as_root(|| {
        let disk = disk::find(&disk::SYSTEM, &part, &line.disk, host.rescan, progress)?;
        let device = DiskDevice::open(&disk::SYSTEM, &disk, progress)?;
        Ok((disk, device))
    })?;

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
        info,
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
