//! `boss node power`: by the machine's driver.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::find;
use crate::cli::Context;
use crate::error::{ErrorKind, Result};
use crate::names::NodeId;
use crate::power::{self, Drivers, Machine};

/// Turn a machine on or off, or ask whether it is on.
#[derive(Debug, Args)]
pub(crate) struct Power {
    /// What is to be
    #[arg(value_enum)]
    what: What,
    /// The machine
    node: NodeId,
    /// Also if it is being swapped: what it is saving is lost
    #[arg(long)]
    force: bool,
}

/// What is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// It is on afterwards
    On,
    /// It is off afterwards
    Off,
    /// Is it on?
    Status,
}

/// Runs the driver.
pub(super) async fn run(context: &Context, asked: &Power) -> Result<()> {
    let node = find(context, &asked.node).await?;
    if node.power_driver.is_empty() {
        let why = format!("{0} has no power driver; boss node set {0} --power-driver", asked.node);
        return Err(ErrorKind::Conflict.because(why));
    }
    if asked.what != What::Status
        && !asked.force
        && let Some(run) = context.db.run_of_node(&asked.node).await?
    {
        let why = format!(
            "{} is in swap {}, which turns it on and off itself: boss exp cancel {1} stops that; \
             --force doesn't care",
            asked.node, run.swap_id
        );
        return Err(ErrorKind::Conflict.because(why));
    }
    let machine = Machine::new(node.node_id, &node.power_driver, node.power_settings)
        .map_err(|fault| ErrorKind::Invalid.because(fault))?;
    let drivers = Drivers::new(&context.config.directories.power);
    let state = match asked.what {
        What::On => drivers.on(&machine).await.map(|()| "on")?,
        What::Off => drivers.off(&machine).await.map(|()| "off")?,
        What::Status => match drivers.status(&machine).await? {
            power::Power::On => "on",
            power::Power::Off => "off",
        },
    };
    let value = json!({ "node_id": asked.node, "power": state });
    Ok(context.print(&value, |out| writeln!(out, "{} is {state}", asked.node))?)
}
