//! Where somebody may make something: projects and their groups.

use std::collections::BTreeMap;

use crate::access::{Actor, Trust};
use crate::db::Database;
use crate::db::images::Image;
use crate::error::Result;
use crate::names::{Gid, Pid};

/// The groups that somebody may make experiments and images in, by project; a project's own group
/// comes first.
///
/// # Errors
/// If the data base can't be read.
pub async fn of(db: &Database, actor: &Actor) -> Result<BTreeMap<Pid, Vec<Gid>>> {
    let memberships = db.memberships_of(&actor.user.login).await?;
    let may = |pid: &Pid, gid: &Gid| {
        actor.user.admin
            || memberships.iter().any(|its| {
                let fits = its.gid == *gid || its.gid.as_str() == pid.as_str();
                its.pid == *pid && fits && its.trust >= Trust::LocalRoot
            })
    };
    let mut places: BTreeMap<Pid, Vec<Gid>> = BTreeMap::new();
    for (pid, gid) in db.groups().await? {
        if may(&pid, &gid) {
            places.entry(pid).or_default().push(gid);
        }
    }
    Ok(places)
}

/// The images that a project's nodes may be loaded with, all versions, the newest of each first.
///
/// # Errors
/// If the data base can't be read.
pub async fn images(db: &Database, pid: &Pid) -> Result<Vec<Image>> {
    let mut images = db.images().await?;
    images.retain(|image| image.global || image.pid == *pid);
    // The project's own first.
    images.sort_by_key(|image| {
        (image.pid != *pid, image.pid.clone(), image.name.clone(), u32::MAX - image.version)
    });
    Ok(images)
}
