//! Loading the disk with what was saved: the base image and the delta to it, or a full image.
//!
//! Everything is checked before the first write: that the images are those that belong together,
//! and that they fit the disk. What is written is read back from the disk and compared with the
//! signatures before anybody is told that it is loaded. A swapin that was cut off is done again.

mod finish;
mod load;
mod place;
mod saved;

use alloc::format;
use alloc::string::String;

use crate::cmdline::{CommandLine, Load, Node};
use crate::disk;
use crate::disk::target::TargetDisk;
use crate::failure::Result;
use crate::job::session::{Host, Session};
use crate::progress::Progress;
use saved::SavedDisk;

/// Loads the disk of `node`; the words of the result line.
///
/// # Errors
/// Anything. Before the phase `load` the disk is as it was.
pub fn run(
    line: &CommandLine,
    node: &Node,
    load: Load,
    host: Host<'_>,
    progress: &'static Progress,
) -> Result<String> {
    let session = Session::begin(line, node, None, host, progress)?;
    let info = &session.info;
    session.recover()?;
    let part = info.read_part()?;
    let saved = SavedDisk::read(info, node, &part)?;
    saved.check_image(progress)?;

    let (disk, target) = session.as_root(|| {
        let disk = disk::find(&disk::SYSTEM, &part, &line.disk, host.rescan, progress)?;
        let target = TargetDisk::open(&disk::SYSTEM, &disk, progress)?;
        Ok((disk, target))
    })?;
    let place = place::find(&saved.meta, &disk, &target)?;
    let loading = load::Loading { saved: &saved, disk: &disk, target: &target, place, load };
    let loaded = loading.run(host.threads, progress)?;
    finish::fit_table(&disk, &target, (&part, &saved.meta), load.partition_type)?;
    Ok(format!("loaded {loaded}"))
}
