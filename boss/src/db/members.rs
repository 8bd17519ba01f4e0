//! Who is in which group, and what users may.

use sqlx::{FromRow, Row};

use super::{Database, parse};
use crate::access::Trust;
use crate::names::{Gid, Login, Pid};

/// That a user is in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Who.
    pub login: Login,
    /// The project.
    pub pid: Pid,
    /// The group; the project's name, if it is the project itself.
    pub gid: Gid,
    /// What they may do there.
    pub trust: Trust,
}

impl FromRow<'_, sqlx::any::AnyRow> for Membership {
    fn from_row(row: &sqlx::any::AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            login: parse(row.try_get("login")?)?,
            pid: parse(row.try_get("pid")?)?,
            gid: parse(row.try_get("gid")?)?,
            trust: parse(row.try_get("trust")?)?,
        })
    }
}

impl Database {
    /// Who is in the groups of a project.
    pub async fn memberships(&self, pid: &Pid) -> sqlx::Result<Vec<Membership>> {
        let query = "SELECT * FROM memberships WHERE pid = $1 ORDER BY login, gid";
        sqlx::query_as(query).bind(pid.as_str()).fetch_all(self.pool()).await
    }

    /// The groups that a user is in.
    pub async fn memberships_of(&self, login: &Login) -> sqlx::Result<Vec<Membership>> {
        let query = "SELECT * FROM memberships WHERE login = $1 ORDER BY pid, gid";
        sqlx::query_as(query).bind(login.as_str()).fetch_all(self.pool()).await
    }

    /// Takes a user out of a group, and out of all groups of the project if it is the project's own;
    /// false if they aren't in it, or are the project's head and it is the project's own.
    pub async fn remove_membership(
        &self,
        login: &Login,
        pid: &Pid,
        gid: &Gid,
    ) -> sqlx::Result<bool> {
        let done = sqlx::query(
            "DELETE FROM memberships WHERE login = $1 AND pid = $2 AND (gid = $3 OR $3 = pid) \
             AND NOT ($3 = pid AND EXISTS (SELECT 1 FROM projects WHERE pid = $2 AND head = $1))",
        )
        .bind(login.as_str())
        .bind(pid.as_str())
        .bind(gid.as_str())
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Sets what a user may at the site; false if there is no such user.
    pub async fn set_flags(&self, login: &Login, admin: bool, studly: bool) -> sqlx::Result<bool> {
        let done = sqlx::query("UPDATE users SET admin = $2, studly = $3 WHERE login = $1")
            .bind(login.as_str())
            .bind(i64::from(admin))
            .bind(i64::from(studly))
            .execute(self.pool())
            .await?;
        Ok(done.rows_affected() == 1)
    }
}
