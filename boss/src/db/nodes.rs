//! Machines, their disks, and what is on them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use sqlx::any::AnyRow;
use sqlx::{FromRow, Row};

use super::{Database, corrupt, number, parse};
use crate::names::{ImageId, NodeId};

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub node_id: NodeId,
    /// The card that it boots from, such as `52:54:00:12:34:56`.
    pub mac: String,
    /// Its address on the control network; who asks from it is this node.
    pub control_ip: Ipv4Addr,
    /// The executable that turns it on and off; none, if it is empty.
    pub power_driver: String,
    /// The settings of that.
    pub power_settings: BTreeMap<String, String>,
    /// What the node has last said of itself.
    pub event_state: String,
    /// When.
    pub event_at: i64,
    /// Why it may not be given out, if so.
    pub out_of_service: Option<String>,
}

/// A disk of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// As the MFS calls it, such as `sda`.
    pub name: String,
    /// Whether the machine boots from it.
    pub boots: bool,
    /// Its size.
    pub bytes: Option<u64>,
    /// The size of its logical sectors in bytes.
    pub sector_size: Option<u32>,
    /// What `SERIAL=` in `.part` says.
    pub serial: Option<String>,
    /// What `WWN=` says.
    pub wwn: Option<String>,
    /// What `DISKGUID=` says.
    pub disk_guid: Option<String>,
}

/// Which image a slice was last loaded from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The slice, from 1.
    pub slice: u8,
    /// Whether the node boots from it.
    pub boots: bool,
    /// The image with its version, if it came from one.
    pub image: Option<ImageId>,
}

impl FromRow<'_, AnyRow> for Node {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let settings: &str = row.try_get("power_settings")?;
        Ok(Self {
            node_id: parse(row.try_get("node_id")?)?,
            mac: row.try_get("mac")?,
            control_ip: parse(row.try_get("control_ip")?)?,
            power_driver: row.try_get("power_driver")?,
            power_settings: serde_json::from_str(settings).map_err(corrupt)?,
            event_state: row.try_get("event_state")?,
            event_at: row.try_get("event_at")?,
            out_of_service: row.try_get("out_of_service")?,
        })
    }
}

impl FromRow<'_, AnyRow> for Disk {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            name: row.try_get("name")?,
            boots: row.try_get::<i64, _>("boots")? != 0,
            bytes: row.try_get::<Option<i64>, _>("bytes")?.map(number).transpose()?,
            sector_size: row.try_get::<Option<i64>, _>("sector_size")?.map(number).transpose()?,
            serial: row.try_get("serial")?,
            wwn: row.try_get("wwn")?,
            disk_guid: row.try_get("disk_guid")?,
        })
    }
}

impl FromRow<'_, AnyRow> for Partition {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let image = match row.try_get::<Option<&str>, _>("image_name")? {
            None => None,
            Some(name) => Some(ImageId {
                pid: parse(row.try_get("image_pid")?)?,
                name: parse(name)?,
                version: Some(number(row.try_get("image_version")?)?),
            }),
        };
        let slice = number(row.try_get("slice")?)?;
        Ok(Self { slice, boots: row.try_get::<i64, _>("boots")? != 0, image })
    }
}

