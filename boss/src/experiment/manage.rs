//! Making experiments, setting what they want, and removing them; with the question who may.

use std::collections::BTreeSet;

use crate::access::{Actor, Trust, no_experiment};
use crate::db::experiments::{Experiment, ExperimentState, WantedNode};
use crate::db::{Database, is_taken, now};
use crate::error::{ErrorKind, Result};
use crate::experiment::directories;
use crate::files::blocking;
use crate::layout::Layout;
use crate::names::{Eid, ExperimentId, Gid, ImageId, Pid, Vname};
use crate::swapinfo::{Purpose, Scope, Swapinfo, Vnode, saved_nodes};

/// More nodes than that are a typing error.
pub(crate) const MOST_NODES: usize = 1000;

/// An experiment that is to be.
#[derive(Clone, Debug)]
pub struct NewExperiment {
    /// Its project.
    pub pid: Pid,
    /// Its name.
    pub eid: Eid,
    /// The group that it is of, if of a subgroup.
    pub gid: Option<Gid>,
    /// Whether disks are saved at swapout.
    pub savedisk: bool,
    /// Whether it is behind a firewall.
    pub firewalled: bool,
    /// The nodes that it asks for.
    pub nodes: Vec<WantedNode>,
}

/// Whether nodes of a project may be loaded with an image.
///
/// # Errors
/// `NotFound`: there is none, or it is another project's.
pub async fn may_use(db: &Database, pid: &Pid, vname: &Vname, image: &ImageId) -> Result<()> {
    let found = db.image(image).await?;
    if found.is_some_and(|found| found.global || found.pid == *pid) {
        return Ok(());
    }
    let why = format!("{vname}: there is no image {image} that project {pid} may use");
    Err(ErrorKind::NotFound.because(why))
}

/// Experiments of this site, and who wants something of them.
#[derive(Clone, Copy, Debug)]
pub struct Experiments<'a> {
    /// What is known.
    pub db: &'a Database,
    /// Where files are.
    pub layout: &'a Layout,
    /// Who wants it.
    pub actor: &'a Actor,
}

