//! Machines, images, people and site variables.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::db::{Database, images, nodes, people, sitevars};
use crate::power::is_secret;

/// A machine.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Node {
    /// Its name.
    pub node_id: String,
    /// The card that it boots from.
    pub mac: String,
    /// Its address on the control network.
    pub control_ip: String,
    /// The program that turns it on and off; none, if it is empty.
    pub power_driver: String,
    /// The settings of that; of secrets only that they are set.
    pub power_settings: BTreeMap<String, String>,
    /// What the node has last said of itself.
    pub event_state: String,
    /// When, in seconds since 1970; 0 if it has never.
    pub event_at: i64,
    /// Why it may not be given out, if so.
    pub out_of_service: Option<String>,
    /// Whose it is at the moment, as `<pid>/<eid>`.
    pub experiment: Option<String>,
    /// Its name there.
    pub vname: Option<String>,
    /// Its disks, the one that it boots from first.
    pub disks: Vec<Disk>,
}

/// A disk of a machine.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Disk {
    /// As the MFS calls it.
    pub name: String,
    /// Whether the machine boots from it.
    pub boots: bool,
    /// Its size.
    pub bytes: Option<u64>,
    /// The size of its logical sectors in bytes.
    pub sector_size: Option<u32>,
    /// Its serial number.
    pub serial: Option<String>,
    /// Its world-wide name.
    pub wwn: Option<String>,
    /// The GUID of its partition table.
    pub disk_guid: Option<String>,
}

/// A version of an image.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Image {
    /// The project that owns it.
    pub pid: String,
    /// Its name.
    pub name: String,
    /// Counts from 0.
    pub version: u32,
    /// The file as nodes see it.
    pub path: String,
    /// The slice that it is loaded into; 0 is the whole disk.
    pub load_partition: u8,
    /// How many slices it covers.
    pub load_length: u8,
    /// The slice that boots.
    pub boot_partition: u8,
    /// The size of the file.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Who made it.
    pub creator: String,
    /// When, in seconds since 1970.
    pub created_at: i64,
    /// Whether all projects may use it.
    pub global: bool,
    /// Whether a newer version is there, or the file isn't what it was.
    pub stale: bool,
    /// SHA-256 of its signature; without one, no disk that was loaded with it can be saved.
    pub signature_sha256: Option<String>,
}

/// A site variable.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Sitevar {
    /// Such as `swap/swapout_command`.
    pub name: String,
    /// What was set; an empty text is a value.
    pub value: Option<String>,
    /// What counts if nothing is set.
    pub default_value: String,
    /// What it is for.
    pub description: String,
}

/// A user.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct User {
    /// The login.
    pub login: String,
    /// The number.
    pub uid: u32,
    /// For people.
    pub full_name: String,
    /// May do everything.
    pub admin: bool,
    /// May see and set what isn't offered to everybody yet.
    pub studly: bool,
}

/// A project.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Project {
    /// Its name.
    pub pid: String,
    /// Who answers for it.
    pub head: String,
    /// The number of its group.
    pub unix_gid: u32,
    /// Where its files are, if not at the site's file server.
    pub file_server: Option<String>,
    /// Its subgroups.
    pub groups: Vec<Group>,
    /// Its members' logins.
    pub members: Vec<String>,
}

/// A subgroup of a project.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Group {
    /// Its name.
    pub gid: String,
    /// The number.
    pub unix_gid: u32,
}

impl Node {
    /// What there is to show of a machine.
    pub async fn of(db: &Database, node: &nodes::Node) -> sqlx::Result<Self> {
        let holder = db.reservation_of(&node.node_id).await?;
        let disks = db.disks(&node.node_id).await?;
        Ok(Self {
            node_id: node.node_id.to_string(),
            mac: node.mac.clone(),
            control_ip: node.control_ip.to_string(),
            power_driver: node.power_driver.clone(),
            power_settings: node.power_settings.clone().into_iter().map(seen).collect(),
            event_state: node.event_state.clone(),
            event_at: node.event_at,
            out_of_service: node.out_of_service.clone(),
            experiment: holder.as_ref().map(|holder| holder.experiment.to_string()),
            vname: holder.map(|holder| holder.vname.to_string()),
            disks: disks.into_iter().map(Disk::from).collect(),
        })
    }
}

/// A setting as it may be seen.
fn seen((key, value): (String, String)) -> (String, String) {
    let value = if is_secret(&key) { "(set, and not shown)".to_owned() } else { value };
    (key, value)
}

impl From<nodes::Disk> for Disk {
    fn from(disk: nodes::Disk) -> Self {
        let nodes::Disk { name, boots, bytes, sector_size, serial, wwn, disk_guid } = disk;
        Self { name, boots, bytes, sector_size, serial, wwn, disk_guid }
    }
}

impl Image {
    /// What there is to show of an image.
    pub async fn of(db: &Database, image: &images::Image) -> sqlx::Result<Self> {
        let signature = db.image_signature(image).await?;
        Ok(Self {
            pid: image.pid.to_string(),
            name: image.name.to_string(),
            version: image.version,
            path: image.path.clone(),
            load_partition: image.load_partition,
            load_length: image.load_length,
            boot_partition: image.boot_partition,
            bytes: image.bytes,
            sha256: image.sha256.clone(),
            creator: image.creator.to_string(),
            created_at: image.created_at,
            global: image.global,
            stale: image.stale,
            signature_sha256: signature.map(|signature| signature.sha256),
        })
    }
}

impl From<sitevars::Sitevar> for Sitevar {
    fn from(variable: sitevars::Sitevar) -> Self {
        let sitevars::Sitevar { name, value, default_value, description } = variable;
        Self { name, value, default_value, description }
    }
}

impl From<people::User> for User {
    fn from(user: people::User) -> Self {
        let people::User { login, uid, full_name, admin, studly } = user;
        Self { login: login.to_string(), uid, full_name, admin, studly }
    }
}

impl Project {
    /// What there is to show of a project.
    pub async fn of(db: &Database, project: &people::Project) -> sqlx::Result<Self> {
        let mut groups = Vec::new();
        for gid in db.subgroups(&project.pid).await? {
            let unix_gid = db.unix_gid(&project.pid, &gid).await?.unwrap_or_default();
            groups.push(Group { gid: gid.to_string(), unix_gid });
        }
        let members = db.members(&project.pid).await?;
        Ok(Self {
            pid: project.pid.to_string(),
            head: project.head.to_string(),
            unix_gid: project.unix_gid,
            file_server: project.file_server.clone(),
            groups,
            members: members.into_iter().map(|(user, _)| user.login.to_string()).collect(),
        })
    }
}
