//! Swaps that are asked for.

use super::NewSwap;
use crate::db::{Database, now};
use crate::swap::{Outcome, RunState};

impl Database {
    /// Begins a swap; its number. Whoever supervises finds it.
    pub async fn add_swap(&self, swap: &NewSwap) -> sqlx::Result<i64> {
        let at = now();
        let mut changes = self.begin().await?;
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO swaps (kind, pid, eid, failaction, command, requested_by, requested_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
        )
        .bind(swap.kind.name())
        .bind(swap.experiment.pid.as_str())
        .bind(swap.experiment.eid.as_str())
        .bind(if swap.fail { "fail" } else { "warn" })
        .bind(swap.command.as_str())
        .bind(swap.requested_by.as_str())
        .bind(at)
        .fetch_one(&mut *changes)
        .await?;
        for run in &swap.runs {
            let skipped = run.skip.is_some();
            let [boot, work, idle] = run.limits.map(i64::from);
            sqlx::query(
                "INSERT INTO runs (swap_id, node_id, vname, directory, file_server, boot_limit, \
                 work_limit, idle_limit, meta_before, state, entered_at, outcome, reason, job) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
            )
            .bind(id)
            .bind(run.node_id.as_str())
            .bind(run.vname.as_str())
            .bind(run.directory.as_str())
            .bind(run.file_server.as_str())
            .bind(boot)
            .bind(work)
            .bind(idle)
            .bind(run.meta_before.as_str())
            .bind(if skipped { RunState::Ended } else { RunState::Requested }.name())
            .bind(at)
            .bind(skipped.then(|| Outcome::Skipped.name()))
            .bind(run.skip.as_deref().unwrap_or_default())
            .bind(run.job.name())
            .execute(&mut *changes)
            .await?;
        }
        changes.commit().await?;
        Ok(id)
    }

    /// Asks for a swap to stop; false if it isn't running.
    pub async fn cancel_swap(&self, id: i64) -> sqlx::Result<bool> {
        let query = "UPDATE swaps SET cancelled = 1 WHERE id = $1 AND state = 'running'";
        Ok(sqlx::query(query).bind(id).execute(self.pool()).await?.rows_affected() == 1)
    }
}
