//! What there is to know of swaps.

use super::{Event, RUN, Run, Swap};
use crate::db::{Database, now};
use crate::names::{ExperimentId, Login, NodeId};

/// A boss that runs takes a new swap within so many seconds.
const TAKEN_AFTER: i64 = 5;

/// Which swaps are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Those that go on, or those that are over.
    pub running: bool,
    /// Only of projects that this user is in.
    pub of_member: Option<&'a Login>,
    /// Only of this experiment.
    pub experiment: Option<&'a ExperimentId>,
    /// Only those with a smaller number.
    pub before: i64,
    /// Only those that were asked for since then.
    pub since: i64,
    /// How many at most.
    pub most: u32,
}

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

    /// The latest swaps of these, the last first.
    pub async fn wanted_swaps(&self, wanted: Wanted<'_>) -> sqlx::Result<Vec<Swap>> {
        let (pid, eid) = wanted
            .experiment
            .map_or(("", ""), |ExperimentId { pid, eid }| (pid.as_str(), eid.as_str()));
        sqlx::query_as(
            "SELECT * FROM swaps WHERE state = $1 AND id < $2 AND requested_at >= $3 \
             AND ($4 = '' OR pid IN (SELECT pid FROM memberships WHERE login = $4)) \
             AND ($5 = '' OR (pid = $5 AND eid = $6)) ORDER BY id DESC LIMIT $7",
        )
        .bind(if wanted.running { "running" } else { "ended" })
        .bind(wanted.before)
        .bind(wanted.since)
        .bind(wanted.of_member.map_or("", Login::as_str))
        .bind(pid)
        .bind(eid)
        .bind(i64::from(wanted.most))
        .fetch_all(self.pool())
        .await
    }

    /// The runs of swaps that go on whose machines are to be turned off, and are not yet.
    pub async fn runs_to_be_off(&self) -> sqlx::Result<Vec<Run>> {
        let query = format!(
            "{RUN} WHERE s.state = 'running' AND r.state IN ('stopping', 'ended') \
             AND r.off_at IS NULL AND r.seen_off = 0 ORDER BY r.id"
        );
        sqlx::query_as(&query).fetch_all(self.pool()).await
    }

    /// The last warning that concerns a run.
    pub async fn last_warning(&self, run_id: i64) -> sqlx::Result<Option<Event>> {
        let query = "SELECT * FROM events WHERE run_id = $1 AND level = 'warning' \
                     ORDER BY id DESC LIMIT 1";
        sqlx::query_as(query).bind(run_id).fetch_optional(self.pool()).await
    }

    /// Whether a swap goes on that no boss looks after.
    pub async fn is_forsaken(&self, swap: &Swap) -> sqlx::Result<bool> {
        if swap.ended || now().saturating_sub(swap.requested_at) <= TAKEN_AFTER {
            return Ok(false);
        }
        let query = "SELECT COUNT(*) FROM swaps WHERE id = $1 AND lease_until >= $2";
        let query = sqlx::query_scalar(query).bind(swap.id).bind(now());
        let count: i64 = query.fetch_one(self.pool()).await?;
        Ok(count == 0)
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
