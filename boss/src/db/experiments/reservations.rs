//! The machines that experiments have.

use sqlx::any::AnyRow;
use sqlx::{FromRow, Row};

use crate::db::{Database, now, parse};
use crate::names::{ExperimentId, NodeId, Vname};

/// A machine that an experiment has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The machine.
    pub node_id: NodeId,
    /// The experiment.
    pub experiment: ExperimentId,
    /// Its name there.
    pub vname: Vname,
    /// What it is for.
    pub erole: String,
    /// Since when.
    pub reserved_at: i64,
}

impl FromRow<'_, AnyRow> for Reservation {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let (pid, eid) = (parse(row.try_get("pid")?)?, parse(row.try_get("eid")?)?);
        Ok(Self {
            node_id: parse(row.try_get("node_id")?)?,
            experiment: ExperimentId { pid, eid },
            vname: parse(row.try_get("vname")?)?,
            erole: row.try_get("erole")?,
            reserved_at: row.try_get("reserved_at")?,
        })
    }
}

impl Database {
    /// The machines that an experiment has.
    pub async fn reservations(&self, id: &ExperimentId) -> sqlx::Result<Vec<Reservation>> {
        let query = "SELECT * FROM reservations WHERE pid = $1 AND eid = $2 ORDER BY vname";
        let query = sqlx::query_as(query).bind(id.pid.as_str()).bind(id.eid.as_str());
        query.fetch_all(self.pool()).await
    }

    /// Who has a machine.
    pub async fn reservation_of(&self, node_id: &NodeId) -> sqlx::Result<Option<Reservation>> {
        let query = sqlx::query_as("SELECT * FROM reservations WHERE node_id = $1");
        query.bind(node_id.as_str()).fetch_optional(self.pool()).await
    }

    /// Machines that nobody has and that are in service.
    pub async fn free_nodes(&self) -> sqlx::Result<Vec<crate::db::nodes::Node>> {
        sqlx::query_as(
            "SELECT * FROM nodes WHERE out_of_service IS NULL \
             AND node_id NOT IN (SELECT node_id FROM reservations) ORDER BY node_id",
        )
        .fetch_all(self.pool())
        .await
    }

    /// Gives a machine to an experiment; false if somebody has it, or it isn't in service.
    pub async fn reserve(
        &self,
        node_id: &NodeId,
        experiment: &ExperimentId,
        vname: &Vname,
        erole: &str,
    ) -> sqlx::Result<bool> {
        let done = sqlx::query(
            "INSERT INTO reservations (node_id, pid, eid, vname, erole, reserved_at) \
             SELECT node_id, $2, $3, $4, $5, CAST($6 AS BIGINT) FROM nodes \
             WHERE node_id = $1 AND out_of_service IS NULL ON CONFLICT DO NOTHING",
        )
        .bind(node_id.as_str())
        .bind(experiment.pid.as_str())
        .bind(experiment.eid.as_str())
        .bind(vname.as_str())
        .bind(erole)
        .bind(now())
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Takes a machine back from an experiment.
    pub async fn release(&self, node_id: &NodeId, experiment: &ExperimentId) -> sqlx::Result<bool> {
        let query = "DELETE FROM reservations WHERE node_id = $1 AND pid = $2 AND eid = $3";
        let done = sqlx::query(query)
            .bind(node_id.as_str())
            .bind(experiment.pid.as_str())
            .bind(experiment.eid.as_str())
            .execute(self.pool())
            .await?;
        Ok(done.rows_affected() == 1)
    }
}
