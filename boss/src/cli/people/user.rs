//! `boss user`.

use std::io::{self, BufRead, IsTerminal};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{find_project, find_user, taken};
use crate::access::Trust;
use crate::boot::Key;
use crate::cli::Context;
use crate::db::now;
use crate::db::people::User;
use crate::error::{ErrorKind, Result};
use crate::names::{Gid, Login, Pid};
use crate::{password, view};

/// What can be done with users.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a user
    Add(Add),
    /// Show all users
    List,
    /// Make a user a member of a project, or of a subgroup of it
    Join(Join),
    /// Make a token, by which the REST interface knows a user; it is printed this once
    Token {
        /// The user
        login: Login,
        /// For how many days it counts
        #[arg(long, value_name = "N", default_value_t = 90)]
        days: u32,
        /// What it is for
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
    },
    /// Set the password that a user signs in to the pages with; their sessions end
    ///
    /// It is asked for twice, or read as one line if standard input is no terminal.
    Password {
        /// The user
        login: Login,
    },
    /// Have none of a user's tokens count any more
    Revoke {
        /// The user
        login: Login,
    },
}

/// Add a user.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The login
    login: Login,
    /// The number
    #[arg(long)]
    uid: u32,
    /// The name, for people
    #[arg(long, value_name = "NAME", default_value = "")]
    full_name: String,
    /// May do everything
    #[arg(long)]
    admin: bool,
    /// May set whether disks are saved, where not everybody may
    #[arg(long)]
    studly: bool,
}

/// Make a user a member.
#[derive(Debug, Args)]
pub(crate) struct Join {
    /// The user
    login: Login,
    /// The project
    project: Pid,
    /// A subgroup of it
    #[arg(long)]
    group: Option<Gid>,
    /// What they may do there
    #[arg(long, value_enum, default_value_t = Trust::LocalRoot)]
    trust: Trust,
}

/// Runs a command.
pub(crate) async fn run(context: &Context, command: Command) -> Result<()> {
    if !matches!(command, Command::List) {
        context.needs_admin().await?;
    }
    match command {
        Command::Add(new) => add(context, new).await,
        Command::List => list(context).await,
        Command::Join(join) => self::join(context, join).await,
        Command::Token { login, days, note } => token(context, &login, days, &note).await,
        Command::Password { login } => password(context, &login).await,
        Command::Revoke { login } => {
            find_user(context, &login).await?;
            let count = context.db.revoke_tokens(&login).await?;
            context.done(&format!("{count} tokens of {login} count no more"))
        }
    }
}

async fn add(context: &Context, new: Add) -> Result<()> {
    let Add { login, uid, full_name, admin, studly } = new;
    if uid == 0 {
        return Err(ErrorKind::Invalid.because("no user is root: nodes save in a user's name"));
    }
    let user = User { login, uid, full_name, admin, studly };
    let added = context.db.add_user(&user).await;
    let why = format!("there is a user {}, or one with the number {uid}", user.login);
    added.map_err(|error| taken(error, why))?;
    let shown = view::User::from(user);
    context.show(&shown, |out| writeln!(out, "user {} is added", shown.login))
}

async fn list(context: &Context) -> Result<()> {
    let all: Vec<_> = context.db.users().await?.into_iter().map(view::User::from).collect();
    context.show(&all, |out| {
        for view::User { login, uid, full_name, admin, studly } in &all {
            let admin = if *admin { " admin" } else { "" };
            let studly = if *studly { " studly" } else { "" };
            writeln!(out, "{login:<20} {uid:>7} {full_name}{admin}{studly}")?;
        }
        Ok(())
    })
}

async fn join(context: &Context, join: Join) -> Result<()> {
    let Join { login, project: pid, group, trust } = join;
    find_user(context, &login).await?;
    find_project(context, &pid).await?;
    let db = &context.db;
    let own: Gid = pid.as_str().parse().map_err(|error| ErrorKind::Failed.because(error))?;
    let gid = group.unwrap_or_else(|| own.clone());
    if db.unix_gid(&pid, &gid).await?.is_none() {
        let why = format!("project {pid} has no group {gid}; boss group add makes one");
        return Err(ErrorKind::NotFound.because(why));
    }
    if gid != own && !db.is_member(&login, &pid).await? {
        // Who is in a subgroup is in the project.
        db.set_membership(&login, &pid, &own, Trust::User).await?;
    }
    db.set_membership(&login, &pid, &gid, trust).await?;
    context.done(&format!("{login} is {} in {pid}/{gid}", trust.name()))
}

async fn token(context: &Context, login: &Login, days: u32, note: &str) -> Result<()> {
    find_user(context, login).await?;
    let key = Key::generate()?;
    let expires_at = now().saturating_add(i64::from(days).saturating_mul(24 * 3600));
    context.db.add_token(&key, login, Some(expires_at), note).await?;
    let token = key.reveal();
    let value = json!({ "token": token, "login": login, "expires_at": expires_at });
    // On a line of its own, for `$(boss user token …)`.
    Ok(context.print(&value, |out| writeln!(out, "{token}"))?)
}

async fn password(context: &Context, login: &Login) -> Result<()> {
    find_user(context, login).await?;
    let password = if io::stdin().is_terminal() {
        let first = rpassword::prompt_password(format!("New password of {login}: "))?;
        if first != rpassword::prompt_password("The same again: ")? {
            return Err(ErrorKind::Invalid.because("these were two different passwords"));
        }
        first
    } else {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    password::set(&context.db, login, &password, None).await?;
    context.done(&format!("{login} has a new password"))
}
