//! Users, projects and who is in them; with the question who may change that.

mod members;

use crate::access::Actor;
use crate::boot::Key;
use crate::db::people::{Project, User};
use crate::db::sessions::Session;
use crate::db::{Database, is_taken, now};
use crate::error::{Error, ErrorKind, Result};
use crate::experiment::directories;
use crate::layout::Layout;
use crate::names::{Gid, Login, Pid};
use crate::password;

/// Of a user's name and of a token's note, in characters.
const LONGEST: usize = 200;
/// More days than that a token can't count.
const MOST_DAYS: u32 = 3660;

/// The users and projects of this site, and who wants something of them.
#[derive(Clone, Copy, Debug)]
pub struct People<'a> {
    /// What is known.
    pub db: &'a Database,
    /// Where files are.
    pub layout: &'a Layout,
    /// Who wants it.
    pub actor: &'a Actor,
}

/// The group that a project itself is.
pub fn own_group(pid: &Pid) -> Result<Gid> {
    pid.as_str().parse().map_err(|error| ErrorKind::Failed.because(error))
}

impl People<'_> {
    /// A user.
    ///
    /// # Errors
    /// `NotFound`
    pub async fn user(&self, login: &Login) -> Result<User> {
        let none = || {
            let why = format!("there is no user {login}; administrators add users (boss user add)");
            ErrorKind::NotFound.because(why)
        };
        self.db.user(login).await?.ok_or_else(none)
    }

    /// A project that the actor may know of.
    ///
    /// # Errors
    /// `NotFound`
    pub async fn project(&self, pid: &Pid) -> Result<Project> {
        if let Some(project) = self.db.project(pid).await?
            && self.actor.sees(self.db, pid).await?
        {
            return Ok(project);
        }
        let why = format!(
            "there is no project {pid}; the list of people (boss project list) has all that you are in"
        );
        Err(ErrorKind::NotFound.because(why))
    }

    /// All projects that the actor may know of.
    ///
    /// # Errors
    /// If the data base can't be read.
    pub async fn projects(&self) -> Result<Vec<Project>> {
        let mut seen = Vec::new();
        for project in self.db.projects().await? {
            if self.actor.sees(self.db, &project.pid).await? {
                seen.push(project);
            }
        }
        Ok(seen)
    }

    /// Adds a user; with a password, they can sign in to the pages.
    ///
    /// # Errors
    /// `Refused`; `Invalid`: it would be root, or the password is none; `Conflict`: there is one.
    pub async fn add_user(&self, user: &User, password: Option<&str>) -> Result<()> {
        self.actor.needs_admin()?;
        if user.uid == 0 {
            return Err(ErrorKind::Invalid.because("no user is root: nodes save in a user's name"));
        }
        is_line("name", &user.full_name)?;
        if let Some(password) = password {
            password::check(password)?;
        }
        let why = format!("there is a user {}, or one with the number {}", user.login, user.uid);
        self.db.add_user(user).await.map_err(|error| taken(error, why))?;
        match password {
            Some(password) => password::set(self.db, &user.login, password, None).await,
            None => Ok(()),
        }
    }

    /// Sets what a user may at the site.
    ///
    /// # Errors
    /// `NotFound`, `Refused`; `Conflict`: administrators don't make themselves users, or a site may
    /// have none of them.
    pub async fn set_flags(&self, login: &Login, admin: bool, studly: bool) -> Result<()> {
        self.actor.needs_admin()?;
        if !admin && *login == self.actor.user.login {
            let why = "you can't take from yourself that you are an administrator: another one can";
            return Err(ErrorKind::Conflict.because(why));
        }
        if self.db.set_flags(login, admin, studly).await? {
            return Ok(());
        }
        self.user(login).await.map(drop)
    }

    /// Gives a user another password; their sessions end.
    ///
    /// # Errors
    /// `NotFound`, `Refused`; `Invalid`: it is too short or too long.
    pub async fn set_password(&self, login: &Login, password: &str) -> Result<()> {
        self.actor.needs_admin()?;
        password::set(self.db, login, password, None).await
    }

    /// Changes the actor's own password; their other sessions end.
    ///
    /// # Errors
    /// `Invalid`: the old one is another, or the new one is too short or too long.
    pub async fn change_password(&self, old: &str, new: &str, stays: &Session) -> Result<()> {
        let login = &self.actor.user.login;
        if !password::is(self.db, login, old).await? {
            return Err(ErrorKind::Invalid.because("that isn't your password at the moment"));
        }
        password::set(self.db, login, new, Some(stays)).await
    }

    /// Ends all sessions of a user: the actor's own, or for administrators anybody's; how many.
    ///
    /// # Errors
    /// `NotFound`, `Refused`
    pub async fn end_sessions(&self, login: &Login) -> Result<u64> {
        self.is_theirs(login).await?;
        Ok(self.db.end_sessions(login).await?)
    }

    /// Makes a token, by which the REST interface knows a user, and says until when it counts.
    ///
    /// # Errors
    /// `NotFound`, `Refused`; `Invalid`: too many days, or no note of one line.
    pub async fn add_token(&self, login: &Login, days: u32, note: &str) -> Result<(Key, i64)> {
        self.is_theirs(login).await?;
        if days > MOST_DAYS {
            let why = format!("a token counts for {MOST_DAYS} days at most");
            return Err(ErrorKind::Invalid.because(why));
        }
        is_line("note", note)?;
        let key = Key::generate()?;
        let expires_at = now().saturating_add(i64::from(days).saturating_mul(24 * 3600));
        self.db.add_token(&key, login, Some(expires_at), note).await?;
        Ok((key, expires_at))
    }

    /// Has a token of a user not count any more.
    ///
    /// # Errors
    /// `NotFound`, `Refused`
    pub async fn revoke_token(&self, login: &Login, id: &str) -> Result<()> {
        self.is_theirs(login).await?;
        if self.db.revoke_token(login, id).await? {
            return Ok(());
        }
        Err(ErrorKind::NotFound.because(format_args!("{login} has no token {id}")))
    }

    /// The same of all that a user has; how many.
    ///
    /// # Errors
    /// `NotFound`, `Refused`
    pub async fn revoke_tokens(&self, login: &Login) -> Result<u64> {
        self.is_theirs(login).await?;
        Ok(self.db.revoke_tokens(login).await?)
    }

    /// Only goes on for the user, and for administrators if there is such a user.
    async fn is_theirs(&self, login: &Login) -> Result<()> {
        if *login == self.actor.user.login && self.db.user(login).await?.is_some() {
            return Ok(());
        }
        self.actor.needs_admin()?;
        self.user(login).await.map(drop)
    }

    /// Adds a project, and makes its directories.
    ///
    /// # Errors
    /// `Refused`; `NotFound`: no such head; `Conflict`: there is one; `Failed`: it is added, but not
    /// its directories.
    pub async fn add_project(&self, project: &Project) -> Result<()> {
        self.actor.needs_admin()?;
        is_unix_group(project.unix_gid)?;
        self.user(&project.head).await?;
        let Project { pid, .. } = project;
        let why = format!("there is a project {pid} already");
        self.db.add_project(project).await.map_err(|error| taken(error, why))?;
        let made = directories::make_project(self.db, self.layout, pid).await;
        made.map_err(|error| without_directories(pid, &error))
    }

    /// Adds a subgroup to a project, and makes its directories.
    ///
    /// # Errors
    /// `Refused`; `NotFound`: no such project; `Conflict`: there is one; `Failed`: it is added, but
    /// not its directories.
    pub async fn add_group(&self, pid: &Pid, gid: &Gid, unix_gid: u32) -> Result<()> {
        self.actor.needs_admin()?;
        is_unix_group(unix_gid)?;
        self.project(pid).await?;
        if pid.as_str() == gid.as_str() {
            let why = format!("the group {gid} is the project's own, and there");
            return Err(ErrorKind::Conflict.because(why));
        }
        let added = self.db.add_subgroup(pid, gid, unix_gid).await;
        added.map_err(|error| taken(error, format!("{pid} has a group {gid} already")))?;
        let made = directories::make_group(self.db, self.layout, pid, gid).await;
        made.map_err(|error| without_directories(pid, &error))
    }

    /// Makes the directories that a project and its groups should have; what is there stays.
    ///
    /// # Errors
    /// `NotFound`, `Refused`; if one can't be made.
    pub async fn make_directories(&self, pid: &Pid) -> Result<()> {
        self.actor.needs_admin()?;
        self.project(pid).await?;
        directories::make_project(self.db, self.layout, pid).await?;
        for gid in self.db.subgroups(pid).await? {
            directories::make_group(self.db, self.layout, pid, &gid).await?;
        }
        Ok(())
    }
}

/// Files of root's group would be everybody's whom root trusts.
fn is_unix_group(number: u32) -> Result<()> {
    let why = "no project has root's group: its files would be open to what runs in that";
    if number == 0 { Err(ErrorKind::Invalid.because(why)) } else { Ok(()) }
}

fn is_line(what: &str, text: &str) -> Result<()> {
    if text.chars().count() <= LONGEST && !text.contains(char::is_control) {
        return Ok(());
    }
    let why = format!("the {what} must be one line of at most {LONGEST} characters");
    Err(ErrorKind::Invalid.because(why))
}

fn taken(error: sqlx::Error, why: String) -> Error {
    if is_taken(&error) { ErrorKind::Conflict.because(why) } else { error.into() }
}

fn without_directories(pid: &Pid, error: &anyhow::Error) -> Error {
    ErrorKind::Failed.because(format_args!(
        "it is added, but not its directories: {error:#}; the project's page (boss project \
         make-directories {pid}) tries again"
    ))
}
