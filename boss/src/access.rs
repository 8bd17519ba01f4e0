//! Who may do what. It is asked here by everything that changes something, whatever the way there.

use std::str::FromStr;

use clap::ValueEnum;

use crate::db::Database;
use crate::db::experiments::Experiment;
use crate::db::images::Image;
use crate::db::people::User;
use crate::error::{ErrorKind, Result};
use crate::names::{ExperimentId, Gid, Login, Pid};

/// What a member may do in a project, or in a subgroup of it; each may all that those before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Trust {
    /// See what the project has
    User,
    /// Make experiments, change and swap them, and be root on their nodes
    LocalRoot,
    /// Say who is in a group
    GroupRoot,
    /// Say who is in the project
    ProjectRoot,
}

impl Trust {
    /// All, the least first.
    pub const ALL: [Self; 4] = [Self::User, Self::LocalRoot, Self::GroupRoot, Self::ProjectRoot];

    /// As data base and testbeds call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::LocalRoot => "local_root",
            Self::GroupRoot => "group_root",
            Self::ProjectRoot => "project_root",
        }
    }
}

impl FromStr for Trust {
    type Err = &'static str;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|trust| trust.name() == text);
        found.ok_or("it is user, local_root, group_root or project_root")
    }
}

/// Somebody who wants something.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Who.
    pub user: User,
}

impl Actor {
    /// Who runs this process, or whom that names. Root may do everything, in anybody's name.
    ///
    /// # Errors
    /// `Refused`: another was named, and it isn't root; `Invalid`: the user isn't known.
    pub async fn of_process(db: &Database, named: Option<&Login>) -> Result<Self> {
        let uid = nix::unistd::geteuid();
        let own = nix::unistd::User::from_uid(uid)?.map(|user| user.name);
        let login = match (named, own) {
            (Some(named), own) if uid.is_root() || own.as_deref() == Some(named.as_str()) => {
                named.clone()
            }
            (Some(named), _) => {
                let why = format!("only root may do something as {named}");
                return Err(ErrorKind::Refused.because(why));
            }
            (None, Some(own)) => own.parse().map_err(|error| ErrorKind::Invalid.because(error))?,
            (None, None) => {
                let why = format!("user {uid} has no name; --as gives one");
                return Err(ErrorKind::Invalid.because(why));
            }
        };
        let Some(mut user) = db.user(&login).await? else {
            return Err(ErrorKind::Invalid.because(format_args!(
                "the testbed has no user {login}: --as names another, boss user add makes one"
            )));
        };
        user.admin |= uid.is_root();
        Ok(Self { user })
    }

    /// The same for what nobody's name is noted for: then root needs none that the testbed knows.
    ///
    /// # Errors
    /// As [`Actor::of_process`].
    pub async fn unnamed(db: &Database, named: Option<&Login>) -> Result<Self> {
        if named.is_some() || !nix::unistd::geteuid().is_root() {
            return Self::of_process(db, named).await;
        }
        let login = "root".parse().map_err(|error| ErrorKind::Failed.because(error))?;
        let full_name = "the operator".to_owned();
        Ok(Self { user: User { login, uid: 0, full_name, admin: true, studly: true } })
    }

    /// Whether they may know of a project's things.
    pub async fn sees(&self, db: &Database, pid: &Pid) -> sqlx::Result<bool> {
        Ok(self.user.admin || db.is_member(&self.user.login, pid).await?)
    }

    /// What they may do in a group of a project; nothing, if they aren't in the project.
    pub async fn trust(&self, db: &Database, pid: &Pid, gid: &Gid) -> sqlx::Result<Option<Trust>> {
        if self.user.admin {
            return Ok(Some(Trust::ProjectRoot));
        }
        db.trust(&self.user.login, pid, gid).await
    }

    /// Something is to be made in a group of a project, or its things to be changed.
    ///
    /// # Errors
    /// `NotFound`, as for a project that isn't there: who isn't in it doesn't learn what it has;
    /// `Refused`: they aren't trusted so far.
    pub async fn needs_trust(
        &self,
        db: &Database,
        pid: &Pid,
        gid: &Gid,
        least: Trust,
    ) -> Result<()> {
        if self.trust(db, pid, gid).await? >= Some(least) {
            return Ok(());
        }
        if !self.sees(db, pid).await? {
            let why = format!("there is no project {pid} that you are in");
            return Err(ErrorKind::NotFound.because(why));
        }
        Err(ErrorKind::Refused.because(format_args!(
            "in {pid}/{gid} that needs the trust {}, which whoever leads the project gives",
            least.name()
        )))
    }