impl Experiments<'_> {
    /// Makes an experiment that has no nodes yet, and its directories.
    ///
    /// # Errors
    /// `NotFound`: no such project or image; `Refused`: not enough trust, or disks may not be saved; `Invalid`;
    /// `Conflict`: there is one.
    pub async fn create(&self, new: NewExperiment) -> Result<Experiment> {
        let Self { db, layout, actor } = *self;
        if actor.user.admin && db.project(&new.pid).await?.is_none() {
            let why = format!("there is no project {}; administrators make projects", new.pid);
            return Err(ErrorKind::NotFound.because(why));
        }
        let invalid = |error| ErrorKind::Invalid.because(error);
        let gid = new.gid.map_or_else(|| new.pid.as_str().parse().map_err(invalid), Ok)?;
        actor.needs_trust(db, &new.pid, &gid, Trust::LocalRoot).await?;
        if db.unix_gid(&new.pid, &gid).await?.is_none() {
            let why =
                format!("project {0} has no group {gid}; its own group is called {0}", new.pid);
            return Err(ErrorKind::NotFound.because(why));
        }
        if new.savedisk {
            actor.needs_state_saving(db).await?;
        }
        self.check(&new.pid, &new.nodes).await?;
        let experiment = Experiment {
            pid: new.pid,
            eid: new.eid,
            gid,
            creator: actor.user.login.clone(),
            swapper: actor.user.login.clone(),
            savedisk: new.savedisk,
            firewalled: new.firewalled,
            state: ExperimentState::Swapped,
            created_at: now(),
        };
        let id = experiment.id();
        self.check_nothing_is_saved(&experiment).await?;
        db.add_experiment(&experiment, &new.nodes).await.map_err(|error| {
            let why = format!("there is an experiment {id} already");
            if is_taken(&error) { ErrorKind::Conflict.because(why) } else { error.into() }
        })?;
        if let Err(error) = directories::make_experiment(db, layout, &experiment).await {
            db.remove_experiment(&id).await?;
            return Err(error.into());
        }
        Ok(experiment)
    }

    /// Disks of an earlier experiment of that name are not this one's: they would come back at its
    /// first swapin.
    async fn check_nothing_is_saved(&self, experiment: &Experiment) -> Result<()> {
        let (layout, of) = (self.layout.clone(), experiment.clone());
        let saved = blocking(move || saved_nodes(&layout, &of)).await?;
        if saved.is_empty() {
            return Ok(());
        }
        let Experiment { pid, gid, eid, .. } = experiment;
        let place = self.layout.swapinfo(pid, gid, eid).here;
        Err(ErrorKind::Conflict.because(format_args!(
            "{} has saved disks ({}) of an earlier experiment of that name; move them away, or \
             take another name",
            place.display(),
            saved.join(" ")
        )))
    }

    /// Nodes with names of their own, and images that the project may use.
    async fn check(&self, pid: &Pid, nodes: &[WantedNode]) -> Result<()> {
        if nodes.is_empty() || nodes.len() > MOST_NODES {
            let why = format!("an experiment has 1 to {MOST_NODES} nodes");
            return Err(ErrorKind::Invalid.because(why));
        }
        let mut vnames = BTreeSet::new();
        for WantedNode { vname, erole, image } in nodes {
            if !vnames.insert(vname) {
                return Err(ErrorKind::Invalid.because(format_args!("there are two nodes {vname}")));
            }
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
            if erole.is_empty() || erole.len() > 32 || !erole.bytes().all(plain) {
                let why = format!("{vname}: the role {erole:?} must be small letters, as in node");
                return Err(ErrorKind::Invalid.because(why));
            }
            if let Some(image) = image {
                may_use(self.db, pid, vname, image).await?;
            }
        }
        Ok(())
    }

    /// An experiment that the actor may know of.
    ///
    /// # Errors
    /// `NotFound`
    pub async fn find(&self, id: &ExperimentId) -> Result<Experiment> {
        self.actor.needs_sight(self.db, id).await?;
        self.db.experiment(id).await?.ok_or_else(|| no_experiment(id))
    }

    /// The experiments that the actor may know of.
    ///
    /// # Errors
    /// If the data base can't be read.
    pub async fn list(&self) -> Result<Vec<Experiment>> {
        if self.actor.user.admin {
            return Ok(self.db.experiments().await?);
        }
        Ok(self.db.experiments_of(&self.actor.user.login).await?)
    }

    /// The same for one that the actor may change.
    ///
    /// # Errors
    /// `NotFound`, `Refused`
    pub async fn controlled(&self, id: &ExperimentId) -> Result<Experiment> {
        self.actor.needs_control(self.db, id).await?;
        self.find(id).await
    }

    /// Sets whether disks are saved at swapout. While the experiment has nodes, these get what they
    /// need for that, or it is taken away; what was saved stays.
    ///
    /// # Errors
    /// `NotFound`, `Refused`; `Conflict`: it is being swapped.
    pub async fn set_savedisk(&self, id: &ExperimentId, savedisk: bool) -> Result<Vec<Vnode>> {
        let experiment = self.controlled(id).await?;
        self.actor.needs_state_saving(self.db).await?;
        if matches!(experiment.state, ExperimentState::Swapping | ExperimentState::Activating) {
            let state = experiment.state.name();
            let why = format!("{id} is {state}; when that is over, it can be set");
            return Err(ErrorKind::Conflict.because(why));
        }
        if !self.db.set_savedisk(id, savedisk).await? {
            return Err(no_experiment(id));
        }
        if experiment.state != ExperimentState::Active {
            return Ok(Vec::new());
        }
        let swapinfo = Swapinfo::new(self.db, self.layout);
        if savedisk {
            let experiment = Experiment { savedisk, ..experiment };
            return Ok(swapinfo.collect(&experiment, Scope::All, Purpose::Save).await?);
        }
        let reservations = self.db.reservations(id).await?;
        let vnames: Vec<Vname> = reservations.into_iter().map(|held| held.vname).collect();
        swapinfo.forget(&experiment, &vnames).await?;
        Ok(Vec::new())
    }

    /// Sets what the experiment is at its next swapin: whether it is behind a firewall, and the nodes
    /// that it asks for. What is `None` stays. What nodes have saved stays, too.
    ///
    /// # Errors
    /// `NotFound`: also an image; `Refused`, `Invalid`; `Conflict`: it is not swapped out. Who could
    /// take the firewall away before a swapout could carry out what is behind it.
    pub async fn change(
        &self,
        id: &ExperimentId,
        firewalled: Option<bool>,
        nodes: Option<&[WantedNode]>,
    ) -> Result<()> {
        self.controlled(id).await?;
        if let Some(nodes) = nodes {
            self.check(&id.pid, nodes).await?;
        }
        if self.db.change_swapped(id, firewalled, nodes).await? {
            return Ok(());
        }
        let state = self.find(id).await?.state.name();
        Err(ErrorKind::Conflict.because(format_args!(
            "{id} is {state}: its nodes and its firewall can be changed while it is swapped out"
        )))
    }

    /// Gives the experiment's nodes what they need to be saved.
    ///
    /// # Errors
    /// `NotFound`; if data base or users can't be read.
    pub async fn collect(&self, id: &ExperimentId) -> Result<Vec<Vnode>> {
        let experiment = self.controlled(id).await?;
        let swapinfo = Swapinfo::new(self.db, self.layout);
        Ok(swapinfo.collect(&experiment, Scope::All, Purpose::Save).await?)
    }

    /// Forgets an experiment that has no nodes. Its files stay.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`: it has nodes.
    pub async fn remove(&self, id: &ExperimentId) -> Result<Experiment> {
        let experiment = self.controlled(id).await?;
        if self.db.remove_experiment(id).await? {
            return Ok(experiment);
        }
        let why = format!(
            "{id} has nodes, or is being swapped: a swapout comes first (boss exp swapout)"
        );
        Err(ErrorKind::Conflict.because(why))
    }
}
