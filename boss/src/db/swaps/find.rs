//! What there is to know of swaps.

use super::{Event, RUN, Run, Swap};
use crate::db::{Database, now};
use crate::names::{ExperimentId, NodeId};

impl Database {
    /// A swap.
    pub async fn swap(&self, id: i64) -> sqlx::Result<Option<Swap>> {
        let query = sqlx::query_as("SELECT * FROM swaps WHERE id = $1").bind(id);
        query.fetch_optional(self.pool()).await
    }

    /// The latest swaps of an experiment, the last first.
    pub async fn swaps_of(&self, id: &ExperimentId, most: u32) -> sqlx::Result<Vec<Swap>> {
        sqlx::query_as("SELECT * FROM swaps WHERE pid = $1 AND eid = $2 ORDER BY id DESC LIMIT $3")
            .bind(id.pid.as_str())
            .bind(id.eid.as_str())
            .bind(i64::from(most))
            .fetch_all(self.pool())
            .await
    }

    /// The latest swaps, the last first.
    pub async fn swaps(&self, most: u32) -> sqlx::Result<Vec<Swap>> {
        let query = sqlx::query_as("SELECT * FROM swaps ORDER BY id DESC LIMIT $1");
        query.bind(i64::from(most)).fetch_all(self.pool()).await
    }

    /// Whether a boss looks after a swap that is going on.
    pub async fn is_supervised(&self, id: i64) -> sqlx::Result<bool> {
        let query = "SELECT COUNT(*) FROM swaps WHERE id = $1 AND lease_until >= $2";
        let query = sqlx::query_scalar(query).bind(id).bind(now());
        let count: i64 = query.fetch_one(self.pool()).await?;
        Ok(count > 0)
    }

    /// The runs of a swap.
    pub async fn runs(&self, swap_id: i64) -> sqlx::Result<Vec<Run>> {
        let query = format!("{RUN} WHERE r.swap_id = $1 ORDER BY r.vname");
        sqlx::query_as(&query).bind(swap_id).fetch_all(self.pool()).await
    }

    /// The run that a machine is in, if it is in one.
    pub async fn run_of_node(&self, node_id: &NodeId) -> sqlx::Result<Option<Run>> {
        let query = format!(
            "{RUN} WHERE r.node_id = $1 AND s.state = 'running' ORDER BY r.id DESC LIMIT 1"
        );
        sqlx::query_as(&query).bind(node_id.as_str()).fetch_optional(self.pool()).await
    }

    /// Notes something that happened; it goes to the log, too.
    pub async fn add_event(
        &self,
        swap_id: i64,
        run_id: Option<i64>,
        level: &str,
        text: &str,
    ) -> sqlx::Result<()> {
        match level {
            "error" => tracing::error!(swap = swap_id, run = run_id, "{text}"),
            "warning" => tracing::warn!(swap = swap_id, run = run_id, "{text}"),
            _ => tracing::info!(swap = swap_id, run = run_id, "{text}"),
        }
        sqlx::query(
            "INSERT INTO events (swap_id, run_id, at, level, text) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(swap_id)
        .bind(run_id)
        .bind(now())
        .bind(level)
        .bind(text)
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// The events of a swap after the one with the number `after`.
    pub async fn events(&self, swap_id: i64, after: i64) -> sqlx::Result<Vec<Event>> {
        sqlx::query_as("SELECT * FROM events WHERE swap_id = $1 AND id > $2 ORDER BY id")
            .bind(swap_id)
            .bind(after)
            .fetch_all(self.pool())
            .await
    }
}
