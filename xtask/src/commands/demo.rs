//! `cargo xtask demo`: a node's disk is saved in QEMU, and what was saved is proven.

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use imagezip_core::swapinfo::Status;
use xtask::experiment::{Experiment, Proof};
use xtask::nfs::server::Server;
use xtask::node_disk::Sizes;
use xtask::qemu::{Exit, Running, WatchdogAction};
use xtask::{apt, mfs, paths};

/// What fills the root file system; the demo is about real files.
const SIZES: Sizes = Sizes { esp: 48, root: 768, swap: 64, files: 320 };

/// How long the guest may take in all. An emulated CPU hashes and compresses slowly.
const LIMIT: Duration = Duration::from_mins(10);

/// Boots a node in QEMU, saves its disk over NFS, and proves that base and delta give it back.
///
/// Everything is real: a GPT disk with FAT32, ext4 and swap made by the ordinary tools, files of
/// this machine, the Debian kernel's NFS client. Results stay in target/demo.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Keep the disks, too (about 3 GB); else only the results stay.
    #[arg(long)]
    keep: bool,
}

impl Demo {
    pub(crate) fn run(self) -> Result<()> {
        let start = Instant::now();
        for packages in [apt::KERNEL_TOOLS, apt::QEMU, apt::DISK_TOOLS] {
            apt::ensure(packages)?;
        }
        step("building the boot image");
        let image = mfs::build("virtio", None)?;
        print!("{}", image.summary());

        step("making a node's disk, its base image, and a user's changes");
        let directory = paths::target().join("demo");
        let experiment = Experiment::prepare(&directory, SIZES, &[])?;

        step("booting the node: it saves its disk to /proj over NFS");
        let server = Server::started(&experiment.proj(), "/proj")?;
        let machine = experiment.node(&image, "/proj", &server.mount_options());
        let mut node = machine.cpus(2).watchdog(WatchdogAction::Reset).start()?;
        let run = watch(&mut node, &experiment)?;

        step("loading base and delta onto another disk, and comparing");
        let proof = experiment.prove()?;
        print_summary(&run, &proof);
        if self.keep {
            println!("everything is in {}", directory.display());
        } else {
            tidy(&experiment)?;
            println!("results are in {}", directory.display());
        }
        println!("demo passed in {:.0} s", start.elapsed().as_secs_f64());
        Ok(())
    }
}

fn step(what: &str) {
    println!("==> {what}");
}

/// What the guest's run showed.
struct Run {
    agent_started: Duration,
    ended: Duration,
    result: String,
    peak_memory: String,
    last: Status,
    saving: Duration,
}

/// Shows how far the node is until it has turned itself off.
fn watch(node: &mut Running, experiment: &Experiment) -> Result<Run> {
    let started = node.wait_for_line("mfs-agent ", LIMIT)?;
    let terminal = std::io::stdout().is_terminal();
    let mut phase = None;
    let exit = loop {
        match node.wait(Duration::from_millis(500)) {
            Ok(exit) => break exit,
            Err(error) if node.elapsed() > LIMIT => return Err(error),
            Err(_) => {}
        }
        let Some(status) = read_status(&experiment.node_file("-swap.status")) else { continue };
        if terminal || phase != Some(status.phase) {
            phase = Some(status.phase);
            let line = progress_line(&status);
            if terminal {
                print!("\r{line:<78}");
                std::io::stdout().flush()?;
            } else {
                println!("    {line}");
            }
        }
    };
    if terminal {
        println!();
    }
    let console = node.console();
    let result = console.find("mfs-result: ").map(|line| line.text).unwrap_or_default();
    if exit != Exit::PowerOff || !result.contains("mfs-result: saved") {
        bail!("the node did not save its disk ({exit}): {result}\n{}", console.tail(30));
    }
    let at = |text: &str| console.find(text).map(|line| line.at).unwrap_or_default();
    let last = read_status(&experiment.node_file("-swap.status")).context("no last status")?;
    ensure!(last.result == Some(0), "the last status is not that of a success: {last:?}");
    let peak = console.find("peak memory").map(|line| line.text).unwrap_or_default();
    Ok(Run {
        agent_started: started.at,
        ended: node.elapsed(),
        peak_memory: peak.split("peak memory").nth(1).unwrap_or("?").trim().to_owned(),
        saving: at("mfs-phase: verify").saturating_sub(at("mfs-phase: save")),
        result,
        last,
    })
}

fn read_status(path: &Path) -> Option<Status> {
    fs::read(path).ok().and_then(|text| Status::parse(&text).ok())
}

fn progress_line(status: &Status) -> String {
    let mib = |bytes: u64| bytes >> 20;
    format!(
        "{:<8} {:>5} of {} MiB read, {} MiB changed, {} MiB written",
        status.phase.name(),
        mib(status.scanned),
        mib(status.total),
        mib(status.changed),
        mib(status.written)
    )
}

#[expect(clippy::cast_precision_loss, reason = "for people, who read three digits")]
fn print_summary(run: &Run, proof: &Proof) {
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let rate = run.last.scanned as f64 / 1e6 / run.saving.as_secs_f64().max(0.001);
    println!();
    println!("  node           {}", run.result);
    println!("  base image     {}", mib(proof.base_bytes));
    println!(
        "  delta          {} holding {} of the disk",
        mib(proof.delta_bytes),
        mib(proof.delta_data_bytes)
    );
    println!("  boot           agent running after {:.1} s", run.agent_started.as_secs_f64());
    println!(
        "  save           {} read and compared in {:.1} s: {rate:.0} MB/s (emulated CPUs)",
        mib(run.last.scanned),
        run.saving.as_secs_f64()
    );
    println!("  all            {:.1} s from power on to power off", run.ended.as_secs_f64());
    println!("  peak memory    {} of the agent", run.peak_memory);
    println!("  compared       {} in use on the disk: equal", mib(proof.bytes_compared));
    println!("  files          {} by digest: equal; e2fsck -fn: clean", proof.files_compared);
    println!();
}

/// Removes what is large, and what was only needed on the way.
fn tidy(experiment: &Experiment) -> Result<()> {
    fs::remove_dir_all(experiment.directory.join("scratch"))?;
    for name in ["node.img", "restored.img"] {
        let path = experiment.directory.join(name);
        fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
    }
    Ok(())
}
