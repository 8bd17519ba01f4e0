//! Several mounts, and the versions of NFS, with a server that knows users and takes the node's
//! root for nobody.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use swapmfs_tests::trial::{Run, Set, Trial, is_root, prepared, wait_until};
use xtask::apt;
use xtask::command::{stdout, tool};
use xtask::nfs::ganesha::RECOVERY;
use xtask::nfs::namespace::Namespace;
use xtask::nfs::{Export, Ganesha, Setup, Squash, Versions};
use xtask::qemu::{Running, WatchdogAction};

const USER: u32 = 20001;
const GROUP: u32 = 6000;

/// What the server has, by the names that sites use.
fn serve(trial: &Trial, versions: Versions) -> Result<Ganesha> {
    let directory = &trial.experiment.directory;
    let exports =
        ["proj", "groups"].map(|name| Export::new(directory.join(name), format!("/q/{name}")));
    let exports = exports.into_iter().filter(|export| export.directory.exists()).collect();
    let setup = Setup { exports, squash: Squash::Root, versions };
    Ganesha::start_in(Arc::new(Namespace::new()?), setup, directory)
}

/// Starts the node, which uses the files as [`USER`] of [`GROUP`].
fn start(trial: &Trial, ganesha: &Ganesha, options: &str, words: &str) -> Result<Running> {
    let node = trial.experiment.node(&prepared()?.image, "/q/proj", options);
    let node = node.append(&format!("mfs.uid={USER} mfs.gid={GROUP} {words}"));
    node.watchdog(WatchdogAction::Reset).start_inside(ganesha.namespace())
}

/// Gives a directory to the user and a group of theirs; what is made in it gets that group.
fn give(directory: &Path, group: u32) -> Result<()> {
    chown(directory, Some(USER), Some(group))?;
    fs::set_permissions(directory, Permissions::from_mode(0o2770))?;
    Ok(())
}

fn check_files(trial: &Trial) -> Result<()> {
    assert!(Set::read(&trial.experiment)?.is_same_state(&prepared()?.expected));
    trial.check_nothing_is_left()?;
    let facts = |path: &Path| -> Result<_> {
        let file = fs::metadata(path).with_context(|| path.display().to_string())?;
        Ok((file.uid(), file.gid(), file.mode() & 0o7777))
    };
    for suffix in ["-swap.ndz", "-swap.sig", "-swap.meta", "-swap.status"] {
        let path = trial.experiment.node_file(suffix);
        assert_eq!(facts(&path)?, (USER, GROUP, 0o660), "{suffix}");
    }
    let logs = trial.experiment.swapinfo().join("logs");
    assert_eq!(facts(&logs)?, (USER, GROUP, 0o2770), "logs");
    for entry in fs::read_dir(logs)? {
        assert_eq!(facts(&entry?.path())?, (USER, GROUP, 0o660), "a log");
    }
    Ok(())
}

/// The experiment's directory is a link to that of the subgroup, with the path that it has on every
/// machine of the testbed (swapinfo is in another file system then, of another mount).
#[test]
fn an_experiment_of_a_subgroup_is_saved_over_two_mounts() -> Result<()> {
    if !is_root("an_experiment_of_a_subgroup_is_saved_over_two_mounts") {
        return Ok(());
    }
    apt::ensure(apt::GANESHA)?;
    let trial = Trial::new("subgroup")?;
    let link = trial.experiment.proj().join("testbed/exp/trial");
    let groups = trial.experiment.directory.join("groups");
    fs::create_dir_all(groups.join("testbed/sub/exp"))?;
    fs::rename(&link, groups.join("testbed/sub/exp/trial"))?;
    // The files shall have the group of the experiment, not the one of the directory.
    give(&groups.join("testbed/sub/exp/trial/swapinfo"), 6001)?;
    symlink("/groups/testbed/sub/exp/trial", &link)?;

    let ganesha = serve(&trial, Versions::All)?;
    let words = "mfs.projgroups=10.0.2.2:/q/groups mfs.groups=6001";
    let run = Run::of(&mut start(&trial, &ganesha, "", words)?)?;
    run.check_saved()?;
    for mounted in ["/q/proj mounted on /proj by NFSv3", "/q/groups mounted on /groups by NFSv3"] {
        assert!(run.console.contains(mounted), "no {mounted:?}:\n{}", run.console);
    }
    assert!(!run.console.contains("cannot unmount"), "{}", run.console);
    // On this machine the link leads nowhere.
    fs::remove_file(&link)?;
    symlink("../../../groups/testbed/sub/exp/trial", &link)?;
    check_files(&trial)
}

#[test]
fn where_only_version_4_is_served_it_is_spoken_and_a_restart_survived() -> Result<()> {
    if !is_root("where_only_version_4_is_served_it_is_spoken_and_a_restart_survived") {
        return Ok(());
    }
    apt::ensure(apt::GANESHA)?;
    let trial = Trial::new("version-4")?;
    give(&trial.experiment.swapinfo(), GROUP)?;
    let mut ganesha = serve(&trial, Versions::V4)?;
    let mut node = start(&trial, &ganesha, "", "")?;
    let image = trial.temporary(".ndz");
    let has_begun = || fs::metadata(&image).is_ok_and(|image| image.len() > 0);
    assert!(wait_until(&node, has_begun)?, "{}", node.console().tail(20));
    // The server keeps what it must know after a restart under the name of the client.
    let clients = stdout(tool("ls").arg("-R").arg(trial.experiment.directory.join(RECOVERY)))?;
    assert!(clients.contains("Linux NFSv4.2 mfs-10.0.2.15"), "{clients}");
    ganesha.restart()?;
    let stored = fs::metadata(&image)?.len();
    assert!(stored < prepared()?.expected.image.len() as u64, "not in the middle of the image");

    let run = Run::of(&mut node)?;
    run.check_saved()?;
    assert!(run.console.contains("/q/proj mounted on /proj by NFSv4.2"), "{}", run.console);
    check_files(&trial)?;

    // A version that is named is binding. This time there is somebody who knows of no such service.
    ganesha.add_port_mapper()?;
    let run = Run::of(&mut start(&trial, &ganesha, "vers=3", "mfs.mntwait=1")?)?;
    run.check_failed(23, "cannot mount 10.0.2.2:/q/proj: not supported (does the server speak")?;
    assert!(!run.console.contains("mounted on"), "{}", run.console);
    Ok(())
}
