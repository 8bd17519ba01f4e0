//! `boss project`, `boss group` and `boss user`.

mod user;

use clap::Subcommand;

pub(super) use user::{Command as UserCommand, run as user};

use super::Context;
use crate::db::is_taken;
use crate::db::people::{Project, User};
use crate::error::{Error, ErrorKind, Result};
use crate::experiment::directories;
use crate::names::{Gid, Login, Pid};
use crate::view;

/// What can be done with projects.
#[derive(Debug, Subcommand)]
pub(super) enum ProjectCommand {
    /// Add a project, and make its directories
    Add {
        /// What it is called
        project: Pid,
        /// Who answers for it
        #[arg(long, value_name = "LOGIN")]
        head: Login,
        /// The number of its Unix group
        #[arg(long, value_name = "GID")]
        unix_gid: u32,
        /// Where its files are, if not at the site's file server
        #[arg(long, value_name = "HOST")]
        file_server: Option<String>,
    },
    /// Show all projects, with their groups and members
    List,
    /// Make the directories that a project and its groups should have; those that are there stay
    MakeDirectories {
        /// The project
        project: Pid,
    },
}

/// What can be done with subgroups.
#[derive(Debug, Subcommand)]
pub(super) enum GroupCommand {
    /// Add a subgroup to a project, and make its directories
    Add {
        /// The project
        project: Pid,
        /// What the group is called
        group: Gid,
        /// The number of its Unix group
        #[arg(long, value_name = "GID")]
        unix_gid: u32,
    },
}

/// Runs a command.
pub(super) async fn project(context: &Context, command: ProjectCommand) -> Result<()> {
    let (db, layout) = (&context.db, &context.layout);
    match command {
        ProjectCommand::List => list(context).await,
        ProjectCommand::Add { project: pid, head, unix_gid, file_server } => {
            context.needs_admin().await?;
            find_user(context, &head).await?;
            let project = Project { pid: pid.clone(), head, unix_gid, file_server };
            let added = db.add_project(&project).await;
            added.map_err(|error| taken(error, format!("there is a project {pid} already")))?;
            let made = directories::make_project(db, layout, &pid).await;
            made.map_err(|error| without_directories(&pid, &error))?;
            let shown = view::Project::of(db, &project).await?;
            context.show(&shown, |out| writeln!(out, "project {pid} is added"))
        }
        ProjectCommand::MakeDirectories { project: pid } => {
            context.needs_admin().await?;
            find_project(context, &pid).await?;
            directories::make_project(db, layout, &pid).await?;
            for gid in db.subgroups(&pid).await? {
                directories::make_group(db, layout, &pid, &gid).await?;
            }
            context.done(&format!("project {pid} has its directories"))
        }
    }
}

/// Runs a command.
pub(super) async fn group(context: &Context, command: GroupCommand) -> Result<()> {
    let GroupCommand::Add { project: pid, group: gid, unix_gid } = command;
    context.needs_admin().await?;
    find_project(context, &pid).await?;
    if pid.as_str() == gid.as_str() {
        let why = format!("the group {gid} is the project's own, and there");
        return Err(ErrorKind::Conflict.because(why));
    }
    let added = context.db.add_subgroup(&pid, &gid, unix_gid).await;
    added.map_err(|error| taken(error, format!("{pid} has a group {gid} already")))?;
    let made = directories::make_group(&context.db, &context.layout, &pid, &gid).await;
    made.map_err(|error| without_directories(&pid, &error))?;
    context.done(&format!("project {pid} has the group {gid}"))
}

async fn list(context: &Context) -> Result<()> {
    let mut all = Vec::new();
    for project in context.db.projects().await? {
        all.push(view::Project::of(&context.db, &project).await?);
    }
    context.show(&all, |out| {
        for project in &all {
            let view::Project { pid, head, unix_gid, members, .. } = project;
            writeln!(out, "{pid}: head {head}, group {unix_gid}, members {}", members.join(" "))?;
            for group in &project.groups {
                writeln!(out, "  subgroup {} {}", group.gid, group.unix_gid)?;
            }
        }
        Ok(())
    })
}

async fn find_user(context: &Context, login: &Login) -> Result<User> {
    let user = context.db.user(login).await?;
    user.ok_or_else(|| {
        let why = format!("there is no user {login}; boss user add makes one");
        ErrorKind::NotFound.because(why)
    })
}

async fn find_project(context: &Context, pid: &Pid) -> Result<Project> {
    let project = context.db.project(pid).await?;
    project.ok_or_else(|| {
        let why = format!("there is no project {pid}; boss project list has all");
        ErrorKind::NotFound.because(why)
    })
}

fn taken(error: sqlx::Error, why: String) -> Error {
    if is_taken(&error) { ErrorKind::Conflict.because(why) } else { error.into() }
}

fn without_directories(pid: &Pid, error: &anyhow::Error) -> Error {
    ErrorKind::Failed.because(format_args!(
        "it is added, but not its directories: {error:#}; boss project make-directories {pid} \
         tries again"
    ))
}
