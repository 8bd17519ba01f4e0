//! Users, projects and their groups.

use sqlx::{FromRow, Row};

use super::{Database, number, parse};
use crate::access::Trust;
use crate::names::{Gid, Login, Pid};

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The login.
    pub login: Login,
    /// The number.
    pub uid: u32,
    /// For people.
    pub full_name: String,
    /// May do everything.
    pub admin: bool,
    /// May see and set what isn't offered to everybody yet.
    pub studly: bool,
}

/// A project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its name.
    pub pid: Pid,
    /// Who answers for it.
    pub head: Login,
    /// The number of its group.
    pub unix_gid: u32,
    /// Where its files are, if not at the site's file server.
    pub file_server: Option<String>,
}

impl FromRow<'_, sqlx::any::AnyRow> for User {
    fn from_row(row: &sqlx::any::AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            login: parse(row.try_get("login")?)?,
            uid: number(row.try_get("uid")?)?,
            full_name: row.try_get("full_name")?,
            admin: row.try_get::<i64, _>("admin")? != 0,
            studly: row.try_get::<i64, _>("studly")? != 0,
        })
    }
}

impl FromRow<'_, sqlx::any::AnyRow> for Project {
    fn from_row(row: &sqlx::any::AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            pid: parse(row.try_get("pid")?)?,
            head: parse(row.try_get("head")?)?,
            unix_gid: number(row.try_get("unix_gid")?)?,
            file_server: row.try_get("file_server")?,
        })
    }
}

impl Database {
    /// Adds a user.
    pub async fn add_user(&self, user: &User) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO users (login, uid, full_name, admin, studly) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(user.login.as_str())
        .bind(i64::from(user.uid))
        .bind(user.full_name.as_str())
        .bind(i64::from(user.admin))
        .bind(i64::from(user.studly))
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// A user.
    pub async fn user(&self, login: &Login) -> sqlx::Result<Option<User>> {
        let query = sqlx::query_as("SELECT * FROM users WHERE login = $1").bind(login.as_str());
        query.fetch_optional(self.pool()).await
    }

    /// All users.
    pub async fn users(&self) -> sqlx::Result<Vec<User>> {
        sqlx::query_as("SELECT * FROM users ORDER BY login").fetch_all(self.pool()).await
    }

    /// Adds a project; its head is its first member.
    pub async fn add_project(&self, project: &Project) -> sqlx::Result<()> {
        let mut changes = self.begin().await?;
        sqlx::query(
            "INSERT INTO projects (pid, head, unix_gid, file_server) VALUES ($1, $2, $3, $4)",
        )
        .bind(project.pid.as_str())
        .bind(project.head.as_str())
        .bind(i64::from(project.unix_gid))
        .bind(project.file_server.as_deref())
        .execute(&mut *changes)
        .await?;
        sqlx::query(
            "INSERT INTO memberships (login, pid, gid, trust) VALUES ($1, $2, $2, 'project_root')",
        )
        .bind(project.head.as_str())
        .bind(project.pid.as_str())
        .execute(&mut *changes)
        .await?;
        changes.commit().await
    }

    /// A project.
    pub async fn project(&self, pid: &Pid) -> sqlx::Result<Option<Project>> {
        let query = sqlx::query_as("SELECT * FROM projects WHERE pid = $1").bind(pid.as_str());
        query.fetch_optional(self.pool()).await
    }

    /// All projects.
    pub async fn projects(&self) -> sqlx::Result<Vec<Project>> {
        sqlx::query_as("SELECT * FROM projects ORDER BY pid").fetch_all(self.pool()).await
    }

