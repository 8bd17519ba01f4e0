//! What nodes and operators say of runs. Nothing of it touches what the supervisor writes.

use crate::db::{Database, now};
use crate::names::NodeId;

impl Database {
    /// Gives a run's node a new key: what it said before, with another, counts no more. False if
    /// the run needs no node in the MFS any more.
    pub async fn give_key(&self, run_id: i64, digest: &str) -> sqlx::Result<bool> {
        let done = sqlx::query(
            "UPDATE runs SET key_digest = $2, boots = boots + 1, setup_at = NULL, up_at = NULL, \
             failed_at = NULL, startstatus = NULL WHERE id = $1 \
             AND state IN ('booting', 'in-mfs', 'working', 'verifying') AND startstatus IS NULL",
        )
        .bind(run_id)
        .bind(digest)
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The node of a run has begun to set itself up, with this key.
    pub async fn note_setup(&self, run_id: i64, digest: &str) -> sqlx::Result<bool> {
        self.note(run_id, digest, "setup_at = COALESCE(setup_at, $3)", now()).await
    }

    /// The node of a run is up.
    pub async fn note_up(&self, run_id: i64, digest: &str) -> sqlx::Result<bool> {
        self.note(run_id, digest, "up_at = COALESCE(up_at, $3)", now()).await
    }

    /// The node of a run can't get up.
    pub async fn note_failed(&self, run_id: i64, digest: &str) -> sqlx::Result<bool> {
        self.note(run_id, digest, "failed_at = COALESCE(failed_at, $3)", now()).await
    }

    /// How the node's command ended; the first word of it counts.
    pub async fn note_startstatus(
        &self,
        run_id: i64,
        digest: &str,
        text: &str,
    ) -> sqlx::Result<bool> {
        let done = sqlx::query(
            "UPDATE runs SET startstatus = COALESCE(startstatus, $3) \
             WHERE id = $1 AND key_digest = $2",
        )
        .bind(run_id)
        .bind(digest)
        .bind(text)
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// An operator has seen that the machine of a run is off; false if it isn't about to be turned off
    /// in one. Before that it may be turned on again, and would then count as off.
    pub async fn note_seen_off(&self, node_id: &NodeId) -> sqlx::Result<bool> {
        let query = "UPDATE runs SET seen_off = 1 WHERE node_id = $1 AND off_at IS NULL \
                     AND state IN ('stopping', 'ended') AND swap_id IN (SELECT id FROM swaps WHERE state = 'running')";
        let done = sqlx::query(query).bind(node_id.as_str()).execute(self.pool()).await?;
        Ok(done.rows_affected() > 0)
    }

    async fn note(&self, run_id: i64, digest: &str, set: &str, at: i64) -> sqlx::Result<bool> {
        let query = format!("UPDATE runs SET {set} WHERE id = $1 AND key_digest = $2");
        let done = sqlx::query(&query).bind(run_id).bind(digest).bind(at);
        Ok(done.execute(self.pool()).await?.rows_affected() == 1)
    }
}
