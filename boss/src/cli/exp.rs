//! `boss exp`: experiments.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{Context, follow, pair};
use crate::access::Actor;
use crate::db::experiments::WantedNode;
use crate::error::{ErrorKind, Result};
use crate::experiment::manage::{Experiments, NewExperiment};
use crate::experiment::swaps::Swaps;
use crate::names::{BadName, ExperimentId, Gid, ImageId, NodeId, Vname};
use crate::swap::request;
use crate::swapinfo::{Outcome, Vnode};
use crate::view::{self, time};

/// What can be done with experiments.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make an experiment, which has no nodes yet
    Create(Create),
    /// Show all experiments
    List,
    /// Show an experiment, its nodes and its latest swaps
    Show {
        /// The experiment, as <project>/<experiment>
        experiment: ExperimentId,
    },
    /// Change what an experiment wants
    Set {
        /// The experiment, as <project>/<experiment>
        experiment: ExperimentId,
        /// Whether disks are saved at swapout
        #[arg(long, value_enum)]
        savedisk: Answer,
    },
    /// Save the disks, if they are to be saved, and give the nodes back
    Swapout {
        /// The experiment, as <project>/<experiment>
        experiment: ExperimentId,
        /// Don't wait until it is done
        #[arg(long)]
        detach: bool,
    },
    /// Get nodes, and load their disks as they were saved, or with the images that are wanted
    Swapin(Swapin),
    /// Load a node's disk with an image; what is on it is lost
    Load(Load),
    /// Follow a swap to its end
    Watch {
        /// Its number
        swap: i64,
    },
    /// Stop a swap: nodes at work are turned off, what they were at is not done
    Cancel {
        /// Its number
        swap: i64,
    },
    /// Give an experiment's nodes what they need to be saved: signatures and descriptions
    Collect {
        /// The experiment, as <project>/<experiment>
        experiment: ExperimentId,
    },
    /// Forget an experiment without nodes; its files stay
    Rm {
        /// The experiment, as <project>/<experiment>
        experiment: ExperimentId,
    },
}

/// Make an experiment.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// What it is to be called, as <project>/<experiment>
    experiment: ExperimentId,
    /// A node and its image, as <vname>=<project>/<image> or …:<version>; once for each node. With
    /// its name alone, the machine is taken with what is on its disk
    #[arg(long = "node", value_name = "VNAME[=IMAGE]", required = true, value_parser = wanted)]
    nodes: Vec<(Vname, Option<ImageId>)>,
    /// What a node is for, if not for the user, such as delaynode: it is not saved
    #[arg(long = "role", value_name = "VNAME=ROLE", value_parser = pair::<Vname, String>)]
    roles: Vec<(Vname, String)>,
    /// The subgroup that it is of
    #[arg(long, value_name = "GROUP")]
    gid: Option<Gid>,
    /// Disks are saved at swapout
    #[arg(long)]
    savedisk: bool,
    /// It is behind a firewall: disks are never saved
    #[arg(long)]
    firewalled: bool,
}

/// Get nodes.
#[derive(Debug, Args)]
pub(super) struct Swapin {
    /// The experiment, as <project>/<experiment>
    experiment: ExperimentId,
    /// The machine that a node gets; any that is free and fits, if it isn't said
    #[arg(long = "on", value_name = "VNAME=NODE", value_parser = pair::<Vname, NodeId>)]
    on: Vec<(Vname, NodeId)>,
    /// Don't wait until it is done
    #[arg(long)]
    detach: bool,
}

/// Load a node's disk with an image.
#[derive(Debug, Args)]
pub(super) struct Load {
    /// The experiment, as <project>/<experiment>
    experiment: ExperimentId,
    /// The node's name in it
    vname: Vname,
    /// The image, as <project>/<image> or <project>/<image>:<version>
    image: ImageId,
    /// Don't wait until it is done
    #[arg(long)]
    detach: bool,
}

