//! PID 1 of the memory file system: boots, does its job, reports, and ends the machine's run.
#![no_std]
#![no_main]

extern crate alloc;

#[expect(unsafe_code, reason = "the one module that may: it stands in for a C library")]
mod runtime;

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use imagezip_core::swapinfo::Phase;
use mfs_agent::assignment::{self, Assignment};
use mfs_agent::boot::{modules, mounts, watchdog::Watchdog};
use mfs_agent::cmdline::ip::Addressing;
use mfs_agent::cmdline::{self, CommandLine, Job, NetworkWords, Then};
use mfs_agent::failure::{FailureKind, Result};
use mfs_agent::job::{Host, idle, selftest, swapin, swapout};
use mfs_agent::monitor::Monitor;
use mfs_agent::net::Network;
use mfs_agent::net::link::Links;
use mfs_agent::progress::Progress;
use mfs_agent::project::{credentials, mount};
use mfs_agent::report::{console, ending, journal, memory};
use mfs_agent::tmcd::reporter;
use mfs_agent::{finish, net};
use runtime::{KernelPackets, KernelProcesses, KernelRanges, KernelThreads};
use rustix_futex_sync::OnceLock;

const HOST: Host<'_> = Host {
    threads: &KernelThreads,
    processes: &KernelProcesses,
    ranges: &KernelRanges,
    rescan: &rescan,
};
static PROGRESS: Progress = Progress::new();
static MONITOR: Monitor = Monitor::new(&PROGRESS);
/// What a word says about the end.
static THEN: OnceLock<Then> = OnceLock::new();
/// Whether the machine stays up at the end if no word says what to do.
static STAYS: AtomicBool = AtomicBool::new(false);

/// How long a node that only looks at itself waits for a network.
const LOOKING: Duration = Duration::from_secs(30);

fn main() -> ! {
    console::open();
    journal::install();
    let result = run();
    finish(result)
}

fn run() -> Result<String> {
    mounts::mount_all()?;
    console::open();
    let text = cmdline::of_kernel()?;
    if let Some(then) = Then::find(&text) {
        let _ = THEN.set(then);
    }
    console::calm(&text);
    log::info!("mfs-agent {} on Linux {}", env!("CARGO_PKG_VERSION"), kernel());
    let line = CommandLine::parse(&text, &mut |warning| log::warn!("command line: {warning}"))?;
    MONITOR.start(&KernelThreads, line.progress_limit, then_at_once())?;

    PROGRESS.enter(Phase::Boot);
    modules::load_watchdogs(&KernelThreads, &beat);
    if let Some(watchdog) = Watchdog::arm() {
        MONITOR.feed(watchdog);
    }
    modules::load_present(&KernelThreads, &beat);
    if line.job == Some(Job::Selftest) {
        return look_at_this_node(&line);
    }
    let mut assignment = Assignment::of_words(line);
    if assignment::needs_network(&assignment.line) {
        let network = bring_up(&assignment.line.network)?;
        if assignment::needs_boss(&assignment.line) {
            let boss = Arc::new(assignment::find_boss(&assignment.line, &network, &PROGRESS)?);
            reporter::start(&KernelThreads, Arc::clone(&boss), &PROGRESS)?;
            assignment.ask_who(boss, &PROGRESS)?;
        }
        assignment.mount(&network, &PROGRESS)?;
        let known = assignment.ask_what(&PROGRESS);
        // Boss has the next word, too. After a reboot the node would be told to save again.
        STAYS.store(assignment.job_is_from_boss(), Ordering::Relaxed);
        known?;
    }
    perform(&assignment.line)
}

fn perform(line: &CommandLine) -> Result<String> {
    let Some(job) = line.job.as_ref().filter(|job| job.is_about_the_disk()) else {
        idle::run(&PROGRESS)
    };
    let Some(node) = &line.node else {
        return Err(FailureKind::Boss
            .because("boss: this node belongs to no experiment to save or load it for"));
    };
    match job {
        Job::Swapout(save) => swapout::run(line, node, *save, HOST, &PROGRESS),
        Job::Capture(directory) => swapout::capture(line, node, directory, HOST, &PROGRESS),
        Job::Swapin(load) => swapin::run(line, node, *load, HOST, &PROGRESS),
        Job::Load(load) => swapin::run_base(line, node, *load, HOST, &PROGRESS),
        Job::Selftest | Job::Idle => idle::run(&PROGRESS),
    }
}

/// Shows what this node has; the network too, if there is one to be had.
fn look_at_this_node(line: &CommandLine) -> Result<String> {
    // Somebody wants to read the page.
    STAYS.store(true, Ordering::Relaxed);
    let mut words = line.network.clone();
    words.limit = words.limit.min(LOOKING);
    let address = match words.addressing {
        Some(Addressing::Off) => None,
        _ => Some(
            bring_up(&words)
                .map_or_else(|failure| failure.to_string(), |network| network.to_string()),
        ),
    };
    selftest::run(&selftest::SYSTEM, address.as_deref(), &KernelThreads, &rescan, &PROGRESS)
}

fn bring_up(words: &NetworkWords) -> Result<Network> {
    let environment = net::Environment {
        packets: &KernelPackets,
        threads: &KernelThreads,
        rescan: &rescan,
        progress: &PROGRESS,
        links: Links::CARDS,
    };
    net::bring_up(words, &environment)
}

/// A sign of life.
fn beat() {
    PROGRESS.beat();
}

/// Loads drivers for devices that have appeared.
fn rescan() {
    modules::rescan(&beat);
}

/// Reports how it went and ends the run of the machine.
fn finish(result: Result<String>) -> ! {
    if let Some(kib) = memory::peak() {
        log::info!("peak memory {kib} KiB");
    }
    match result {
        Ok(text) => {
            log::info!("{text}");
            ending::announce(0, format_args!("{text}"));
        }
        Err(failure) => {
            log::error!("{failure}");
            ending::announce(failure.code(), format_args!("{failure}"));
        }
    }
    ending::wait_until_reported(Duration::from_secs(30));
    let _ = credentials::become_root();
    mount::unmount_all();
    let then = then();
    if then == Then::Stay {
        // The watchdog is fed as long as somebody may still want something of this machine.
        PROGRESS.enter(Phase::Idle);
    } else {
        MONITOR.stop();
    }
    finish::now(then)
}

/// The end of the run if the program itself is at fault, in whatever thread, or in several at once.
/// Takes no lock: the thread may hold any.
fn panicked(info: &PanicInfo<'_>) -> ! {
    static PANICKED: AtomicBool = AtomicBool::new(false);
    if !PANICKED.swap(true, Ordering::Relaxed) {
        ending::announce(FailureKind::Panic.code(), format_args!("{info}"));
    }
    // The second one waits, too, or nobody would hear of the first.
    ending::wait_until_reported(Duration::from_secs(10));
    finish::now(then_at_once())
}

/// What to do after a run that came to its end.
fn then() -> Then {
    let default = if STAYS.load(Ordering::Relaxed) { Then::Stay } else { Then::Reboot };
    THEN.get().copied().unwrap_or(default)
}

/// What to do after a run that was broken off: threads of it may still be at work, so the machine
/// doesn't stay.
fn then_at_once() -> Then {
    THEN.get().copied().filter(|then| *then != Then::Stay).unwrap_or_default()
}

fn kernel() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}
