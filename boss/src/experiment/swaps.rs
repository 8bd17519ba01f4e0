//! Asking for swaps: who may, and then [`swap`](crate::swap) says what there is to do.

use std::collections::BTreeMap;

use crate::access::{Actor, Trust};
use crate::db::swaps::{Swap, Wanted};
use crate::error::{ErrorKind, Result};
use crate::experiment::manage::may_use;
use crate::names::{ExperimentId, ImageId, NodeId, Vname};
use crate::server::Boss;
use crate::swap::capture::Captured;
use crate::swap::{begin, capture, request};

/// Swaps of this site, and who wants something of them.
#[derive(Clone, Copy, Debug)]
pub struct Swaps<'a> {
    /// What does it.
    pub boss: &'a Boss,
    /// Who wants it.
    pub actor: &'a Actor,
}

impl Swaps<'_> {
    /// A swap that the actor may know of.
    ///
    /// # Errors
    /// `NotFound`
    pub async fn find(&self, id: i64) -> Result<Swap> {
        let none = || ErrorKind::NotFound.because(format_args!("there is no swap {id}"));
        let swap = self.boss.db.swap(id).await?.ok_or_else(none)?;
        if self.actor.sees(&self.boss.db, &swap.pid).await? { Ok(swap) } else { Err(none()) }
    }

    /// Saves the disks, if they are to be saved, and gives the nodes back.
    ///
    /// # Errors
    /// `NotFound`, `Refused`, `Conflict`
    pub async fn swapout(&self, id: &ExperimentId) -> Result<i64> {
        self.actor.needs_control(&self.boss.db, id).await?;
        request::swapout(self.boss, id, &self.actor.user.login).await
    }

    /// Gives the experiment nodes, and has their disks loaded. Which nodes exactly is for
    /// administrators to say: only they know all.
    ///
    /// # Errors
    /// `NotFound`, `Conflict`, `Refused`
    pub async fn swapin(&self, id: &ExperimentId, on: &BTreeMap<Vname, NodeId>) -> Result<i64> {
        self.actor.needs_control(&self.boss.db, id).await?;
        if !on.is_empty() {
            self.actor.needs_admin()?;
        }
        begin::swapin(self.boss, id, on, &self.actor.user.login).await
    }

    /// Has a node's disk loaded with an image that the project may use.
    ///
    /// # Errors
    /// `NotFound`, `Refused`, `Conflict`
    pub async fn load(&self, id: &ExperimentId, vname: &Vname, image: &ImageId) -> Result<i64> {
        let db = &self.boss.db;
        self.actor.needs_control(db, id).await?;
        may_use(db, &id.pid, vname, image).await?;
        begin::load(self.boss, id, vname, image, &self.actor.user.login).await
    }

    /// Has a node make an image of its disk, in a project that the actor is in. For everybody it
    /// can be made by administrators.
    ///
    /// # Errors
    /// `NotFound`, `Conflict`, `Refused`, `Invalid`
    pub async fn capture(&self, node_id: &NodeId, of: &Captured) -> Result<i64> {
        let (db, actor) = (&self.boss.db, self.actor);
        let held = db.reservation_of(node_id).await?;
        if let Some(held) = held {
            actor.needs_control(db, &held.experiment).await?;
        }
        let image: Result<ImageId> =
            of.image.parse().map_err(|error| ErrorKind::Invalid.because(error));
        let image = image?;
        let pid = image.pid.clone();
        actor.needs_trust(db, &pid, &of.gid, Trust::LocalRoot).await?;
        if db.unix_gid(&pid, &of.gid).await?.is_none() {
            let why = format!("there is no group {} in project {pid}", of.gid);
            return Err(ErrorKind::NotFound.because(why));
        }
        if of.global {
            actor.needs_admin()?;
        }
        self.may_succeed(&ImageId { version: None, ..image }).await?;
        capture::capture(self.boss, node_id, of, &actor.user.login).await
    }

    /// A new version takes the place of the newest one, for all who ask for that: it needs the trust
    /// to make one in that one's group, too, and is for administrators if that one is everybody's.
    async fn may_succeed(&self, newest: &ImageId) -> Result<()> {
        let (db, actor) = (&self.boss.db, self.actor);
        let Some(before) = db.image(newest).await? else { return Ok(()) };
        let trust = match before.gid() {
            Some(gid) => actor.trust(db, &before.pid, &gid).await?,
            None => None,
        };
        if actor.user.admin || (trust >= Some(Trust::LocalRoot) && !before.global) {
            return Ok(());
        }
        let why = if before.global {
            "is for all projects, and only administrators make new versions of it"
        } else {
            "is another group's, which would get yours as its newest version"
        };
        Err(ErrorKind::Refused.because(format_args!("{newest} {why}: take another name")))
    }

    /// An administrator has seen that a machine is off, whose driver can't tell.
    ///
    /// # Errors
    /// `Refused`; `Conflict`: nobody waits for that.
    pub async fn is_off(&self, node_id: &NodeId) -> Result<()> {
        self.actor.needs_admin()?;
        request::is_off(self.boss, node_id).await
    }

    /// Swaps that the actor may know of, the last first; of those that `wanted` says.
    ///
    /// # Errors
    /// If the data base fails.
    pub async fn list(&self, wanted: Wanted<'_>) -> Result<Vec<Swap>> {
        let user = &self.actor.user;
        let of_member = (!user.admin).then_some(&user.login);
        Ok(self.boss.db.wanted_swaps(Wanted { of_member, ..wanted }).await?)
    }

    /// Asks for a swap to stop.
    ///
    /// # Errors
    /// `NotFound`, `Refused`; `Conflict`: it is over.
    pub async fn cancel(&self, id: i64) -> Result<()> {
        let swap = self.find(id).await?;
        self.actor
            .needs_control(&self.boss.db, &ExperimentId { pid: swap.pid, eid: swap.eid })
            .await?;
        request::cancel(self.boss, id).await
    }
}
