//! Disks that are loaded with the base image alone.

use std::fs;
use std::net::Ipv4Addr;

use anyhow::Result;
use imagezip_core::swapinfo::Phase;
use swapmfs_tests::disk::filled;
use swapmfs_tests::trial::prepared;
use xtask::command::{stdout, tool};
use xtask::experiment::{EID, PID, SERIAL, VNAME};
use xtask::node_disk::SECTOR;
use xtask::qemu::HOST_ADDRESS;
use xtask::qemu::hardware::Disk;
use xtask::tmcd::{Node, Tmcd};

use crate::swapin::Loading;

const KEY: &str = "t5_once-AZ9";

#[test]
fn a_used_disk_gets_the_base_image_and_boss_hears_the_key() -> Result<()> {
    let loading = Loading::new("load-base", 4321 * 8)?;
    // What was saved counts for nothing, whatever it is.
    let saved = [".ndz", ".sig", ".meta", ".ndz.tmp", ".meta.tmp"];
    let saved = saved.map(|suffix| loading.trial.experiment.node_file(&format!("-swap{suffix}")));
    for file in &saved {
        fs::write(file, b"odd")?;
    }
    loading
        .trial
        .experiment
        .install_part(&format!("DISK=vda LOADPART=0 BOOTPART=2 SERIAL={SERIAL}"))?;

    let boss = Tmcd::bind(Ipv4Addr::LOCALHOST, &[0], Node::new(PID, EID, VNAME))?;
    let words = format!(
        "mfs.job=load mfs.free=zero mfs.key={KEY} mfs.boss={HOST_ADDRESS}:{} mfs.uid=0 mfs.gid=0",
        boss.port()
    );
    let run = loading.run(&words)?;
    run.check_loaded()?;
    loading.check_holds(&prepared()?.loaded_disk)?;
    let table = stdout(tool("sfdisk").arg("--json").arg(&loading.disk))?;
    let last = fs::metadata(&loading.disk)?.len() / SECTOR - 34;
    assert!(table.contains(&format!("\"lastlba\": {last}")), "{table}");
    stdout(tool("sfdisk").arg("--verify").arg(&loading.disk))?;
    let bytes = fs::read(&loading.disk)?;
    let left = bytes.chunks(512).filter(|sector| **sector == filled(512)[..]).count();
    assert_eq!(left, 0, "sectors of the disk's last user are left");
    for file in &saved {
        assert_eq!(fs::read(file)?, b"odd", "{}", file.display());
    }
    let status = loading.trial.status()?;
    assert_eq!((status.phase, status.result, &status.error), (Phase::Done, Some(0), &None));
    assert_eq!(status.written, run.result("written")?);

    let said = ["status", "state MFSSETUP", "nodeid", "state ISUP", "startstatus 0"];
    assert_eq!(boss.history(), said);
    assert_eq!(boss.malformed(), Vec::<String>::new());
    assert!(boss.records().iter().all(|record| record.key.as_deref() == Some(KEY)));
    for text in [&run.console, &loading.trial.logs()?] {
        assert!(!text.contains(KEY), "the key is shown:\n{text}");
    }
    Ok(())
}

#[test]
fn a_base_image_that_boss_does_not_mean_is_not_loaded() -> Result<()> {
    let loading = Loading::new("load-wrong-base", 0)?;
    let digest = "0123456789abcdef".repeat(4);
    let part = format!("DISK=vda LOADPART=0 BOOTPART=2 BASESHA256={digest}\n");
    fs::write(loading.trial.experiment.node_file(".part"), part)?;
    let words = format!("but .part says {digest}");
    loading.check_job_refused("mfs.job=load", loading.drive().into(), 43, &words)
}

#[test]
fn a_disk_that_the_base_does_not_fit_is_not_loaded() -> Result<()> {
    let loading = Loading::new("load-small", -8)?;
    loading.check_job_refused("mfs.job=load", loading.drive().into(), 44, "is too small")?;
    let loading = Loading::new("load-sectors", 0)?;
    let disk = Disk::from(loading.drive()).sector_size(4096);
    loading.check_job_refused("mfs.job=load", disk, 44, "sectors of 512 bytes")
}
