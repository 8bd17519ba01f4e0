//! A server that knows users, and takes the node's root for nobody.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use anyhow::Result;
use swapmfs_tests::trial::{Run, Set, Trial, is_root, prepared};
use xtask::apt;
use xtask::nfs::{Ganesha, Squash};
use xtask::qemu::WatchdogAction;

const USER: u32 = 20001;

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
    let ganesha =
        Ganesha::start(&trial.experiment.proj(), Squash::Root, &trial.experiment.directory)?;
    let export = ganesha.export().display().to_string();
    let node = |words: &str| {
        let image = &prepared()?.image;
        let node = trial.experiment.node(image, &export, &ganesha.mount_options());
        let node = node.append(words).watchdog(WatchdogAction::Reset);
        Run::of(&mut node.start_inside(ganesha.namespace())?)
    };

    let run = node("mfs.retry=2")?;
    run.check_failed(29, "permission denied; let mfs.uid= and mfs.gid= name a user who may write")?;
    trial.check_previous_is_untouched()?;

    node(&format!("mfs.uid={USER} mfs.gid={USER}"))?.check_saved()?;
    assert!(Set::read(&trial.experiment)?.is_same_state(&prepared()?.expected));
    trial.check_nothing_is_left()?;
    for suffix in ["-swap.ndz", "-swap.sig", "-swap.meta", "-swap.status"] {
        let file = fs::metadata(trial.experiment.node_file(suffix))?;
        let facts = (file.uid(), file.gid(), file.mode() & 0o7777);
        assert_eq!(facts, (USER, USER, 0o660), "{suffix}");
    }
    Ok(())
}
