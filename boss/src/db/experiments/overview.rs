//! What lists of experiments show of each, in one statement for all.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::any::AnyRow;

use super::Experiment;
use crate::db::swaps::Swap;
use crate::db::{Database, number, parse};
use crate::names::{ExperimentId, ImageId, Login, NodeId};

impl Database {
    /// The experiments of the projects that a user is in.
    pub async fn experiments_of(&self, login: &Login) -> sqlx::Result<Vec<Experiment>> {
        sqlx::query_as(
            "SELECT * FROM experiments WHERE pid IN (SELECT pid FROM memberships \
             WHERE login = $1) ORDER BY pid, eid",
        )
        .bind(login.as_str())
        .fetch_all(self.pool())
        .await
    }

    /// How many nodes each experiment asks for; those that ask for none are left out.
    pub async fn node_counts(&self) -> sqlx::Result<BTreeMap<ExperimentId, u32>> {
        let query = "SELECT pid, eid, COUNT(*) AS nodes FROM experiment_nodes GROUP BY pid, eid";
        let rows = sqlx::query(query).fetch_all(self.pool()).await?;
        rows.iter().map(|row| Ok((id_of(row)?, number(row.try_get("nodes")?)?))).collect()
    }

    /// The last swap of each experiment that was ever swapped.
    pub async fn last_swaps(&self) -> sqlx::Result<BTreeMap<ExperimentId, Swap>> {
        let swaps: Vec<Swap> = sqlx::query_as(
            "SELECT * FROM swaps WHERE id IN (SELECT MAX(id) FROM swaps GROUP BY pid, eid)",
        )
        .fetch_all(self.pool())
        .await?;
        Ok(swaps.into_iter().map(|swap| (swap.experiment(), swap)).collect())
    }

    /// What the machines of an experiment boot, as far as they were loaded from images.
    pub async fn loaded_images(
        &self,
        id: &ExperimentId,
    ) -> sqlx::Result<BTreeMap<NodeId, ImageId>> {
        let rows = sqlx::query(
            "SELECT p.node_id, p.image_pid, p.image_name, p.image_version FROM partitions p \
             JOIN reservations r ON r.node_id = p.node_id WHERE r.pid = $1 AND r.eid = $2 \
             AND p.boots = 1 AND p.image_name IS NOT NULL",
        )
        .bind(id.pid.as_str())
        .bind(id.eid.as_str())
        .fetch_all(self.pool())
        .await?;
        let pair = |row: &AnyRow| {
            let image = ImageId {
                pid: parse(row.try_get("image_pid")?)?,
                name: parse(row.try_get("image_name")?)?,
                version: Some(number(row.try_get("image_version")?)?),
            };
            Ok((parse(row.try_get("node_id")?)?, image))
        };
        rows.iter().map(pair).collect()
    }

    /// The sizes of the disks that machines boot from, as far as they are known.
    pub async fn boot_disk_sizes(&self) -> sqlx::Result<BTreeMap<NodeId, u64>> {
        let query = "SELECT node_id, bytes FROM disks WHERE boots = 1 AND bytes IS NOT NULL";
        let rows = sqlx::query(query).fetch_all(self.pool()).await?;
        let pair =
            |row: &AnyRow| Ok((parse(row.try_get("node_id")?)?, number(row.try_get("bytes")?)?));
        rows.iter().map(pair).collect()
    }

    /// The machines that an experiment has, as they are.
    pub async fn nodes_of(&self, id: &ExperimentId) -> sqlx::Result<Vec<crate::db::nodes::Node>> {
        sqlx::query_as(
            "SELECT n.* FROM nodes n JOIN reservations r ON r.node_id = n.node_id \
             WHERE r.pid = $1 AND r.eid = $2 ORDER BY n.node_id",
        )
        .bind(id.pid.as_str())
        .bind(id.eid.as_str())
        .fetch_all(self.pool())
        .await
    }
}

fn id_of(row: &AnyRow) -> sqlx::Result<ExperimentId> {
    Ok(ExperimentId { pid: parse(row.try_get("pid")?)?, eid: parse(row.try_get("eid")?)? })
}
