//! A server that knows users, and takes the node's root for nobody.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::sync::Arc;

use anyhow::Result;
use swapmfs_tests::trial::{Run, Set, Trial, is_root, prepared};
use xtask::apt;
use xtask::nfs::namespace::Namespace;
use xtask::nfs::{Export, Ganesha, Setup, Squash, Versions};
use xtask::qemu::WatchdogAction;

use crate::own_engine;

pub(crate) const USER: u32 = 20001;

#[test]
fn where_root_is_nobody_the_save_is_the_users() -> Result<()> {
    if !is_root("where_root_is_nobody_the_save_is_the_users") {
        return Ok(());
    }
    apt::ensure(apt::GANESHA)?;
    let trial = Trial::new("users")?;
    let directory = trial.experiment.swapinfo();
    chown(&directory, Some(USER), Some(USER))?;
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o770))?;
    // It isn't allowed here, so it is as if it weren't there.
    own_engine::install(&trial.experiment, &own_engine::imagezip()?)?;
    let setup = Setup {
        exports: vec![Export::new(trial.experiment.proj(), "/proj")],
        squash: Squash::Root,
        versions: Versions::Old,
    };
    let namespace = Arc::new(Namespace::new()?);
    let ganesha = Ganesha::start_in(namespace, setup, &trial.experiment.directory)?;
    let node = |options: &str, words: &str| {
        let node = trial.experiment.node(&prepared()?.image, "/proj", options);
        let node = node.append(words).watchdog(WatchdogAction::Reset);
        Run::of(&mut node.start_inside(ganesha.namespace())?)
    };

    let run = node(&ganesha.mount_options(), "mfs.retry=2")?;
    run.check_failed(29, "permission denied; let mfs.uid= and mfs.gid= name a user who may write")?;
    trial.check_previous_is_untouched()?;

    // By the only version of NFSv4 that the server knows.
    let run = node("vers=4", &format!("mfs.uid={USER} mfs.gid={USER}"))?;
    run.check_saved()?;
    assert!(run.console.contains("/proj mounted on /proj by NFSv4.0"), "{}", run.console);
    assert!(Set::read(&trial.experiment)?.is_same_state(&prepared()?.expected));
    assert_eq!(Set::read(&trial.experiment)?.description()?.engine_sha256, None);
    trial.check_nothing_is_left()?;
    for suffix in ["-swap.ndz", "-swap.sig", "-swap.meta", "-swap.status"] {
        let file = fs::metadata(trial.experiment.node_file(suffix))?;
        let facts = (file.uid(), file.gid(), file.mode() & 0o7777);
        assert_eq!(facts, (USER, USER, 0o660), "{suffix}");
    }
    Ok(())
}
