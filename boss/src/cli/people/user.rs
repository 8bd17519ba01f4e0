//! `boss user`.

use std::io::{self, BufRead, IsTerminal};

use clap::{Args, Subcommand};
use serde_json::json;

use super::people;
use crate::access::Trust;
use crate::cli::Context;
use crate::db::people::User;
use crate::error::{ErrorKind, Result};
use crate::names::{Gid, Login, Pid};
use crate::people::{People, own_group};
use crate::view;

/// What can be done with users.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a user
    Add(Add),
    /// Show all users
    List,
    /// Make a user a member of a project, or of a subgroup of it
    Join(Join),
    /// Take a user out of a project, or out of a subgroup of it
    Leave {
        /// The user
        login: Login,
        /// The project
        project: Pid,
        /// Only out of this subgroup
        #[arg(long)]
        group: Option<Gid>,
    },
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
    /// Have none of a user's tokens count any more, or not one of them
    Revoke {
        /// The user
        login: Login,
        /// Only this one, by what their page shows of it
        #[arg(long, value_name = "ID")]
        token: Option<String>,
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
    if matches!(command, Command::List) {
        return list(context).await;
    }
    let actor = context.unnamed().await?;
    actor.needs_admin()?;
    let people = people(context, &actor);
    match command {
        Command::List => Ok(()),
        Command::Add(new) => add(context, people, new).await,
        Command::Join(Join { login, project: pid, group, trust }) => {
            let gid = group.map_or_else(|| own_group(&pid), Ok)?;
            people.join(&login, &pid, &gid, trust).await?;
            context.done(&format!("{login} is {} in {pid}/{gid}", trust.name()))
        }
        Command::Leave { login, project: pid, group } => {
            let gid = group.map_or_else(|| own_group(&pid), Ok)?;
            people.leave(&login, &pid, &gid).await?;
            context.done(&format!("{login} is not in {pid}/{gid} any more"))
        }
        Command::Token { login, days, note } => token(context, people, &login, days, &note).await,
        Command::Password { login } => password(context, people, &login).await,
        Command::Revoke { login, token: Some(id) } => {
            people.revoke_token(&login, &id).await?;
            context.done(&format!("the token {id} of {login} counts no more"))
        }
        Command::Revoke { login, token: None } => {
            let count = people.revoke_tokens(&login).await?;
            context.done(&format!("{count} tokens of {login} count no more"))
        }
    }
}

async fn add(context: &Context, people: People<'_>, new: Add) -> Result<()> {
    let Add { login, uid, full_name, admin, studly } = new;
    let user = User { login, uid, full_name, admin, studly };
    people.add_user(&user, None).await?;
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

async fn token(
    context: &Context,
    people: People<'_>,
    login: &Login,
    days: u32,
    note: &str,
) -> Result<()> {
    let (key, expires_at) = people.add_token(login, days, note).await?;
    let token = key.reveal();
    let value = json!({ "token": token, "login": login, "expires_at": expires_at });
    // On a line of its own, for `$(boss user token …)`.
    Ok(context.print(&value, |out| writeln!(out, "{token}"))?)
}

async fn password(context: &Context, people: People<'_>, login: &Login) -> Result<()> {
    people.user(login).await?;
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
    people.set_password(login, &password).await?;
    context.done(&format!("{login} has a new password"))
}
