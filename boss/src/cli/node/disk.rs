//! `boss node disk`: which disks a machine has, and how they are told apart.

use clap::{Args, Subcommand};

use crate::cli::Context;
use crate::error::Result;
use crate::machines::{DiskChange, Machines};
use crate::names::NodeId;

/// What can be done with disks.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a disk to a machine, or change what is known of it; what isn't said stays
    Set(Set),
}

/// Add a disk, or change what is known of it.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// The machine
    node: NodeId,
    /// The disk as the MFS calls it, such as sda or nvme0n1
    disk: String,
    /// The machine boots from it, and from no other
    #[arg(long)]
    boots: bool,
    /// Its size
    #[arg(long, value_name = "BYTES")]
    bytes: Option<u64>,
    /// The size of its logical sectors
    #[arg(long, value_name = "BYTES")]
    sector_size: Option<u32>,
    /// Its serial number, as the agent's self-test shows it
    #[arg(long)]
    serial: Option<String>,
    /// Its world-wide name
    #[arg(long)]
    wwn: Option<String>,
    /// The GUID of its partition table
    #[arg(long, value_name = "GUID")]
    disk_guid: Option<String>,
}

/// Runs a command.
pub(super) async fn run(
    context: &Context,
    machines: Machines<'_>,
    Command::Set(set): Command,
) -> Result<()> {
    let change = DiskChange {
        name: set.disk.clone(),
        boots: set.boots,
        bytes: set.bytes,
        sector_size: set.sector_size,
        serial: set.serial,
        wwn: set.wwn,
        disk_guid: set.disk_guid,
    };
    machines.set_disk(&set.node, change).await?;
    context.done(&format!("disk {} of {} is noted", set.disk, set.node))
}
