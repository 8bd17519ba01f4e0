//! Who may do what. It is asked here by everything that changes something, whatever the way there.

use crate::db::Database;
use crate::db::people::User;
use crate::error::{ErrorKind, Result};
use crate::names::{ExperimentId, Login, Pid};

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

    /// Something may be done with a project's things.
    ///
    /// # Errors
    /// `NotFound`, as for a project that isn't there: who isn't in it doesn't learn what it has.
    pub async fn needs_project(&self, db: &Database, pid: &Pid) -> Result<()> {
        if self.sees(db, pid).await? {
            return Ok(());
        }
        Err(ErrorKind::NotFound.because(format_args!("there is no project {pid} that you are in")))
    }

    /// The same for an experiment's things.
    ///
    /// # Errors
    /// `NotFound`, in the words for an experiment that isn't there.
    pub async fn needs_experiment(&self, db: &Database, id: &ExperimentId) -> Result<()> {
        if self.sees(db, &id.pid).await? {
            return Ok(());
        }
        Err(no_experiment(id))
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

    /// Whether disks are saved may be set.
    ///
    /// # Errors
    /// `Refused`: it isn't offered to everybody at this site.
    pub async fn needs_state_saving(&self, db: &Database) -> Result<()> {
        let exposed = db.sitevar("swap/exposestatesave").await?;
        if self.user.admin || self.user.studly || exposed.as_deref() == Some("1") {
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
    ErrorKind::NotFound.because(format_args!("there is no experiment {id}; boss exp list has all"))
}