    /// An experiment is to be seen.
    ///
    /// # Errors
    /// `NotFound`, in the words for an experiment that isn't there.
    pub async fn needs_sight(&self, db: &Database, id: &ExperimentId) -> Result<()> {
        if self.sees(db, &id.pid).await? {
            return Ok(());
        }
        Err(no_experiment(id))
    }

    /// An experiment is to be changed or swapped: by who made it, or is trusted so far in its group.
    ///
    /// # Errors
    /// `NotFound`, `Refused`
    pub async fn needs_control(&self, db: &Database, id: &ExperimentId) -> Result<()> {
        self.needs_sight(db, id).await?;
        let experiment = db.experiment(id).await?.ok_or_else(|| no_experiment(id))?;
        if self.controls(db, &experiment).await? {
            return Ok(());
        }
        Err(ErrorKind::Refused.because(format_args!(
            "{id} is {}'s: others need the trust {} in {}/{}, which whoever leads the project gives",
            experiment.creator,
            Trust::LocalRoot.name(),
            experiment.pid,
            experiment.gid
        )))
    }

    /// Whether they may change and swap an experiment.
    pub async fn controls(&self, db: &Database, experiment: &Experiment) -> sqlx::Result<bool> {
        let trust = self.trust(db, &experiment.pid, &experiment.gid).await?;
        let made = trust.is_some() && experiment.creator == self.user.login;
        Ok(made || trust >= Some(Trust::LocalRoot))
    }

    /// Whether they may know of an image, and have nodes loaded with it.
    pub async fn sees_image(&self, db: &Database, image: &Image) -> sqlx::Result<bool> {
        Ok(image.global || self.sees(db, &image.pid).await?)
    }

    /// Whether they may sign and remove an image: who made it, or leads the group that has it.
    pub async fn keeps_image(&self, db: &Database, image: &Image) -> sqlx::Result<bool> {
        let Some(gid) = image.gid() else { return Ok(self.user.admin) };
        let trust = self.trust(db, &image.pid, &gid).await?;
        let made = trust.is_some() && image.creator == self.user.login;
        Ok(made || trust >= Some(Trust::GroupRoot))
    }

    /// What they may do in a group, if they may say who is in it: of the project's own that needs the
    /// trust `project_root`, of a subgroup `group_root`.
    ///
    /// # Errors
    /// `NotFound`, `Refused`
    pub async fn leads(&self, db: &Database, pid: &Pid, gid: &Gid) -> Result<Trust> {
        let own = pid.as_str() == gid.as_str();
        let least = if own { Trust::ProjectRoot } else { Trust::GroupRoot };
        self.needs_trust(db, pid, gid, least).await?;
        Ok(self.trust(db, pid, gid).await?.unwrap_or(least))
    }

    /// Something is for administrators.
    ///
    /// # Errors
    /// `Refused`
    pub fn needs_admin(&self) -> Result<()> {
        if self.user.admin {
            return Ok(());
        }
        Err(ErrorKind::Refused.because("only administrators may do that"))
    }

    /// Whether they see and may set whether disks are saved.
    pub async fn sets_state_saving(&self, db: &Database) -> sqlx::Result<bool> {
        let exposed = db.sitevar("swap/exposestatesave").await?;
        Ok(self.user.admin || self.user.studly || exposed.as_deref() == Some("1"))
    }

    /// Whether disks are saved may be set.
    ///
    /// # Errors
    /// `Refused`: it isn't offered to everybody at this site.
    pub async fn needs_state_saving(&self, db: &Database) -> Result<()> {
        if self.sets_state_saving(db).await? {
            return Ok(());
        }
        Err(ErrorKind::Refused.because(
            "you may not set whether disks are saved: that is for users with the studly flag, \
             as long as the site variable swap/exposestatesave is not 1",
        ))
    }
}

/// There is none, or none that somebody may know of.
pub fn no_experiment(id: &ExperimentId) -> crate::error::Error {
    ErrorKind::NotFound.because(format_args!(
        "there is no experiment {id}; the list of experiments (boss exp list) has all"
    ))
}
