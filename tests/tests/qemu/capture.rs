//! A disk is captured, for boss to make an image of it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use imagezip_core::swapinfo::{Phase, Status};
use swapmfs_tests::trial::{Run, Set, Trial, is_root, prepared};
use xtask::apt;
use xtask::experiment::{EID, PID, SERIAL, VNAME};
use xtask::nfs::namespace::Namespace;
use xtask::nfs::{Export, Ganesha, Setup, Squash, Versions};
use xtask::qemu::{Exit, WatchdogAction};

use crate::users::USER;

#[test]
fn a_disk_is_captured_to_the_directory_that_boss_made() -> Result<()> {
    if !is_root("a_disk_is_captured_to_the_directory_that_boss_made") {
        return Ok(());
    }
    apt::ensure(apt::GANESHA)?;
    let trial = Trial::new("capture")?;
    let place = trial.experiment.proj().join(PID).join("images/.capture-x");
    fs::create_dir_all(&place)?;
    let part = format!("DISK=vda LOADPART=0 BOOTPART=2 SERIAL={SERIAL}\n");
    fs::write(place.join(format!("{VNAME}.part")), part)?;
    chown(&place, Some(USER), Some(USER))?;
    fs::set_permissions(&place, fs::Permissions::from_mode(0o770))?;
    // No base is needed, and nothing of the experiment's.
    for suffix in [".part", ".sig", ".ndz"] {
        fs::remove_file(trial.experiment.node_file(suffix))?;
    }

    let run = capture(&trial, &format!("/proj/{PID}/images/.capture-x/"))?;
    let captured =
        run.exit == Exit::PowerOff && run.console.contains("mfs-result: captured bytes=");
    ensure!(captured, "not captured ({}):\n{}", run.exit, run.console);

    // The experiment's own files are as they were, and there is no sign of a run.
    trial.check_previous_is_untouched()?;
    for name in ["-swap.status", "-swap.ndz.tmp"] {
        assert!(!trial.experiment.node_file(name).exists(), "{name}");
    }
    assert!(!trial.experiment.swapinfo().join("logs").exists());

    let file = |suffix: &str| place.join(format!("{VNAME}-swap{suffix}"));
    let status = Status::parse(&fs::read(file(".status"))?)?;
    assert_eq!((status.phase, status.result), (Phase::Done, Some(0)), "{status:?}");
    for suffix in [".ndz", ".sig", ".meta", ".status"] {
        check_owner(&file(suffix))?;
    }
    let logs: Vec<_> = fs::read_dir(place.join("logs"))?.collect::<Result<_, _>>()?;
    let log = logs.first().context("there is no log")?.path();
    check_owner(&log)?;
    let log = fs::read_to_string(log)?;
    assert!(log.contains("captured bytes="), "{log}");

    // It is a full image, which restores the disk by itself.
    let set = Set {
        image: fs::read(file(".ndz"))?,
        signature: fs::read(file(".sig"))?,
        meta: fs::read(file(".meta"))?,
    };
    let meta = set.description()?;
    assert_eq!((&*meta.pid, &*meta.eid, &*meta.vname), (PID, EID, VNAME));
    assert_eq!((&meta.base, meta.load_partition), (&None, 0));
    assert_eq!(run.result("bytes")?, meta.image_size);
    assert_eq!(meta.sectors_changed, meta.sectors_in_use);
    set.write(&trial.experiment)?;
    trial.experiment.prove()?;
    Ok(())
}

/// Boots the node in the network of a server that takes root for nobody.
fn capture(trial: &Trial, directory: &str) -> Result<Run> {
    let setup = Setup {
        exports: vec![Export::new(trial.experiment.proj(), "/proj")],
        squash: Squash::Root,
        versions: Versions::Old,
    };
    let namespace = Arc::new(Namespace::new()?);
    let ganesha = Ganesha::start_in(namespace, setup, &trial.experiment.directory)?;
    let node = trial.experiment.node(&prepared()?.image, "/proj", &ganesha.mount_options());
    let words = format!("mfs.job=capture mfs.dir={directory} mfs.uid={USER} mfs.gid={USER}");
    let node = node.append(&words).watchdog(WatchdogAction::Reset);
    Run::of(&mut node.start_inside(ganesha.namespace())?)
}

fn check_owner(path: &Path) -> Result<()> {
    let file = fs::metadata(path)?;
    let facts = (file.uid(), file.gid(), file.mode() & 0o7777);
    ensure!(facts == (USER, USER, 0o660), "{}: {facts:?}", path.display());
    Ok(())
}
