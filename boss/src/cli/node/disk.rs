//! `boss node disk`: which disks a machine has, and how they are told apart.

use clap::{Args, Subcommand};
use imagezip_core::swapinfo::Part;

use super::find;
use crate::cli::Context;
use crate::db::nodes::Disk;
use crate::error::{ErrorKind, Result};
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
pub(super) async fn run(context: &Context, Command::Set(set): Command) -> Result<()> {
    find(context, &set.node).await?;
    // Nodes read it in their `.part`, with the same grammar.
    let part = format!("DISK={} LOADPART=0 BOOTPART=1", set.disk);
    if let Err(error) = Part::parse(part.as_bytes()) {
        let why = format!("{:?} is no disk's name: {error:?}; such as sda", set.disk);
        return Err(ErrorKind::Invalid.because(why));
    }
    let disks = context.db.disks(&set.node).await?;
    let known = disks.iter().find(|disk| disk.name == set.disk).cloned().unwrap_or_default();
    let disk = Disk {
        name: set.disk,
        boots: set.boots || known.boots,
        bytes: set.bytes.or(known.bytes),
        sector_size: set.sector_size.or(known.sector_size),
        serial: set.serial.or(known.serial),
        wwn: set.wwn.or(known.wwn),
        disk_guid: set.disk_guid.or(known.disk_guid),
    };
    if set.boots {
        for other in disks.into_iter().filter(|other| other.boots && other.name != disk.name) {
            context.db.set_disk(&set.node, &Disk { boots: false, ..other }).await?;
        }
    }
    context.db.set_disk(&set.node, &disk).await?;
    context.done(&format!("disk {} of {} is noted", disk.name, set.node))
}
