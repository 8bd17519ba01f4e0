//! Machines, their disks and their power: for administrators, who are asked for here.

mod power;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use imagezip_core::swapinfo::Part;

pub use power::{Powered, Wanted};

use crate::access::Actor;
use crate::boot::Mac;
use crate::db::is_taken;
use crate::db::nodes::{Disk, Node};
use crate::error::{Error, ErrorKind, Result};
use crate::names::NodeId;
use crate::power::Machine;
use crate::server::Boss;

/// The machines of this site, and who wants something of them.
#[derive(Clone, Copy, Debug)]
pub struct Machines<'a> {
    /// What knows them.
    pub boss: &'a Boss,
    /// Who wants it.
    pub actor: &'a Actor,
}

/// What is to be another of a machine; the rest stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// The card that it boots from.
    pub mac: Option<Mac>,
    /// Its address on the control network.
    pub control_ip: Option<Ipv4Addr>,
    /// The program that turns it on and off; none, if it is empty.
    pub power_driver: Option<String>,
    /// Settings of that; an empty value takes one away.
    pub power_settings: BTreeMap<String, String>,
    /// Why it isn't given out any more, or that it is.
    pub out_of_service: Option<Option<String>>,
}

/// What is to be another of a disk; what is `None` stays, and an empty text takes one away.
#[derive(Clone, Debug, Default)]
pub struct DiskChange {
    /// As the MFS calls it.
    pub name: String,
    /// The machine boots from it, and from no other.
    pub boots: bool,
    /// Its size.
    pub bytes: Option<u64>,
    /// The size of its logical sectors.
    pub sector_size: Option<u32>,
    /// Its serial number.
    pub serial: Option<String>,
    /// Its world-wide name.
    pub wwn: Option<String>,
    /// The GUID of its partition table.
    pub disk_guid: Option<String>,
}

