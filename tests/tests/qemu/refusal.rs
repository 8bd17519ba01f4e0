//! Input that is wrong: refused in words that help, with nothing lost.

use std::fs;
use std::os::unix::fs::symlink;

use anyhow::Result;
use imagezip_core::digest::HashType;
use imagezip_core::sector::{Sector, SectorCount, SectorRange};
use imagezip_core::signature::{ChunkNumber, Entry, HashBlockSize, Signature};
use swapmfs_tests::trial::Trial;

#[test]
fn an_absent_disk_is_not_replaced_by_another() -> Result<()> {
    let trial = Trial::new("absent-disk")?;
    trial.experiment.install_part("DISK=vdb LOADPART=0 BOOTPART=2")?;
    let run = trial.run("")?;
    let words = "there is no disk vdb; the disks are: vda (";
    trial.check_refused(&run, 26, words)?;
    trial.check_refused(&run, 26, "no WWN); no other one is used in its place")?;
    assert!(!run.console.contains("mfs-phase: save"), "{}", run.console);
    Ok(())
}

#[test]
fn an_absent_partition_is_refused() -> Result<()> {
    let trial = Trial::new("absent-partition")?;
    trial.experiment.install_part("DISK=vda LOADPART=4 BOOTPART=2")?;
    let run = trial.run("")?;
    trial.check_refused(&run, 28, "disk vda has no partition 4, which LOADPART= of .part asks for")
}

/// The other ways in which the line can be wrong are in `imagezip_core::swapinfo`.
#[test]
fn a_malformed_part_is_refused_at_its_byte() -> Result<()> {
    for (name, line, words) in [
        ("part-disk", "DISK=/dev/vda LOADPART=0 BOOTPART=2\n", "at byte 5: expected the name"),
        ("part-short", "DISK=vda LOADPART=0\n", "at byte 19: expected \" BOOTPART=\""),
    ] {
        let trial = Trial::new(name)?;
        fs::write(trial.experiment.node_file(".part"), line)?;
        let run = trial.run("")?;
        trial.check_refused(&run, 24, words)?;
        assert!(
            run.console.contains("testbed/exp/trial/swapinfo/node-a.part: "),
            "{}",
            run.console
        );
    }
    Ok(())
}

#[test]
fn a_missing_signature_is_refused() -> Result<()> {
    let trial = Trial::new("no-signature")?;
    fs::remove_file(trial.experiment.node_file(".sig"))?;
    let run = trial.run("")?;
    let words = "swapinfo/node-a.sig: no such file or directory; boss makes it a link to the base \
                 image's signature, without which a disk can only be saved as a full image";
    trial.check_refused(&run, 25, words)
}

#[test]
fn a_truncated_signature_is_refused() -> Result<()> {
    let trial = Trial::new("short-signature")?;
    let file = trial.experiment.node_file(".sig").canonicalize()?;
    let signature = fs::read(&file)?;
    fs::write(&file, &signature[..signature.len() - 100])?;
    let run = trial.run("")?;
    trial.check_refused(&run, 25, "testbed-BASE.sig: ")
}

#[test]
fn a_signature_of_something_larger_is_refused() -> Result<()> {
    let trial = Trial::new("large-signature")?;
    let mut signature = Signature::new(HashType::Sha1, HashBlockSize::DEFAULT);
    let start = Sector::new(trial.experiment.disk.sectors).unwrap_or(Sector::ZERO);
    if let Some(range) = SectorRange::with_len(start, SectorCount::from_u32(64)) {
        signature.push(Entry {
            range,
            chunk: ChunkNumber::default(),
            digest: signature.digest(&vec![0; 64 * 512]),
        })?;
    }
    let mut bytes = Vec::new();
    signature.write(&mut bytes)?;
    fs::write(trial.experiment.swapinfo().join("larger.sig"), bytes)?;
    fs::remove_file(trial.experiment.node_file(".sig"))?;
    symlink("larger.sig", trial.experiment.node_file(".sig"))?;
    let run = trial.run("")?;
    let end = trial.experiment.disk.sectors + 64;
    trial.check_refused(&run, 25, &format!("larger.sig: its last sector is {end}, but"))
}

#[test]
fn a_wrong_command_line_ends_the_machine() -> Result<()> {
    let trial = Trial::new("wrong-job")?;
    let run = trial.run("mfs.job=clone")?;
    run.check_failed(
        20,
        "mfs.job=clone: must be swapout, swapin, capture, load, selftest or idle",
    )?;
    trial.check_previous_is_untouched()
}

#[test]
fn a_missing_word_ends_the_machine() -> Result<()> {
    let trial = Trial::new("missing-word")?;
    let image = &swapmfs_tests::trial::prepared()?.image;
    let log = trial.experiment.directory.join("console.log");
    let machine = xtask::qemu::Machine::new(&image.vmlinuz, &image.initramfs, &log);
    let words = "quiet mfs.job=swapout mfs.pid=testbed mfs.eid=trial mfs.then=poweroff";
    let run = swapmfs_tests::trial::Run::of(&mut machine.append(words).start()?)?;
    run.check_failed(20, "mfs.vname= is missing")
}
