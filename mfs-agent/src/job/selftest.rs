//! A page about the node, for who sets up nodes: is everything here that a save needs?
//!
//! Nothing is written anywhere, and disks are opened for reading only. The page is for people and
//! for grep: each line has the device's name, what it is about, and the value, in at most 78
//! columns. The result line counts what there is.

mod disks;
mod nics;
mod page;
mod speed;

#[cfg(test)]
mod tests;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use imagezip_core::pipeline::{SingleThread, Workers};
use imagezip_core::swapinfo::Phase;
use rustix::system::{sysinfo, uname};

use crate::disk;
use crate::failure::{Failure, Result};
use crate::file;
use crate::net::link::Links;
use crate::progress::Progress;
use crate::threads::{Processors, Threads};
use page::Page;
use speed::{Work, measure};

/// Where the kernel tells about the node, and how long to measure.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// For disks.
    pub disks: disk::Sources<'a>,
    /// For network cards.
    pub links: Links,
    /// Whether interfaces that are down are brought up for a moment, to see if they have a link.
    pub try_links: bool,
    /// `/proc/cpuinfo`
    pub processors: &'a str,
    /// How long each kind of work is done to measure its speed.
    pub work_time: Duration,
    /// How long a disk is read to measure its speed.
    pub read_time: Duration,
}

/// Those of the running kernel.
pub const SYSTEM: Sources<'_> = Sources {
    // Nobody is in a hurry here, and sticks take seconds.
    disks: disk::Sources { settling: Duration::from_secs(5), ..disk::SYSTEM },
    links: Links::CARDS,
    try_links: true,
    processors: "/proc/cpuinfo",
    work_time: Duration::from_millis(500),
    read_time: Duration::from_secs(2),
};

/// Prints the page on the console and into the log; the counts for the result line.
///
/// `address` is what the network was told, if there is one. `rescan` is called again and again
/// while disks may still appear; it may load drivers.
///
/// # Errors
/// What of the node can't be used: `Network` if there is no network card, or none of those that
/// are up has a link; `DiskAbsent` if there is no disk or one can't be opened; the core's kind if
/// one can't be read. The page is printed whole before.
pub fn run(
    sources: &Sources<'_>,
    address: Option<&str>,
    threads: &dyn Threads,
    rescan: &dyn Fn(),
    progress: &Progress,
) -> Result<String> {
    print(sources, address, threads, rescan, progress, &mut |line| log::info!("{line}"))
}

fn print(
    sources: &Sources<'_>,
    address: Option<&str>,
    threads: &dyn Threads,
    rescan: &dyn Fn(),
    progress: &Progress,
    write: &mut dyn FnMut(fmt::Arguments<'_>),
) -> Result<String> {
    progress.enter(Phase::Prepare);
    let mut page = Page::new(write);
    let mut problems = Vec::new();
    node(&mut page, sources, address, threads, progress);
    let nics = nics::print(&mut page, sources, progress, &mut problems);
    let disks = disk::wait_for_all(&sources.disks, rescan, progress);
    for disk in &disks {
        disks::print(&mut page, sources, disk, progress, &mut problems);
    }
    if disks.is_empty() {
        problems.push(disks::none());
    }
    conclude(&problems, nics, disks.len())
}

fn conclude(problems: &[Failure], nics: usize, disks: usize) -> Result<String> {
    let Some(first) = problems.first() else {
        return Ok(format!("selftest ok nics={nics} disks={disks}"));
    };
    let messages: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let messages = messages.join("; ");
    Err(first.kind.because(format_args!("selftest nics={nics} disks={disks}: {messages}")))
}

fn node(
    page: &mut Page<'_>,
    sources: &Sources<'_>,
    address: Option<&str>,
    threads: &dyn Threads,
    progress: &Progress,
) {
    page.block("node");
    let system = uname();
    let (release, machine) = (system.release(), system.machine());
    page.row("kernel", format_args!("{} {}", release.to_string_lossy(), machine.to_string_lossy()));
    page.row("agent", env!("CARGO_PKG_VERSION"));
    let all = Processors::new(threads);
    let model = model(sources.processors);
    let model = model.as_deref().unwrap_or("unknown");
    page.row("cpus", format_args!("{}, {model}", all.count()));
    let memory = sysinfo();
    let mib = |count| u64::from(memory.mem_unit).saturating_mul(count) >> 20;
    page.row(
        "memory",
        format_args!("{} MiB, {} MiB of it free", mib(memory.totalram), mib(memory.freeram)),
    );
    page.row("network", address.unwrap_or("not asked for (ip=off)"));
    for (key, work) in [("sha1", Work::Hash), ("compress", Work::Compress)] {
        let one = measure(&SingleThread, work, sources.work_time, progress);
        if all.count() == 1 {
            page.row(key, format_args!("{one} on the only CPU"));
        } else {
            let many = measure(&all, work, sources.work_time, progress);
            page.row(key, format_args!("{one} on one CPU, {many} on all {}", all.count()));
        }
    }
}

/// The name of the first processor. All of the file can be large, so only its start is read.
fn model(path: &str) -> Option<String> {
    let mut start = [0; 1024];
    let len = rustix::io::read(file::open(path).ok()?, &mut start).ok()?;
    let text = String::from_utf8_lossy(start.get(..len)?).into_owned();
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(": ").map(|(_, name)| String::from(name))
}
