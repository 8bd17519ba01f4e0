//! The agent in QEMU: one save of each kind, and what its guest can do.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use imagezip_core::swapinfo::Status;

use super::disk::{BenchDisk, remove};
use super::job::file;
use super::program::{Programs, Usage};
use super::report::Row;
use super::target::Target;
use super::{directory, stand, step};
use crate::experiment::Experiment;
use crate::mfs::{self, Image};
use crate::nfs::Server;
use crate::qemu::console::Console;
use crate::qemu::{Exit, Running};
use crate::{apt, qemu};

/// How long a guest may take. An emulated CPU hashes and compresses slowly.
const LIMIT: Duration = Duration::from_mins(10);

/// The size of the disk in GiB: with less than 400 MB in use, a guest is done in a minute.
const GIB: u64 = 1;

const CPUS: u32 = 2;

/// What a guest can do, in bytes per second.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Speeds {
    read: f64,
    hash: f64,
    /// Of random hexadecimal digits, which compress to half.
    compress: f64,
}

/// Measures the agent: rows for a delta and a full image, each until it is on the server, and
/// until it is read back, compared and published. All that is saved is proven.
pub(super) fn measure(programs: &Programs, fresh: bool) -> Result<Vec<Row>> {
    for packages in [apt::KERNEL_TOOLS, apt::QEMU] {
        apt::ensure(packages)?;
    }
    step("the agent in QEMU: its disk and its image");
    let image = mfs::build("virtio", None)?;
    let place = directory().join(format!("disk-{GIB}g"));
    let bench = BenchDisk::prepare(&place, GIB, fresh, |bench| stand::save_base(programs, bench))?;
    let experiment = Experiment {
        directory: directory().join("agent"),
        disk: bench.disk.clone(),
        base_image: bench.path(file::BASE),
        base_signature: bench.path(file::BASE_SIGNATURE),
    };
    remove(&experiment.directory)?;
    fs::create_dir_all(experiment.directory.join("scratch"))?;
    fs::create_dir_all(experiment.swapinfo())?;
    experiment.install_part("DISK=vda LOADPART=0 BOOTPART=2")?;

    step("the agent in QEMU: what the guest can do");
    let speeds = speeds(&experiment, &image)?;
    let mut rows = Vec::new();
    for (kind, words) in [("delta-5", "mfs.save=delta"), ("full", "mfs.save=full")] {
        step(&format!("the agent in QEMU: {kind}"));
        rows.extend(save(&experiment, &image, kind, words, speeds)?);
        experiment.prove()?;
    }
    remove(&experiment.directory)?;
    Ok(rows)
}

/// Boots a guest that measures itself.
fn speeds(experiment: &Experiment, image: &Image) -> Result<Speeds> {
    let log = experiment.directory.join("console.log");
    let mut node = qemu::Machine::new(&image.vmlinuz, &image.initramfs, &log)
        .append(&format!(
            "quiet mfs.job=selftest ip={}::eth0:off mfs.then=poweroff",
            qemu::GUEST_IP
        ))
        .drive(experiment.drive(qemu::Access::ReadOnly))
        .cpus(CPUS)
        .start()?;
    end(&mut node, "mfs-result: selftest ok")?;
    let lines = node.console().lines();
    let speed = |key: &str| {
        let line = lines.iter().find_map(|line| speed(&line.text, key));
        line.with_context(|| format!("the guest says nothing of its speed of {key}"))
    };
    Ok(Speeds { read: speed("read")?, hash: speed("sha1")?, compress: speed("compress")? })
}

/// The last speed in a line that begins with `key`: that of all CPUs, where there are several.
fn speed(line: &str, key: &str) -> Option<f64> {
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    let at = words.iter().rposition(|word| word.trim_end_matches(',') == "MiB/s")?;
    let number = words.get(at.checked_sub(1)?)?.parse::<f64>().ok()?;
    words.contains(&key).then_some(number * f64::from(1 << 20))
}

fn end(node: &mut Running, result: &str) -> Result<()> {
    let exit = node.wait(LIMIT)?;
    let console = node.console();
    if exit != Exit::PowerOff || console.find(result).is_none() {
        bail!("the guest did not say {result:?} ({exit}):\n{}", console.tail(30));
    }
    Ok(())
}

/// Boots a guest that saves its disk.
fn save(
    experiment: &Experiment,
    image: &Image,
    kind: &str,
    words: &str,
    speeds: Speeds,
) -> Result<[Row; 2]> {
    let server = Server::started(&experiment.proj(), "/proj")?;
    let machine = experiment.node(image, "/proj", &server.mount_options()).append(words);
    let mut node = machine.cpus(CPUS).start()?;
    end(&mut node, "mfs-result: saved")?;
    let status = fs::read(experiment.node_file("-swap.status"))?;
    let status = Status::parse(&status).context("-swap.status")?;
    let bytes_out = fs::metadata(experiment.node_file("-swap.ndz"))?.len();

    let console = node.console();
    let peak_rss = peak_memory(console)?;
    let saving = at(console, "mfs-phase: save")?;
    let row = |name: String, end: &str| -> Result<Row> {
        let mut row = Row::new(&name);
        let time = at(console, end)?.saturating_sub(saving);
        ensure!(!time.is_zero(), "{name} took no time");
        row.add(&Usage { seconds: time.as_secs_f64(), cpu_seconds: 0.0, peak_rss }, bytes_out);
        row.cpu_seconds = None;
        Ok(row)
    };
    let mut written = row(format!("agent-{kind}"), "mfs-phase: verify")?;
    written.judge(&target(&status, speeds));
    let published = row(format!("agent-{kind}-checked"), "mfs-result: saved")?;
    Ok([written, published])
}

/// Nothing is asked for under emulation; but the parts can be compared.
#[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
fn target(status: &Status, speeds: Speeds) -> Target {
    let (scanned, changed) = (status.scanned as f64, status.changed as f64);
    Target {
        limit_seconds: (scanned / speeds.read).max(scanned / speeds.hash)
            + changed / speeds.compress,
        limit: "max(read, hash) + compress, with the guest's own speeds",
        at_most: None,
        single_seconds: None,
    }
}

fn at(console: &Console, text: &str) -> Result<Duration> {
    Ok(console.find(text).with_context(|| format!("the guest did not say {text:?}"))?.at)
}

fn peak_memory(console: &Console) -> Result<u64> {
    let line = console.find("peak memory").context("the guest did not say its peak memory")?;
    let kib = line.text.split("peak memory").nth(1).and_then(|rest| rest.split_whitespace().next());
    let kib: u64 = kib.and_then(|number| number.parse().ok()).context("no number of KiB")?;
    Ok(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_read_from_the_page() {
        let mib = f64::from(1 << 20);
        let line = "  sha1      101.5 MiB/s on one CPU, 200.0 MiB/s on all 2";
        assert_eq!(speed(line, "sha1"), Some(200.0 * mib));
        assert_eq!(speed(line, "read"), None);
        assert_eq!(speed("  read      64.0 MiB/s, 256 MiB in a row", "read"), Some(64.0 * mib));
        assert_eq!(speed("read-only", "read"), None);
    }

    #[test]
    fn a_limit_is_that_of_the_slower_part_and_of_what_has_changed() {
        let status = Status { scanned: 400, changed: 50, ..Status::default() };
        let speeds = Speeds { read: 100.0, hash: 40.0, compress: 10.0 };
        assert!((target(&status, speeds).limit_seconds - 15.0).abs() < 1e-9);
    }
}
