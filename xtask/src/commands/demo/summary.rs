//! What the demo has shown, for people.

use std::time::Duration;

use anyhow::Result;
use imagezip_core::swapinfo::Phase;
use xtask::experiment::BootProof;

use super::guest::Run;
use super::load::{Loaded, Moved};
use super::save::Saved;

/// Prints what was saved, loaded and compared. All that was compared was equal.
pub(super) fn print(saved: &Saved, moved: &Moved, again: &Loaded) -> Result<()> {
    println!();
    print_save(saved);
    print_load("full of another user's data", &moved.loaded)?;
    line("last user", "nothing is left of what the disk held: each sector is node A's or zeros");
    print_boot(&moved.boot);
    println!();
    print_load("which has the base image already", again)
}

fn print_boot(boot: &BootProof) {
    let (name, read) = boot.answer.split_once(", ").unwrap_or_default();
    let (file, _) = read.split_once(' ').unwrap_or_default();
    let at = boot.answered.as_secs_f64();
    line(
        "own disk",
        &format!("boots by itself: after {at:.1} s its init says \"hello from {name}\""),
    );
    line("", &format!("and has read {file} with node A's SHA-256"));
}

fn print_save(saved: &Saved) {
    let Saved { run, proof, disk_bytes } = saved;
    println!("swapout of node A, a virtio disk of {}", mib(*disk_bytes));
    line("base image", &mib(proof.base_bytes));
    let (delta, data) = (mib(proof.delta_bytes), mib(proof.delta_data_bytes));
    line("delta", &format!("{delta} holding {data} of the disk"));
    let (read, saving) = (run.last.scanned, run.phase(Phase::Save));
    line("save", &format!("{} read and compared in {}", mib(read), rate(read, saving)));
    print_times(run);
    let (bytes, files) = (mib(proof.bytes_compared), proof.files_compared);
    line("proven", &format!("{bytes} in use, {files} files by digest: equal; e2fsck -fn: clean"));
    println!();
}

fn print_load(what: &str, loaded: &Loaded) -> Result<()> {
    let Loaded { run, proof, disk_bytes } = loaded;
    println!("swapin on node B, a SATA disk of {}, {what}", mib(*disk_bytes));
    let number = |word| run.number(word);
    line("images", &format!("{} read", mib(number("read")?)));
    let compared = match number("compared")? {
        0 => "nothing: samples showed that the disk has little of the images".to_owned(),
        bytes => format!("{} of the disk, to see what it has already", mib(bytes)),
    };
    line("compared", &compared);
    line("avoided", &format!("{} that the disk had already", mib(number("avoided")?)));
    line("written", &format!("{}, and read back from the disk", mib(number("written")?)));
    match number("cleared")? {
        0 => {}
        cleared => line("cleared", &format!("{} of free space", mib(cleared))),
    }
    line("load", &format!("{:.1} s", run.phase(Phase::Load).as_secs_f64()));
    print_times(run);
    let (bytes, files) = (mib(proof.bytes_compared), proof.files_compared);
    line("proven", &format!("{bytes} in use, {files} files by digest: those of node A;"));
    line("", "e2fsck -fn: clean; the GPT fits the larger disk: sgdisk finds no problems");
    Ok(())
}

fn print_times(run: &Run) {
    let (started, ended) = (run.agent_started.as_secs_f64(), run.ended.as_secs_f64());
    line("power on", &format!("agent running after {started:.1} s, power off after {ended:.1} s"));
    line("peak memory", &format!("{} of the agent", run.peak_memory));
}

fn line(name: &str, text: &str) {
    println!("  {name:<14} {text}");
}

#[expect(clippy::cast_precision_loss, reason = "for people, who read three digits")]
fn mib(bytes: u64) -> String {
    if bytes == 0 {
        return "nothing".to_owned();
    }
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// The time, and how fast that is.
#[expect(clippy::cast_precision_loss, reason = "for people, who read three digits")]
fn rate(bytes: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64().max(0.001);
    format!("{seconds:.1} s: {:.0} MB/s (emulated CPUs)", bytes as f64 / 1e6 / seconds)
}
