//! Loading the disk with what was saved: the base image and the delta to it, or a full image; or
//! with the base image alone.
//!
//! Everything is checked before the first write: that the images are those that belong together,
//! and that they fit the disk. What is written is read back from the disk and compared with the
//! signatures before anybody is told that it is loaded. A swapin that was cut off is done again.

mod base;
mod contents;
mod finish;
#[cfg(test)]
mod fixture;
mod hints;
mod load;
mod place;
mod saved;

use alloc::format;
use alloc::string::String;

use imagezip_core::swapinfo::Part;

use crate::cmdline::{CommandLine, Load, Node};
use crate::disk;
use crate::disk::target::TargetDisk;
use crate::failure::Result;
use crate::job::session::{Host, Session};
use crate::progress::Progress;
use contents::Contents;

/// Loads the disk of `node` with what was saved; the words of the result line.
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
    let contents = saved::read(info, node, &part)?;
    load_with(&session, line, (&part, &contents), load, host, progress)
}

/// Loads the disk of `node` with the base image that boss has for it; the words of the result line.
/// What was saved stays as it is, also what an earlier save has left undone.
///
/// # Errors
/// As [`run`].
pub fn run_base(
    line: &CommandLine,
    node: &Node,
    load: Load,
    host: Host<'_>,
    progress: &'static Progress,
) -> Result<String> {
    let session = Session::begin(line, node, None, host, progress)?;
    let part = session.info.read_part()?;
    let contents = base::read(&session.info, &part)?;
    load_with(&session, line, (&part, &contents), load, host, progress)
}

/// Finds the disk and loads it.
fn load_with(
    session: &Session<'_>,
    line: &CommandLine,
    (part, contents): (&Part, &Contents<'_>),
    load: Load,
    host: Host<'_>,
    progress: &'static Progress,
) -> Result<String> {
    contents.check_image(progress)?;

    let (disk, target) = session.as_root(|| {
        let disk = disk::find(&disk::SYSTEM, part, &line.disk, host.rescan, progress)?;
        let target = TargetDisk::open(&disk::SYSTEM, &disk, progress)?;
        Ok((disk, target))
    })?;
    let place = place::find(contents, &disk, &target)?;
    let loading = load::Loading { contents, disk: &disk, target: &target, place, load };
    let loaded = loading.run(host.threads, progress)?;
    finish::fit_table(&disk, &target, (part, contents.origin), load.partition_type)?;
    Ok(format!("loaded {loaded}"))
}
