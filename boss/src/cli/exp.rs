//! `boss exp`: experiments.

use std::process::ExitCode;

use clap::Subcommand;

use super::Context;
use crate::error::Result;
use crate::names::ExperimentId;
use crate::swap::request;
use crate::view::{self, time};

/// What can be done with experiments.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show all experiments
    List,
    /// Show an experiment, its nodes and its latest swaps
    Show {
        /// The experiment, as <project>/<experiment>
        experiment: ExperimentId,
    },
}

/// Runs a command.
///
/// # Errors
/// If it fails.
pub async fn run(context: &Context, command: Command) -> Result<ExitCode> {
    match command {
        Command::List => list(context).await?,
        Command::Show { experiment } => show(context, &experiment).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(context: &Context) -> Result<()> {
    let mut all = Vec::new();
    for experiment in context.db.experiments().await? {
        all.push(view::Experiment::of(&context.db, &experiment).await?);
    }
    context.show(&all, |out| {
        for one in &all {
            let id = format!("{}/{}", one.pid, one.eid);
            let saves = if one.savedisk { "saves disks" } else { "" };
            writeln!(out, "{id:<40} {:<10} {:>3} nodes  {saves}", one.state, one.nodes.len())?;
        }
        Ok(())
    })
}

async fn show(context: &Context, id: &ExperimentId) -> Result<()> {
    let experiment = request::find(&context.boss(), id).await?;
    let shown = view::Experiment::of(&context.db, &experiment).await?;
    let swaps = context.db.swaps_of(id, 10).await?;
    context.show(&shown, |out| {
        let gid = &shown.gid;
        writeln!(out, "{id} of group {gid} is {}", shown.state)?;
        let saves = if shown.savedisk { "saved" } else { "not saved" };
        let firewalled = if shown.firewalled { "; firewalled: never" } else { "" };
        writeln!(out, "disks are {saves} at swapout{firewalled}")?;
        let (creator, swapper) = (&shown.creator, &shown.swapper);
        let made = time(shown.created_at);
        writeln!(out, "made by {creator} at {made}, last swapped by {swapper}")?;
        for node in &shown.nodes {
            let machine = node.node_id.as_deref().unwrap_or("-");
            writeln!(out, "  {:<20} {machine:<16} {:<10} {}", node.vname, node.role, node.image)?;
        }
        for swap in &swaps {
            let outcome = swap.outcome.as_deref().unwrap_or("is going on");
            let at = time(swap.requested_at);
            writeln!(out, "  swap {} at {at}: {} {outcome}", swap.id, swap.kind)?;
        }
        Ok(())
    })
}
