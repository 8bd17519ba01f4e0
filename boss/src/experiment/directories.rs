//! The directories of projects, subgroups and experiments: explicit owners and modes, whatever the
//! umask and the file server's habits.

use anyhow::{Context, ensure};

use crate::db::Database;
use crate::db::experiments::Experiment;
use crate::files::{DIRECTORY_MODE, Directory, Owner, blocking};
use crate::layout::Layout;
use crate::names::{Gid, Pid};

/// What is in a project's or subgroup's directory.
const OF_GROUP: [&str; 8] =
    ["exp", "images", "logs", "deltas", "tarfiles", "rpms", "groups", "tiplogs"];
/// What is in an experiment's directory.
const OF_EXPERIMENT: [&str; 8] =
    ["swapinfo", "logs", "tmp", "bin", "tbdata", "tftpboot", "archive", "datastore"];
/// Who is in the project gets through; only root makes anything.
const PASSAGE_MODE: u32 = 0o2751;

/// Makes a project's directories; what is there stays.
///
/// # Errors
/// If project or head aren't known, or a directory can't be made.
pub async fn make_project(db: &Database, layout: &Layout, pid: &Pid) -> anyhow::Result<()> {
    let gid: Gid = pid.as_str().parse()?;
    make_group(db, layout, pid, &gid).await
}

/// Makes a subgroup's directories, or those of a project's own group.
///
/// # Errors
/// If project, head or group aren't known, or a directory can't be made.
pub async fn make_group(
    db: &Database,
    layout: &Layout,
    pid: &Pid,
    gid: &Gid,
) -> anyhow::Result<()> {
    let project = db.project(pid).await?.with_context(|| format!("there is no project {pid}"))?;
    let head = db.user(&project.head).await?;
    let head = head.with_context(|| format!("there is no user {}", project.head))?;
    let group = db.unix_gid(pid, gid).await?;
    let group = group.with_context(|| format!("there is no group {gid} in project {pid}"))?;
    let owner = Owner { uid: head.uid, gid: group };
    let passage = Owner { uid: 0, gid: project.unix_gid };
    let (layout, place, pid) = (layout.clone(), layout.group(pid, gid), pid.clone());
    blocking(move || {
        let (root, rest) = layout.root_of(&place.here).context("no root")?;
        let directory = if rest == std::path::Path::new(pid.as_str()) {
            Directory::trusted(root)?.make_or_open(pid.as_str(), owner, DIRECTORY_MODE)?
        } else {
            let name = place.here.file_name().unwrap_or_default().to_string_lossy();
            let project =
                Directory::trusted(root)?.make_or_open(pid.as_str(), passage, PASSAGE_MODE)?;
            project.make_or_open(&name, owner, DIRECTORY_MODE)?
        };
        for name in OF_GROUP {
            directory.make_or_open(name, owner, DIRECTORY_MODE)?;
        }
        directory.open("images")?.make_or_open("sigs", owner, DIRECTORY_MODE)?;
        directory.sync()
    })
    .await
}

/// Makes an experiment's directories. If that fails, nothing is left of them that wasn't there.
///
/// # Errors
/// If its creator or group aren't known, the group has no directory, or one can't be made.
pub async fn make_experiment(
    db: &Database,
    layout: &Layout,
    experiment: &Experiment,
) -> anyhow::Result<()> {
    let Experiment { pid, gid, eid, creator, .. } = experiment.clone();
    let user = db.user(&creator).await?.with_context(|| format!("there is no user {creator}"))?;
    let group = db.unix_gid(&pid, &gid).await?;
    let group = group.with_context(|| format!("there is no group {gid} in project {pid}"))?;
    let owner = Owner { uid: user.uid, gid: group };
    let layout = layout.clone();
    blocking(move || {
        let parent = Directory::below(&layout, &layout.group(&pid, &gid).here)?.open("exp")?;
        let is_new = parent.look(eid.as_str())?.is_none();
        let made = make_below(&parent, eid.as_str(), owner).and_then(|()| {
            if pid.as_str() == gid.as_str() {
                return Ok(());
            }
            let project = Directory::below(&layout, &layout.project(&pid).here)?.open("exp")?;
            let real = layout.experiment(&pid, &gid, &eid).node;
            match project.link_target(eid.as_str())? {
                Some(target) if target == real => return Ok(()),
                Some(_) => {}
                None => ensure!(
                    project.look(eid.as_str())?.is_none(),
                    "{} is in the way of the link to the subgroup's experiment",
                    project.shown(eid.as_str())
                ),
            }
            project.link(eid.as_str(), &real)?;
            project.sync()
        });
        if made.is_err() && is_new {
            remove_below(&parent, eid.as_str());
        }
        made
    })
    .await
    .with_context(|| format!("directories of {}", experiment.id()))
}

fn make_below(parent: &Directory, name: &str, owner: Owner) -> anyhow::Result<()> {
    let directory = parent.make(name, Some(owner), DIRECTORY_MODE)?;
    for name in OF_EXPERIMENT {
        directory.make(name, Some(owner), DIRECTORY_MODE)?;
    }
    directory.sync()?;
    parent.sync()
}

/// Takes back what [`make_below`] has made, as far as it is empty.
fn remove_below(parent: &Directory, name: &str) {
    let Ok(Some(directory)) = parent.open_if_there(name) else { return };
    for name in OF_EXPERIMENT {
        let _ = directory.remove_directory(name);
    }
    let _ = parent.remove_directory(name);
}
