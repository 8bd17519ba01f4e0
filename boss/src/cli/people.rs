//! `boss project`, `boss group` and `boss user`.

mod user;

use clap::Subcommand;

pub(super) use user::{Command as UserCommand, run as user};

use super::Context;
use crate::access::Actor;
use crate::db::people::Project;
use crate::error::Result;
use crate::names::{Gid, Login, Pid};
use crate::people::People;
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
    let actor = match command {
        ProjectCommand::List => return list(context).await,
        _ => context.unnamed().await?,
    };
    let people = people(context, &actor);
    match command {
        ProjectCommand::List => Ok(()),
        ProjectCommand::Add { project: pid, head, unix_gid, file_server } => {
            let project = Project { pid: pid.clone(), head, unix_gid, file_server };
            people.add_project(&project).await?;
            let shown = view::Project::of(&context.db, &project).await?;
            context.show(&shown, |out| writeln!(out, "project {pid} is added"))
        }
        ProjectCommand::MakeDirectories { project: pid } => {
            people.make_directories(&pid).await?;
            context.done(&format!("project {pid} has its directories"))
        }
    }
}

/// Runs a command.
pub(super) async fn group(context: &Context, command: GroupCommand) -> Result<()> {
    let GroupCommand::Add { project: pid, group: gid, unix_gid } = command;
    let actor = context.unnamed().await?;
    people(context, &actor).add_group(&pid, &gid, unix_gid).await?;
    context.done(&format!("project {pid} has the group {gid}"))
}

fn people<'a>(context: &'a Context, actor: &'a Actor) -> People<'a> {
    People { db: &context.db, layout: &context.layout, actor }
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
