//! Who is in a group, and what they may do there: said by those who lead it, and of nobody who may
//! more than they.

use super::{People, own_group};
use crate::access::Trust;
use crate::error::{ErrorKind, Result};
use crate::names::{Gid, Login, Pid};

impl People<'_> {
    /// Makes a user a member of a group, or changes what they may do there. Who is in a subgroup is in
    /// the project, too.
    ///
    /// # Errors
    /// `NotFound`: no such project, group or user; `Refused`: the actor doesn't lead the group, or
    /// may less than what is to be given, or than the user; `Conflict`: the user is the project's head,
    /// who leads it.
    pub async fn join(&self, login: &Login, pid: &Pid, gid: &Gid, trust: Trust) -> Result<()> {
        let own = own_group(pid)?;
        self.may_change(login, pid, gid, trust).await?;
        self.user(login).await?;
        if *gid == own && trust < Trust::ProjectRoot {
            self.is_not_head(login, pid).await?;
        }
        if *gid != own && !self.db.is_member(login, pid).await? {
            if self.actor.trust(self.db, pid, &own).await? < Some(Trust::ProjectRoot) {
                let why = format!(
                    "{login} isn't in the project {pid} yet: whoever leads the project adds them \
                     first"
                );
                return Err(ErrorKind::Refused.because(why));
            }
            self.db.set_membership(login, pid, &own, Trust::User).await?;
        }
        Ok(self.db.set_membership(login, pid, gid, trust).await?)
    }

    /// Takes a user out of a group; of a project's own, out of the project with all its groups.
    ///
    /// # Errors
    /// `NotFound`: no such project or group, or they aren't in it; `Refused`: the actor doesn't lead
    /// the group, or the user may more than they; `Conflict`: the user is the project's head.
    pub async fn leave(&self, login: &Login, pid: &Pid, gid: &Gid) -> Result<()> {
        self.may_change(login, pid, gid, Trust::User).await?;
        if *gid == own_group(pid)? {
            self.is_not_head(login, pid).await?;
        }
        if self.db.remove_membership(login, pid, gid).await? {
            return Ok(());
        }
        Err(ErrorKind::NotFound.because(format_args!("{login} is not in {pid}/{gid}")))
    }

    /// The most that the actor can give in a group; nothing, if they don't lead it.
    ///
    /// # Errors
    /// If the data base can't be read.
    pub async fn gives(&self, pid: &Pid, gid: &Gid) -> Result<Option<Trust>> {
        match self.actor.leads(self.db, pid, gid).await {
            Ok(trust) => Ok(Some(trust)),
            Err(error) if matches!(error.kind, ErrorKind::Refused | ErrorKind::NotFound) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn may_change(&self, login: &Login, pid: &Pid, gid: &Gid, to: Trust) -> Result<()> {
        self.project(pid).await?;
        if self.db.unix_gid(pid, gid).await?.is_none() {
            let why = format!(
                "project {pid} has no group {gid}; administrators add groups (boss group add)"
            );
            return Err(ErrorKind::NotFound.because(why));
        }
        let most = self.actor.leads(self.db, pid, gid).await?;
        if to > most {
            let why = format!("you have the trust {} there, and can't give more", most.name());
            return Err(ErrorKind::Refused.because(why));
        }
        let theirs = self.db.trust(login, pid, gid).await?;
        if theirs > Some(most) {
            let why = format!("{login} has more trust there than you");
            return Err(ErrorKind::Refused.because(why));
        }
        Ok(())
    }

    async fn is_not_head(&self, login: &Login, pid: &Pid) -> Result<()> {
        let project = self.project(pid).await?;
        if project.head != *login {
            return Ok(());
        }
        let why =
            format!("{login} is the head of {pid}, and stays in it with the trust project_root");
        Err(ErrorKind::Conflict.because(why))
    }
}
