//! Several disks in a node: the one that is meant is saved, or none.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use swapmfs_tests::trial::{Run, Set, Trial, prepared};
use xtask::command::{fed, stdout, tool};
use xtask::experiment::SERIAL;
use xtask::node_disk::SECTOR;
use xtask::qemu::{Access, Drive, WatchdogAction};

/// Runs a node with `first` as its vda, and its own disk as vdb.
fn run_with(trial: &Trial, first: &Path) -> Result<Run> {
    let image = &prepared()?.image;
    let machine = trial.experiment.machine(image, "/proj", &trial.server.mount_options());
    let access = Access::ReadOnly;
    let first = Drive { path: first.to_owned(), serial: "ANOTHER-DISK".into(), access };
    let own = trial.experiment.drive(access);
    let machine = machine.drive(first).drive(own).watchdog(WatchdogAction::Reset);
    Run::of(&mut machine.start()?)
}

/// The disk's GUID as sfdisk tells it.
fn guid(disk: &Path) -> Result<String> {
    let guid = stdout(tool("sfdisk").arg("--disk-id").arg(disk))?;
    Ok(guid.trim().to_owned())
}

fn check_own_disk_was_saved(trial: &Trial, run: &Run) -> Result<()> {
    run.check_saved()?;
    let set = Set::read(&trial.experiment)?;
    assert!(set.is_same_state(&prepared()?.expected), "another disk was saved");
    assert_eq!(set.description()?.disk, "vdb");
    Ok(())
}

/// The other disk was loaded from the same image, so it differs in nothing but its serial number
/// and what the user did.
#[test]
fn a_serial_number_finds_the_disk_under_another_name() -> Result<()> {
    let trial = Trial::new("serial")?;
    let words = format!("DISK=vda LOADPART=0 BOOTPART=2 SERIAL={SERIAL}");
    trial.experiment.install_part(&words)?;
    let run = run_with(&trial, &prepared()?.loaded_disk.path)?;
    check_own_disk_was_saved(&trial, &run)?;
    let said = format!("DISK=vda would be vda here, but SERIAL={SERIAL} is that of vdb (");
    assert!(trial.logs()?.contains(&said), "{}", run.console);
    Ok(())
}

#[test]
fn a_disk_guid_finds_the_disk_under_another_name() -> Result<()> {
    let trial = Trial::new("disk-guid")?;
    let other = trial.experiment.directory.join("scratch/other.img");
    File::create(&other)?.set_len(trial.experiment.disk.sectors * SECTOR)?;
    fed(tool("sfdisk").arg("--quiet").arg(&other), "label: gpt\nsize=1M\n")?;
    // Small letters, as blkid shows it.
    let guid = guid(&trial.experiment.disk.path)?.to_lowercase();
    let words = format!("DISK=vda LOADPART=0 BOOTPART=2 DISKGUID={guid}");
    trial.experiment.install_part(&words)?;
    let run = run_with(&trial, &other)?;
    check_own_disk_was_saved(&trial, &run)
}

#[test]
fn of_two_disks_with_one_guid_none_is_saved() -> Result<()> {
    let trial = Trial::new("cloned")?;
    let guid = guid(&trial.experiment.disk.path)?;
    let words = format!("DISK=vdb LOADPART=0 BOOTPART=2 DISKGUID={guid}");
    trial.experiment.install_part(&words)?;
    let run = run_with(&trial, &prepared()?.loaded_disk.path)?;
    let words = format!("2 disks have DISKGUID={guid}: vda (");
    trial.check_refused(&run, 36, &words)?;
    let error = trial.status()?.error.context("no error in the status")?;
    assert!(error.contains("serial ANOTHER-DISK") && error.contains(SERIAL), "{error}");
    Ok(())
}
