//! `boss node`: machines.

mod disk;
mod power;

use std::net::Ipv4Addr;

use clap::{Args, Subcommand};

use super::{Context, pair};
use crate::boot::Mac;
use crate::error::Result;
use crate::experiment::swaps::Swaps;
use crate::machines::{self, Change, Machines};
use crate::names::NodeId;
use crate::view;

/// What can be done with machines.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a machine
    Add(Add),
    /// Show all machines
    List,
    /// Show a machine and its disks
    Show {
        /// The machine
        node: NodeId,
    },
    /// Change what is known of a machine; what isn't said stays
    Set(Set),
    /// Forget a machine that was never swapped
    Rm {
        /// The machine
        node: NodeId,
    },
    /// Turn a machine on or off, or ask whether it is on
    Power(power::Power),
    /// Say that you have seen that a machine is off, whose driver can't tell
    IsOff {
        /// The machine
        node: NodeId,
    },
    /// Disks of machines
    #[command(subcommand)]
    Disk(disk::Command),
}

/// Add a machine.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// What it is called
    node: NodeId,
    /// The card that it boots from
    #[arg(long, value_name = "ADDRESS")]
    mac: Mac,
    /// Its address on the control network
    #[arg(long, value_name = "ADDRESS")]
    ip: Ipv4Addr,
    #[command(flatten)]
    power: Powering,
}

/// How a machine is turned on and off.
#[derive(Debug, Args)]
struct Powering {
    /// The program that turns it on and off
    #[arg(long, value_name = "DRIVER")]
    power_driver: Option<String>,
    /// A setting of that, such as ADDRESS=10.0.0.9; scripts/power/README.md has all
    #[arg(long = "power", value_name = "KEY=VALUE", value_parser = pair::<String, String>)]
    power_settings: Vec<(String, String)>,
}

/// Change what is known of a machine.
#[derive(Debug, Args)]
pub(super) struct Set {
    /// The machine
    node: NodeId,
    /// The card that it boots from
    #[arg(long, value_name = "ADDRESS")]
    mac: Option<Mac>,
    /// Its address on the control network
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<Ipv4Addr>,
    #[command(flatten)]
    power: Powering,
    /// It isn't given out any more, and why
    #[arg(long, value_name = "WHY", conflicts_with = "in_service")]
    out_of_service: Option<String>,
    /// It is given out again
    #[arg(long)]
    in_service: bool,
}

/// Runs a command.
pub(super) async fn run(context: &Context, command: Command) -> Result<()> {
    match command {
        Command::List => return list(context).await,
        Command::Show { node } => return show(context, &node).await,
        _ => {}
    }
    let (boss, actor) = (context.boss(), context.unnamed().await?);
    let machines = Machines { boss: &boss, actor: &actor };
    match command {
        Command::List | Command::Show { .. } => Ok(()),
        Command::Add(new) => add(context, machines, new).await,
        Command::Set(change) => set(context, machines, change).await,
        Command::Rm { node } => {
            machines.remove(&node).await?;
            context.done(&format!("{node} is forgotten"))
        }
        Command::Power(power) => power::run(context, machines, &power).await,
        Command::IsOff { node } => {
            Swaps { boss: &boss, actor: &actor }.is_off(&node).await?;
            context.done(&format!("{node} counts as off"))
        }
        Command::Disk(command) => disk::run(context, machines, command).await,
    }
}

async fn add(context: &Context, machines: Machines<'_>, new: Add) -> Result<()> {
    let change = Change {
        power_driver: new.power.power_driver,
        power_settings: new.power.power_settings.into_iter().collect(),
        ..Change::default()
    };
    let node = machines.add(new.node, new.mac, new.ip, change).await?;
    let hint = "boss node disk set says which disk it boots from";
    context.done(&format!("{} is added; {hint}", node.node_id))
}

async fn set(context: &Context, machines: Machines<'_>, set: Set) -> Result<()> {
    let changes_service = set.out_of_service.is_some() || set.in_service;
    let change = Change {
        mac: set.mac,
        control_ip: set.ip,
        power_driver: set.power.power_driver,
        power_settings: set.power.power_settings.into_iter().collect(),
        out_of_service: changes_service.then_some(set.out_of_service),
    };
    machines.change(&set.node, change).await?;
    context.done(&format!("{} is changed", set.node))
}

async fn list(context: &Context) -> Result<()> {
    let mut all = Vec::new();
    for node in context.db.nodes().await? {
        all.push(view::Node::of(&context.db, &node).await?);
    }
    context.show(&all, |out| {
        for node in &all {
            let state = match (&node.out_of_service, &node.experiment) {
                (Some(why), _) => format!("out of service: {why}"),
                (None, Some(experiment)) => experiment.clone(),
                (None, None) => "free".to_owned(),
            };
            writeln!(out, "{:<20} {} {:<15} {state}", node.node_id, node.mac, node.control_ip)?;
        }
        Ok(())
    })
}

async fn show(context: &Context, node_id: &NodeId) -> Result<()> {
    let node = context.db.node(node_id).await?.ok_or_else(|| machines::none(node_id))?;
    let node = view::Node::of(&context.db, &node).await?;
    context.show(&node, |out| {
        writeln!(out, "{node_id}: card {}, address {}", node.mac, node.control_ip)?;
        match (&node.experiment, &node.vname) {
            (Some(experiment), Some(vname)) => writeln!(out, "{vname} of {experiment}")?,
            _ => writeln!(out, "nobody's")?,
        }
        if let Some(why) = &node.out_of_service {
            writeln!(out, "out of service: {why}")?;
        }
        if node.event_at != 0 {
            writeln!(out, "said {} at {}", node.event_state, view::time(node.event_at))?;
        }
        let driver = if node.power_driver.is_empty() { "none" } else { &node.power_driver };
        writeln!(out, "power driver: {driver}")?;
        for (key, value) in &node.power_settings {
            writeln!(out, "  {key}={value}")?;
        }
        for disk in &node.disks {
            let boots = if disk.boots { ", boots" } else { "" };
            let bytes = disk.bytes.map_or_else(|| "?".to_owned(), |bytes| bytes.to_string());
            writeln!(out, "disk {}{boots}: {bytes} bytes", disk.name)?;
            let identity = [
                ("serial number", &disk.serial),
                ("WWN", &disk.wwn),
                ("disk GUID", &disk.disk_guid),
            ];
            for (what, value) in identity {
                if let Some(value) = value {
                    writeln!(out, "  {what} {value}")?;
                }
            }
        }
        Ok(())
    })
}