    /// Adds a subgroup to a project.
    pub async fn add_subgroup(&self, pid: &Pid, gid: &Gid, unix_gid: u32) -> sqlx::Result<()> {
        sqlx::query("INSERT INTO subgroups (pid, gid, unix_gid) VALUES ($1, $2, $3)")
            .bind(pid.as_str())
            .bind(gid.as_str())
            .bind(i64::from(unix_gid))
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// The subgroups of a project.
    pub async fn subgroups(&self, pid: &Pid) -> sqlx::Result<Vec<Gid>> {
        let query = sqlx::query_scalar("SELECT gid FROM subgroups WHERE pid = $1 ORDER BY gid");
        let names: Vec<String> = query.bind(pid.as_str()).fetch_all(self.pool()).await?;
        names.iter().map(|name| parse(name)).collect()
    }

    /// All groups of all projects, the project's own first.
    pub async fn groups(&self) -> sqlx::Result<Vec<(Pid, Gid)>> {
        let rows = sqlx::query(
            "SELECT pid, pid AS gid, 0 AS subgroup FROM projects \
             UNION ALL SELECT pid, gid, 1 AS subgroup FROM subgroups ORDER BY pid, subgroup, gid",
        )
        .fetch_all(self.pool())
        .await?;
        let group = |row: &sqlx::any::AnyRow| {
            Ok((parse(row.try_get("pid")?)?, parse(row.try_get("gid")?)?))
        };
        rows.iter().map(group).collect()
    }

    /// The number of a project's group: of a subgroup, or the project's own.
    pub async fn unix_gid(&self, pid: &Pid, gid: &Gid) -> sqlx::Result<Option<u32>> {
        let number: Option<i64> = sqlx::query_scalar(
            "SELECT unix_gid FROM projects WHERE pid = $1 AND pid = $2 \
             UNION SELECT unix_gid FROM subgroups WHERE pid = $1 AND gid = $2",
        )
        .bind(pid.as_str())
        .bind(gid.as_str())
        .fetch_optional(self.pool())
        .await?;
        number.map(self::number).transpose()
    }

    /// Makes a user a member of a group, or changes what they may do there.
    pub async fn set_membership(
        &self,
        login: &Login,
        pid: &Pid,
        gid: &Gid,
        trust: Trust,
    ) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO memberships (login, pid, gid, trust) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (login, pid, gid) DO UPDATE SET trust = excluded.trust",
        )
        .bind(login.as_str())
        .bind(pid.as_str())
        .bind(gid.as_str())
        .bind(trust.name())
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// What a user may do in a group of a project: what they may in the group or in the project,
    /// whichever is more; nothing, if they aren't in the project.
    pub async fn trust(&self, login: &Login, pid: &Pid, gid: &Gid) -> sqlx::Result<Option<Trust>> {
        let found: Vec<String> = sqlx::query_scalar(
            "SELECT trust FROM memberships WHERE login = $1 AND pid = $2 AND (gid = $2 OR gid = $3)",
        )
        .bind(login.as_str())
        .bind(pid.as_str())
        .bind(gid.as_str())
        .fetch_all(self.pool())
        .await?;
        let found = found.iter().map(|trust| parse(trust)).collect::<sqlx::Result<Vec<Trust>>>()?;
        Ok(found.into_iter().max())
    }

    /// Whether a user is in a project, or a subgroup of it.
    pub async fn is_member(&self, login: &Login, pid: &Pid) -> sqlx::Result<bool> {
        let query = "SELECT COUNT(*) FROM memberships WHERE login = $1 AND pid = $2";
        let query = sqlx::query_scalar(query).bind(login.as_str()).bind(pid.as_str());
        let count: i64 = query.fetch_one(self.pool()).await?;
        Ok(count > 0)
    }

    /// The members of a project with the numbers of their groups in it.
    pub async fn members(&self, pid: &Pid) -> sqlx::Result<Vec<(User, Vec<u32>)>> {
        let users: Vec<User> = sqlx::query_as(
            "SELECT * FROM users WHERE login IN (SELECT login FROM memberships WHERE pid = $1) \
             ORDER BY login",
        )
        .bind(pid.as_str())
        .fetch_all(self.pool())
        .await?;
        let mut members = Vec::with_capacity(users.len());
        for user in users {
            let groups = self.unix_groups(&user.login, pid).await?;
            members.push((user, groups));
        }
        Ok(members)
    }

    /// The numbers of the groups that a user is in within a project, the project's own first.
    pub async fn unix_groups(&self, login: &Login, pid: &Pid) -> sqlx::Result<Vec<u32>> {
        let numbers: Vec<i64> = sqlx::query_scalar(
            "SELECT p.unix_gid FROM memberships m JOIN projects p ON p.pid = m.pid \
             AND m.gid = m.pid WHERE m.login = $1 AND m.pid = $2 \
             UNION ALL SELECT s.unix_gid FROM memberships m JOIN subgroups s ON s.pid = m.pid \
             AND s.gid = m.gid WHERE m.login = $1 AND m.pid = $2",
        )
        .bind(login.as_str())
        .bind(pid.as_str())
        .fetch_all(self.pool())
        .await?;
        numbers.into_iter().map(number).collect()
    }
}