impl Database {
    /// Adds a machine.
    pub async fn add_node(&self, node: &Node) -> sqlx::Result<()> {
        let settings = serde_json::to_string(&node.power_settings).map_err(corrupt)?;
        sqlx::query(
            "INSERT INTO nodes (node_id, mac, control_ip, power_driver, power_settings) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(node.node_id.as_str())
        .bind(node.mac.to_ascii_lowercase())
        .bind(node.control_ip.to_string())
        .bind(node.power_driver.as_str())
        .bind(settings)
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Changes what is known of a machine; false if there is none. What it says of itself stays.
    pub async fn change_node(&self, node: &Node) -> sqlx::Result<bool> {
        let settings = serde_json::to_string(&node.power_settings).map_err(corrupt)?;
        let done = sqlx::query(
            "UPDATE nodes SET mac = $2, control_ip = $3, power_driver = $4, power_settings = $5, \
             out_of_service = $6 WHERE node_id = $1",
        )
        .bind(node.node_id.as_str())
        .bind(node.mac.to_ascii_lowercase())
        .bind(node.control_ip.to_string())
        .bind(node.power_driver.as_str())
        .bind(settings)
        .bind(node.out_of_service.as_deref())
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Forgets a machine that nobody has and that was never swapped; false if it is still there.
    pub async fn remove_node(&self, node_id: &NodeId) -> sqlx::Result<bool> {
        let done = sqlx::query(
            "DELETE FROM nodes WHERE node_id = $1 \
             AND NOT EXISTS (SELECT 1 FROM reservations WHERE node_id = $1) \
             AND NOT EXISTS (SELECT 1 FROM runs WHERE node_id = $1)",
        )
        .bind(node_id.as_str())
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// A machine.
    pub async fn node(&self, node_id: &NodeId) -> sqlx::Result<Option<Node>> {
        let query = sqlx::query_as("SELECT * FROM nodes WHERE node_id = $1").bind(node_id.as_str());
        query.fetch_optional(self.pool()).await
    }

    /// The machine with this address on the control network.
    pub async fn node_at(&self, address: Ipv4Addr) -> sqlx::Result<Option<Node>> {
        let query = sqlx::query_as("SELECT * FROM nodes WHERE control_ip = $1");
        query.bind(address.to_string()).fetch_optional(self.pool()).await
    }

    /// The machine with this card.
    pub async fn node_with_mac(&self, mac: &str) -> sqlx::Result<Option<Node>> {
        let query = sqlx::query_as("SELECT * FROM nodes WHERE mac = $1");
        query.bind(mac.to_ascii_lowercase()).fetch_optional(self.pool()).await
    }

    /// All machines.
    pub async fn nodes(&self) -> sqlx::Result<Vec<Node>> {
        sqlx::query_as("SELECT * FROM nodes ORDER BY node_id").fetch_all(self.pool()).await
    }

    /// Takes a machine out of service, or puts it back; false if there is none.
    pub async fn set_out_of_service(
        &self,
        node_id: &NodeId,
        reason: Option<&str>,
    ) -> sqlx::Result<bool> {
        let query = sqlx::query("UPDATE nodes SET out_of_service = $2 WHERE node_id = $1");
        let done = query.bind(node_id.as_str()).bind(reason).execute(self.pool()).await?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes what a machine says of itself.
    pub async fn note_node_state(
        &self,
        node_id: &NodeId,
        state: &str,
        at: i64,
    ) -> sqlx::Result<()> {
        sqlx::query("UPDATE nodes SET event_state = $2, event_at = $3 WHERE node_id = $1")
            .bind(node_id.as_str())
            .bind(state)
            .bind(at)
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// Adds a disk to a machine, or changes what is known of it.
    pub async fn set_disk(&self, node_id: &NodeId, disk: &Disk) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO disks (node_id, name, boots, bytes, sector_size, serial, wwn, disk_guid) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (node_id, name) DO UPDATE SET \
             boots = excluded.boots, bytes = excluded.bytes, sector_size = excluded.sector_size, \
             serial = excluded.serial, wwn = excluded.wwn, disk_guid = excluded.disk_guid",
        )
        .bind(node_id.as_str())
        .bind(disk.name.as_str())
        .bind(i64::from(disk.boots))
        .bind(disk.bytes.map(i64::try_from).transpose().map_err(corrupt)?)
        .bind(disk.sector_size.map(i64::from))
        .bind(disk.serial.as_deref())
        .bind(disk.wwn.as_deref())
        .bind(disk.disk_guid.as_deref())
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// The disks of a machine, the one that it boots from first.
    pub async fn disks(&self, node_id: &NodeId) -> sqlx::Result<Vec<Disk>> {
        let query = "SELECT * FROM disks WHERE node_id = $1 ORDER BY boots DESC, name";
        sqlx::query_as(query).bind(node_id.as_str()).fetch_all(self.pool()).await
    }

    /// The slices of a machine's boot disk.
    pub async fn partitions(&self, node_id: &NodeId) -> sqlx::Result<Vec<Partition>> {
        let query = "SELECT * FROM partitions WHERE node_id = $1 ORDER BY slice";
        sqlx::query_as(query).bind(node_id.as_str()).fetch_all(self.pool()).await
    }

    /// Notes that slices are about to be loaded from an image; an image of the whole disk is the
    /// image of the slice that it boots. Slices that the image doesn't cover keep their rows.
    pub async fn set_loaded(
        &self,
        node_id: &NodeId,
        image: &super::images::Image,
    ) -> sqlx::Result<()> {
        let mut changes = self.begin().await?;
        let whole = image.load_partition == 0;
        let first = if whole { 1 } else { i64::from(image.load_partition) };
        // An image of the whole disk leaves nothing of what was there.
        let end = if whole { i64::MAX } else { first.saturating_add(i64::from(image.load_length)) };
        sqlx::query("DELETE FROM partitions WHERE node_id = $1 AND slice >= $2 AND slice < $3")
            .bind(node_id.as_str())
            .bind(first)
            .bind(end)
            .execute(&mut *changes)
            .await?;
        sqlx::query("UPDATE partitions SET boots = 0 WHERE node_id = $1")
            .bind(node_id.as_str())
            .execute(&mut *changes)
            .await?;
        let last = if whole { i64::from(image.boot_partition) + 1 } else { end };
        let start = if whole { i64::from(image.boot_partition) } else { first };
        for slice in start..last {
            sqlx::query(
                "INSERT INTO partitions (node_id, slice, boots, image_pid, image_name, \
                 image_version) VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(node_id.as_str())
            .bind(slice)
            .bind(i64::from(slice == i64::from(image.boot_partition)))
            .bind(image.pid.as_str())
            .bind(image.name.as_str())
            .bind(i64::from(image.version))
            .execute(&mut *changes)
            .await?;
        }
        changes.commit().await
    }
}
