//! What the supervisor does: it owns swaps for some seconds at a time.

use super::{Decision, RUN, Run, Swap};
use crate::db::{Database, corrupt, now, number};
use crate::swap::Outcome;

impl Database {
    /// Takes for `owner`, for so many seconds from now, the swaps that are his or nobody's; all that
    /// are his then. Two bosses never have the same one.
    pub async fn claim_swaps(&self, owner: &str, seconds: i64) -> sqlx::Result<Vec<Swap>> {
        sqlx::query_as(
            "UPDATE swaps SET owner = $1, lease_until = $2 WHERE state = 'running' \
             AND (owner = $1 OR owner IS NULL OR lease_until < $3) RETURNING *",
        )
        .bind(owner)
        .bind(now().saturating_add(seconds))
        .bind(now())
        .fetch_all(self.pool())
        .await
    }

    /// The runs of the swaps that `owner` has.
    pub async fn runs_of_owner(&self, owner: &str) -> sqlx::Result<Vec<Run>> {
        let query = format!("{RUN} WHERE s.state = 'running' AND s.owner = $1 ORDER BY r.id");
        sqlx::query_as(&query).bind(owner).fetch_all(self.pool()).await
    }

    /// Writes what the supervisor `owner` has decided; false if the swap isn't his any more. With
    /// `anew` what the node has said before is forgotten.
    pub async fn decide(&self, owner: &str, run: &Run, anew: bool) -> sqlx::Result<bool> {
        let Decision { progress, .. } = &run.decision;
        let count = |bytes: u64| i64::try_from(bytes).map_err(corrupt);
        let forget = if anew {
            ", key_digest = NULL, setup_at = NULL, up_at = NULL, failed_at = NULL, \
             startstatus = NULL, seen_off = 0"
        } else {
            ""
        };
        let query = format!(
            "UPDATE runs SET state = $3, entered_at = $4, outcome = $5, reason = $6, \
             attempt = $7, not_before = $8, power_at = $9, off_at = $10, phase = $11, \
             scanned = $12, total = $13, changed = $14, written = $15, progress_at = $16{forget} \
             WHERE id = $2 AND swap_id IN (SELECT id FROM swaps WHERE owner = $1)"
        );
        let done = sqlx::query(&query)
            .bind(owner)
            .bind(run.id)
            .bind(run.decision.state.name())
            .bind(run.decision.entered_at)
            .bind(run.decision.outcome.map(Outcome::name))
            .bind(run.decision.reason.as_str())
            .bind(i64::from(run.decision.attempt))
            .bind(run.decision.not_before)
            .bind(run.decision.power_at)
            .bind(run.decision.off_at)
            .bind(progress.phase.as_str())
            .bind(count(progress.scanned)?)
            .bind(count(progress.total)?)
            .bind(count(progress.changed)?)
            .bind(count(progress.written)?)
            .bind(run.decision.progress_at)
            .execute(self.pool())
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// How many nodes are at work with a file server, whoever supervises them.
    pub async fn active_runs(&self, file_server: &str) -> sqlx::Result<u32> {
        let count: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM runs WHERE file_server = $1 \
             AND state IN ('booting', 'in-mfs', 'working', 'verifying', 'stopping')",
        )
        .bind(file_server)
        .fetch_one(self.pool())
        .await?;
        number(count)
    }

    /// Ends a swap; false if it isn't `owner`'s any more.
    pub async fn end_swap(&self, owner: &str, id: i64, outcome: &str) -> sqlx::Result<bool> {
        let done = sqlx::query(
            "UPDATE swaps SET state = 'ended', outcome = $3, ended_at = $4 \
             WHERE id = $2 AND owner = $1 AND state = 'running'",
        )
        .bind(owner)
        .bind(id)
        .bind(outcome)
        .bind(now())
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
