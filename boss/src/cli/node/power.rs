//! `boss node power`: by the machine's driver.

use clap::Args;
use serde_json::json;

use crate::cli::Context;
use crate::error::Result;
use crate::machines::{Machines, Wanted};
use crate::names::NodeId;

/// Turn a machine on or off, or ask whether it is on.
#[derive(Debug, Args)]
pub(crate) struct Power {
    /// What is to be
    #[arg(value_enum)]
    what: Wanted,
    /// The machine
    node: NodeId,
    /// Also if it is being swapped: what it is saving is lost
    #[arg(long)]
    force: bool,
}

/// Runs the driver.
pub(super) async fn run(context: &Context, machines: Machines<'_>, asked: &Power) -> Result<()> {
    let state = machines.power(&asked.node, asked.what, asked.force).await?.name();
    let value = json!({ "node_id": asked.node, "power": state });
    Ok(context.print(&value, |out| writeln!(out, "{} is {state}", asked.node))?)
}
