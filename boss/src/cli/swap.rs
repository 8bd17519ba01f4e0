//! `boss swap`: swaps, going on and over.

use clap::Subcommand;

use super::Context;
use crate::error::{ErrorKind, Result};
use crate::names::ExperimentId;
use crate::view::{Event, Swap, time};

/// What can be seen of swaps.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the latest swaps, the last first
    List {
        /// Only of this experiment, as <project>/<experiment>
        experiment: Option<ExperimentId>,
        /// How many
        #[arg(long, value_name = "N", default_value_t = 20)]
        most: u32,
    },
    /// Show a swap, its nodes and what happened
    Show {
        /// Its number
        swap: i64,
    },
}

/// Runs a command.
pub(super) async fn run(context: &Context, command: Command) -> Result<()> {
    match command {
        Command::List { experiment, most } => list(context, experiment.as_ref(), most).await,
        Command::Show { swap } => show(context, swap).await,
    }
}

async fn list(context: &Context, experiment: Option<&ExperimentId>, most: u32) -> Result<()> {
    let swaps = match experiment {
        Some(experiment) => context.db.swaps_of(experiment, most).await?,
        None => context.db.swaps(most).await?,
    };
    let all: Vec<_> = swaps.iter().map(Swap::from).collect();
    context.show(&all, |out| all.iter().try_for_each(|swap| writeln!(out, "{}", line(swap))))
}

async fn show(context: &Context, id: i64) -> Result<()> {
    let none = || ErrorKind::NotFound.because(format_args!("there is no swap {id}"));
    let swap = context.db.swap(id).await?.ok_or_else(none)?;
    let swap = Swap::of(&context.db, &swap).await?;
    let events: Vec<_> = context.db.events(id, 0).await?.into_iter().map(Event::from).collect();
    let mut value = serde_json::to_value(&swap)?;
    if let Some(object) = value.as_object_mut() {
        object.insert("events".to_owned(), serde_json::to_value(&events)?);
    }
    context.show(&value, |out| {
        writeln!(out, "{}", line(&swap))?;
        for run in swap.runs.iter().flatten() {
            let outcome = run.outcome.unwrap_or(run.state);
            let (vname, node_id, why) = (&run.vname, &run.node_id, &run.reason);
            writeln!(out, "  {vname:<20} {node_id:<16} {outcome:<10} {why}")?;
        }
        for event in &events {
            writeln!(out, "{} {:<7} {}", time(event.at), event.level, event.text)?;
        }
        Ok(())
    })
}

fn line(swap: &Swap) -> String {
    let Swap { id, kind, pid, eid, requested_by, .. } = swap;
    let outcome = swap.outcome.as_deref().unwrap_or("is going on");
    let at = time(swap.requested_at);
    format!("{id:>6} {at} {kind:<8} of {pid}/{eid} by {requested_by}: {outcome}")
}