/// A node's name, and its image if there is one.
fn wanted(text: &str) -> std::result::Result<(Vname, Option<ImageId>), String> {
    if text.contains('=') {
        return pair(text).map(|(vname, image)| (vname, Some(image)));
    }
    text.parse().map(|vname| (vname, None)).map_err(|error: BadName| error.to_string())
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Answer {
    /// It is so
    Yes,
    /// It isn't
    No,
}

/// Runs a command.
pub(super) async fn run(context: &Context, command: Command) -> Result<ExitCode> {
    match command {
        Command::Create(new) => create(context, new).await?,
        Command::List => list(context).await?,
        Command::Show { experiment } => show(context, &experiment).await?,
        Command::Set { experiment, savedisk } => {
            let actor = context.unnamed().await?;
            let savedisk = savedisk == Answer::Yes;
            let nodes = experiments(context, &actor).set_savedisk(&experiment, savedisk).await?;
            print_nodes(context, &nodes, if savedisk { "are saved" } else { "are not saved" })?;
        }
        Command::Swapout { experiment, detach } => {
            let (boss, actor) = (context.boss(), context.actor().await?);
            let swap = Swaps { boss: &boss, actor: &actor }.swapout(&experiment).await?;
            return follow::begun(context, swap, detach).await;
        }
        Command::Swapin(Swapin { experiment, on, detach }) => {
            let (boss, actor) = (context.boss(), context.actor().await?);
            let on = on.into_iter().collect();
            let swap = Swaps { boss: &boss, actor: &actor }.swapin(&experiment, &on).await?;
            return follow::begun(context, swap, detach).await;
        }
        Command::Load(Load { experiment, vname, image, detach }) => {
            let (boss, actor) = (context.boss(), context.actor().await?);
            let swaps = Swaps { boss: &boss, actor: &actor };
            let swap = swaps.load(&experiment, &vname, &image).await?;
            return follow::begun(context, swap, detach).await;
        }
        Command::Watch { swap } => return follow::follow(context, swap).await,
        Command::Cancel { swap } => {
            let (boss, actor) = (context.boss(), context.unnamed().await?);
            Swaps { boss: &boss, actor: &actor }.cancel(swap).await?;
            context.done(&format!("swap {swap} stops; boss exp watch {swap} shows how"))?;
        }
        Command::Collect { experiment } => {
            let actor = context.unnamed().await?;
            let nodes = experiments(context, &actor).collect(&experiment).await?;
            print_nodes(context, &nodes, "are saved")?;
            if nodes.iter().any(|node| matches!(node.outcome, Outcome::Failed(_))) {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Rm { experiment } => {
            let actor = context.unnamed().await?;
            let gone = experiments(context, &actor).remove(&experiment).await?;
            let place = context.layout.experiment(&gone.pid, &gone.gid, &gone.eid).here;
            let files = place.display();
            context.done(&format!("{experiment} is forgotten; its files are in {files}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn experiments<'a>(context: &'a Context, actor: &'a Actor) -> Experiments<'a> {
    Experiments { db: &context.db, layout: &context.layout, actor }
}

async fn create(context: &Context, new: Create) -> Result<()> {
    let mut roles: BTreeMap<Vname, String> = new.roles.into_iter().collect();
    let nodes = new.nodes.into_iter().map(|(vname, image)| {
        let erole = roles.remove(&vname).unwrap_or_else(|| "node".to_owned());
        WantedNode { vname, erole, image }
    });
    let nodes = nodes.collect();
    if let Some((vname, _)) = roles.first_key_value() {
        let why = format!("--role {vname}=…: there is no --node {vname}=…");
        return Err(ErrorKind::Invalid.because(why));
    }
    let ExperimentId { pid, eid } = new.experiment;
    let (gid, savedisk, firewalled) = (new.gid, new.savedisk, new.firewalled);
    let new = NewExperiment { pid, eid, gid, savedisk, firewalled, nodes };
    let actor = context.actor().await?;
    let made = experiments(context, &actor).create(new).await?;
    let shown = view::Experiment::of(&context.db, &made).await?;
    context.show(&shown, |out| writeln!(out, "{} is made", made.id()))
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
        writeln!(out, "{id} of group {} is {}", shown.gid, shown.state)?;
        let saves = if shown.savedisk { "saved" } else { "not saved" };
        let firewalled = if shown.firewalled { "; firewalled: never" } else { "" };
        writeln!(out, "disks are {saves} at swapout{firewalled}")?;
        let (creator, swapper) = (&shown.creator, &shown.swapper);
        let made = time(shown.created_at);
        writeln!(out, "made by {creator} at {made}, last swapped by {swapper}")?;
        for node in &shown.nodes {
            let machine = node.node_id.as_deref().unwrap_or("-");
            let image = node.image.as_deref().unwrap_or("as it is");
            writeln!(out, "  {:<20} {machine:<16} {:<10} {image}", node.vname, node.role)?;
        }
        for swap in &swaps {
            let outcome = swap.outcome.as_deref().unwrap_or("is going on");
            let at = time(swap.requested_at);
            writeln!(out, "  swap {} at {at}: {} {outcome}", swap.id, swap.kind)?;
        }
        Ok(())
    })
}

/// What became of nodes.
fn print_nodes(context: &Context, nodes: &[Vnode], disks: &str) -> Result<()> {
    let value = nodes.iter().map(|node| {
        let (outcome, why) = describe(&node.outcome);
        let node_id = node.node_id.as_ref().map(ToString::to_string);
        json!({ "vname": node.vname, "node_id": node_id, "outcome": outcome, "why": why })
    });
    context.show(&Value::Array(value.collect()), |out| {
        writeln!(out, "disks {disks} at swapout")?;
        for node in nodes {
            let (outcome, why) = describe(&node.outcome);
            writeln!(out, "  {:<20} {outcome:<10} {why}", node.vname)?;
        }
        Ok(())
    })
}

fn describe(outcome: &Outcome) -> (&'static str, String) {
    match outcome {
        Outcome::Collected(collected) => ("collected", collected.image.id().to_string()),
        Outcome::Skipped(why) => ("skipped", why.clone()),
        Outcome::Failed(why) => ("failed", why.clone()),
    }
}
