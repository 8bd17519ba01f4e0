//! `boss node`: machines.

mod disk;
mod power;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use clap::{Args, Subcommand};

use super::{Context, pair};
use crate::boot::Mac;
use crate::db::is_taken;
use crate::db::nodes::Node;
use crate::error::{Error, ErrorKind, Result};
use crate::experiment::swaps::Swaps;
use crate::names::NodeId;
use crate::power::Machine;
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
        _ => context.needs_admin().await?,
    }
    match command {
        Command::List | Command::Show { .. } => Ok(()),
        Command::Add(new) => add(context, new).await,
        Command::Set(change) => set(context, change).await,
        Command::Rm { node } => rm(context, &node).await,
        Command::Power(power) => power::run(context, &power).await,
        Command::IsOff { node } => {
            let (boss, actor) = (context.boss(), context.unnamed().await?);
            Swaps { boss: &boss, actor: &actor }.is_off(&node).await?;
            context.done(&format!("{node} counts as off"))
        }
        Command::Disk(command) => disk::run(context, command).await,
    }
}

/// A machine.
async fn find(context: &Context, node_id: &NodeId) -> Result<Node> {
    let node = context.db.node(node_id).await?;
    node.ok_or_else(|| {
        let why = format!("there is no node {node_id}; boss node list has all");
        ErrorKind::NotFound.because(why)
    })
}

async fn add(context: &Context, new: Add) -> Result<()> {
    let node = Node {
        node_id: new.node,
        mac: new.mac.to_string(),
        control_ip: new.ip,
        power_driver: new.power.power_driver.unwrap_or_default(),
        power_settings: new.power.power_settings.into_iter().collect(),
        event_state: String::new(),
        event_at: 0,
        out_of_service: None,
    };
    check(&node)?;
    context.db.add_node(&node).await.map_err(|error| taken(&node, error))?;
    let hint = "boss node disk set says which disk it boots from";
    context.done(&format!("{} is added; {hint}", node.node_id))
}

async fn set(context: &Context, change: Set) -> Result<()> {
    let mut node = find(context, &change.node).await?;
    if let Some(mac) = change.mac {
        node.mac = mac.to_string();
    }
    node.control_ip = change.ip.unwrap_or(node.control_ip);
    if let Some(driver) = change.power.power_driver {
        node.power_driver = driver;
    }
    node.power_settings.extend(change.power.power_settings);
    // An empty value takes a setting away.
    node.power_settings.retain(|_, value| !value.is_empty());
    if change.out_of_service.is_some() || change.in_service {
        node.out_of_service = change.out_of_service;
    }
    check(&node)?;
    if !context.db.change_node(&node).await.map_err(|error| taken(&node, error))? {
        find(context, &node.node_id).await?;
    }
    context.done(&format!("{} is changed", node.node_id))
}

async fn rm(context: &Context, node_id: &NodeId) -> Result<()> {
    find(context, node_id).await?;
    if context.db.remove_node(node_id).await? {
        return context.done(&format!("{node_id} is forgotten"));
    }
    let why = format!(
        "{node_id} is somebody's, or was swapped, and the log of that names it; \
         boss node set {node_id} --out-of-service <why> has it never given out again"
    );
    Err(ErrorKind::Conflict.because(why))
}

/// What power drivers would refuse is refused at once.
fn check(node: &Node) -> Result<()> {
    let settings: BTreeMap<String, String> = node.power_settings.clone();
    if node.power_driver.is_empty() {
        let why = "there are settings of a power driver, but --power-driver names none";
        return if settings.is_empty() { Ok(()) } else { Err(ErrorKind::Invalid.because(why)) };
    }
    Machine::new(node.node_id.clone(), &node.power_driver, settings)
        .map(drop)
        .map_err(|fault| ErrorKind::Invalid.because(fault))
}

fn taken(node: &Node, error: sqlx::Error) -> Error {
    if !is_taken(&error) {
        return error.into();
    }
    let why = format!(
        "there is a node {}, or one with the card {} or the address {}; boss node list has all",
        node.node_id, node.mac, node.control_ip
    );
    ErrorKind::Conflict.because(why)
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
    let node = view::Node::of(&context.db, &find(context, node_id).await?).await?;
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
