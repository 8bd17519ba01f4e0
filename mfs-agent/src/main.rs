//! PID 1 of the memory file system: boots, does its job, reports, and ends the machine's run.
#![no_std]
#![no_main]

extern crate alloc;

#[expect(unsafe_code, reason = "the one module that may: it stands in for a C library")]
mod runtime;

use alloc::string::String;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use imagezip_core::swapinfo::Phase;
use mfs_agent::boot::{modules, mounts, watchdog::Watchdog};
use mfs_agent::cmdline::ip::Addressing;
use mfs_agent::cmdline::{self, CommandLine, Job, Then};
use mfs_agent::failure::{FailureKind, Result};
use mfs_agent::job::{idle, swapout};
use mfs_agent::monitor::Monitor;
use mfs_agent::net::link::Links;
use mfs_agent::progress::Progress;
use mfs_agent::project::{credentials, mount};
use mfs_agent::report::{console, ending, journal, memory};
use mfs_agent::{finish, net};
use runtime::{KernelPackets, KernelThreads};
use rustix_futex_sync::OnceLock;

static PROGRESS: Progress = Progress::new();
static MONITOR: Monitor = Monitor::new(&PROGRESS);
static THEN: OnceLock<Then> = OnceLock::new();

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
    let then = *THEN.get_or_init(|| Then::find(&text).unwrap_or_default());
    console::calm(&text);
    log::info!("mfs-agent {} on Linux {}", env!("CARGO_PKG_VERSION"), kernel());
    let line = CommandLine::parse(&text, &mut |warning| log::warn!("command line: {warning}"))?;
    MONITOR.start(&KernelThreads, line.progress_limit, then)?;

    PROGRESS.enter(Phase::Boot);
    modules::load_watchdogs(&KernelThreads, &|| PROGRESS.beat());
    if let Some(watchdog) = Watchdog::arm() {
        MONITOR.feed(watchdog);
    }
    modules::load_present(&KernelThreads, &|| PROGRESS.beat());
    let network = needs_network(&line).then(|| {
        let environment = net::Environment {
            packets: &KernelPackets,
            threads: &KernelThreads,
            rescan: &|| {
                modules::rescan(&|| PROGRESS.beat());
            },
            progress: &PROGRESS,
            links: Links::CARDS,
        };
        net::bring_up(&line.network, &environment)
    });
    let network = network.transpose()?;
    if let (Some(export), Some(network)) = (&line.project, &network) {
        PROGRESS.enter(Phase::Mount);
        let server = network
            .resolve(&export.server, line.network.limit, &PROGRESS)
            .map_err(|failure| failure.context(format_args!("mfs.proj={export}")))?;
        let remote = mount::Remote { export, server, options: &line.nfs_options };
        mount::mount_project(remote, line.mount_limit, &PROGRESS)?;
    }
    match (line.job, &line.node) {
        (Some(Job::Swapout(_)), Some(node)) => swapout::run(&line, node, &KernelThreads, &PROGRESS),
        _ => idle::run(&PROGRESS),
    }
}

/// Whether there is something to do over the network. A node that is idle has one if it is given
/// an address or told to get one.
fn needs_network(line: &CommandLine) -> bool {
    let given = line.network.addressing.as_ref().is_some_and(|how| *how != Addressing::Off);
    given || line.project.is_some()
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
    mount::unmount_project();
    MONITOR.stop();
    finish::now(then())
}

/// The end of the run if the program itself is at fault, in whatever thread. Takes no lock: the
/// thread may hold any.
fn panicked(info: &PanicInfo<'_>) -> ! {
    static PANICKED: AtomicBool = AtomicBool::new(false);
    if !PANICKED.swap(true, Ordering::Relaxed) {
        ending::announce(FailureKind::Panic.code(), format_args!("{info}"));
        ending::wait_until_reported(Duration::from_secs(10));
    }
    finish::now(then())
}

fn then() -> Then {
    THEN.get().copied().unwrap_or_default()
}

fn kernel() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}