impl Machines<'_> {
    /// A machine.
    ///
    /// # Errors
    /// `Refused`, `NotFound`
    pub async fn find(&self, node_id: &NodeId) -> Result<Node> {
        self.actor.needs_admin()?;
        let node = self.boss.db.node(node_id).await?;
        node.ok_or_else(|| none(node_id))
    }

    /// Adds a machine.
    ///
    /// # Errors
    /// `Refused`; `Invalid`: what its power driver would refuse; `Conflict`: there is one.
    pub async fn add(&self, node_id: NodeId, mac: Mac, ip: Ipv4Addr, of: Change) -> Result<Node> {
        self.actor.needs_admin()?;
        if node_id.as_str() == "new" {
            let why = "no node is called new: the page to add nodes has that address";
            return Err(ErrorKind::Invalid.because(why));
        }
        let mut node = Node {
            node_id,
            mac: mac.to_string(),
            control_ip: ip,
            power_driver: of.power_driver.unwrap_or_default(),
            power_settings: of.power_settings,
            event_state: String::new(),
            event_at: 0,
            out_of_service: None,
        };
        node.power_settings.retain(|_, value| !value.is_empty());
        check(&node)?;
        self.boss.db.add_node(&node).await.map_err(|error| taken(&node, error))?;
        Ok(node)
    }

    /// Changes what is known of a machine.
    ///
    /// # Errors
    /// `Refused`, `NotFound`; `Invalid`: what its power driver would refuse; `Conflict`: another machine
    /// has that card or address.
    pub async fn change(&self, node_id: &NodeId, change: Change) -> Result<()> {
        let mut node = self.find(node_id).await?;
        if let Some(mac) = change.mac {
            node.mac = mac.to_string();
        }
        node.control_ip = change.control_ip.unwrap_or(node.control_ip);
        node.power_driver = change.power_driver.unwrap_or(node.power_driver);
        node.power_settings.extend(change.power_settings);
        node.power_settings.retain(|_, value| !value.is_empty());
        node.out_of_service = change.out_of_service.unwrap_or(node.out_of_service);
        check(&node)?;
        if !self.boss.db.change_node(&node).await.map_err(|error| taken(&node, error))? {
            self.find(node_id).await?;
        }
        Ok(())
    }

    /// Takes a machine out of service, or puts it back.
    ///
    /// # Errors
    /// `Refused`, `NotFound`; `Invalid`: there is no reason of one line.
    pub async fn set_out_of_service(&self, node_id: &NodeId, why: Option<&str>) -> Result<()> {
        self.find(node_id).await?;
        if let Some(why) = why
            && (why.is_empty() || why.len() > 500 || why.contains(char::is_control))
        {
            let why = "say in a line why it isn't given out any more, for those who see it later";
            return Err(ErrorKind::Invalid.because(why));
        }
        self.boss.db.set_out_of_service(node_id, why).await?;
        Ok(())
    }

    /// Forgets a machine that was never swapped.
    ///
    /// # Errors
    /// `Refused`, `NotFound`; `Conflict`: it is somebody's, or was swapped.
    pub async fn remove(&self, node_id: &NodeId) -> Result<()> {
        self.find(node_id).await?;
        if self.boss.db.remove_node(node_id).await? {
            return Ok(());
        }
        Err(ErrorKind::Conflict.because(format_args!(
            "{node_id} is somebody's, or was swapped, and the log of that names it; out of service \
             (its page, or boss node set --out-of-service) it is never given out again"
        )))
    }

    /// Adds a disk to a machine, or changes what is known of it.
    ///
    /// # Errors
    /// `Refused`, `NotFound`; `Invalid`: what nodes couldn't read.
    pub async fn set_disk(&self, node_id: &NodeId, change: DiskChange) -> Result<()> {
        self.find(node_id).await?;
        let db = &self.boss.db;
        let disks = db.disks(node_id).await?;
        let known = disks.iter().find(|disk| disk.name == change.name).cloned().unwrap_or_default();
        let text = |new: Option<String>, known: Option<String>| match new {
            Some(text) => Some(text).filter(|text| !text.is_empty()),
            None => known,
        };
        let disk = Disk {
            name: change.name,
            boots: change.boots || known.boots,
            bytes: change.bytes.or(known.bytes),
            sector_size: change.sector_size.or(known.sector_size),
            serial: text(change.serial, known.serial),
            wwn: text(change.wwn, known.wwn),
            disk_guid: text(change.disk_guid, known.disk_guid),
        };
        check_disk(&disk)?;
        if change.boots {
            for other in disks.into_iter().filter(|other| other.boots && other.name != disk.name) {
                db.set_disk(node_id, &Disk { boots: false, ..other }).await?;
            }
        }
        Ok(db.set_disk(node_id, &disk).await?)
    }

    /// The drivers of power that are installed.
    ///
    /// # Errors
    /// `Refused`
    pub async fn drivers(&self) -> Result<Vec<String>> {
        self.actor.needs_admin()?;
        let drivers = self.boss.power.clone();
        // Where none can be read there are none.
        Ok(tokio::task::spawn_blocking(move || drivers.installed().unwrap_or_default()).await?)
    }
}

/// There is no such machine.
pub fn none(node_id: &NodeId) -> Error {
    ErrorKind::NotFound.because(format_args!(
        "there is no node {node_id}; the list of nodes (boss node list) has all"
    ))
}

/// Nodes read it in their `.part`, with the same grammar.
fn check_disk(disk: &Disk) -> Result<()> {
    let part = format!("DISK={} LOADPART=0 BOOTPART=1", disk.name);
    if let Err(error) = Part::parse(part.as_bytes()) {
        let why = format!("{:?} is no disk's name: {error:?}; such as sda", disk.name);
        return Err(ErrorKind::Invalid.because(why));
    }
    if i64::try_from(disk.bytes.unwrap_or_default()).is_err() {
        return Err(ErrorKind::Invalid.because("no disk has so many bytes"));
    }
    Ok(())
}

/// What power drivers would refuse is refused at once.
fn check(node: &Node) -> Result<()> {
    let settings: BTreeMap<String, String> = node.power_settings.clone();
    if node.power_driver.is_empty() {
        let why = "there are settings of a power driver, but no driver is named (--power-driver)";
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
        "there is a node {}, or one with the card {} or the address {}; the list of nodes (boss node list) has all",
        node.node_id, node.mac, node.control_ip
    );
    ErrorKind::Conflict.because(why)
}
