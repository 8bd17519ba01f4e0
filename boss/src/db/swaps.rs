//! Swaps, the runs of their nodes, and what happened in them.
//!
//! A run's row has two writers: the supervisor, which owns the swap for some seconds at a time and
//! writes what it decides ([`Database::decide`]), and whoever hears something from the node, which
//! writes only that ([`Database::note_setup`] and those after it).

use sqlx::any::AnyRow;
use sqlx::{FromRow, Row};

use super::{Database, corrupt, now, number, parse};
use crate::names::{Eid, ExperimentId, Login, NodeId, Pid, Vname};
use crate::swap::{Job, Kind, Outcome, RunState};

/// Something that is done to an experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swap {
    /// Its number.
    pub id: i64,
    /// What.
    pub kind: Kind,
    /// Project of the experiment.
    pub pid: Pid,
    /// Name of the experiment.
    pub eid: Eid,
    /// Whether all of it is over.
    pub ended: bool,
    /// Whether a node that fails keeps the experiment as it is.
    pub fail: bool,
    /// What nodes run in a swapout; the image of a load or a capture.
    pub command: String,
    /// Who wanted it.
    pub requested_by: Login,
    /// When.
    pub requested_at: i64,
    /// When it was over.
    pub ended_at: Option<i64>,
    /// How it ended: `done`, `warned` or `failed`.
    pub outcome: Option<String>,
    /// Whether somebody wants it to stop.
    pub cancelled: bool,
}

/// What one node does in a swap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// What it is part of.
    pub swap_id: i64,
    /// What is done.
    pub kind: Kind,
    /// The machine.
    pub node_id: NodeId,
    /// Its name in the experiment.
    pub vname: Vname,
    /// What the node does.
    pub job: Job,
    /// What nodes run in a swapout; the image of a load or a capture.
    pub command: String,
    /// Where it finds and leaves its files, as it sees it.
    pub directory: String,
    /// The server of these.
    pub file_server: String,
    /// Seconds until it must be up in the MFS.
    pub boot_limit: i64,
    /// Seconds for the work, from then on.
    pub work_limit: i64,
    /// Seconds without progress.
    pub idle_limit: i64,
    /// SHA-256 of its `.meta` when the run was requested; empty without one.
    pub meta_before: String,
    /// What the supervisor has decided.
    pub decision: Decision,
    /// What the node has said.
    pub signs: Signs,
}

/// What the supervisor has decided of a run, and what it has seen of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// How far it is.
    pub state: RunState,
    /// Since when.
    pub entered_at: i64,
    /// How it ended; known from [`RunState::Stopping`] on.
    pub outcome: Option<Outcome>,
    /// Why.
    pub reason: String,
    /// How often it was begun.
    pub attempt: u32,
    /// When it may be begun again.
    pub not_before: i64,
    /// When the machine was turned on for this attempt.
    pub power_at: Option<i64>,
    /// When it was found to be off.
    pub off_at: Option<i64>,
    /// What its heartbeat says.
    pub progress: Progress,
    /// When something in it changed.
    pub progress_at: i64,
}

/// What a node's heartbeat says; bytes as in `.status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The phase.
    pub phase: String,
    /// Read and compared.
    pub scanned: u64,
    /// To read and compare.
    pub total: u64,
    /// Different from the base.
    pub changed: u64,
    /// Written and durable.
    pub written: u64,
}

/// What a node has said by tmcd since it was given its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// SHA-256 of the key, in hexadecimal.
    pub key_digest: Option<String>,
    /// How often it has fetched a script, and with it a key.
    pub boots: u32,
    /// `MFSSETUP`
    pub setup_at: Option<i64>,
    /// `ISUP`
    pub up_at: Option<i64>,
    /// `TBFAILED`
    pub failed_at: Option<i64>,
    /// `startstatus`, as it came.
    pub startstatus: Option<String>,
    /// An operator has seen that the machine is off.
    pub seen_off: bool,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number; later events have larger ones.
    pub id: i64,
    /// In which swap.
    pub swap_id: i64,
    /// In which run, if in one.
    pub run_id: Option<i64>,
    /// When.
    pub at: i64,
    /// `info`, `warning` or `error`.
    pub level: String,
    /// What.
    pub text: String,
}

/// A swap that is to be.
#[derive(Clone, Debug)]
pub struct NewSwap {
    /// What.
    pub kind: Kind,
    /// To what.
    pub experiment: ExperimentId,
    /// Whether a node that fails keeps the experiment as it is.
    pub fail: bool,
    /// What nodes run; the image of a capture.
    pub command: String,
    /// Who wants it.
    pub requested_by: Login,
    /// Its runs.
    pub runs: Vec<NewRun>,
}

/// A run that is to be.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// The machine.
    pub node_id: NodeId,
    /// Its name in the experiment.
    pub vname: Vname,
    /// What it does.
    pub job: Job,
    /// Where its files are, as it sees it.
    pub directory: String,
    /// The server of these.
    pub file_server: String,
    /// Seconds until it must be up, for the work, and without progress.
    pub limits: [u32; 3],
    /// SHA-256 of its `.meta`; empty without one.
    pub meta_before: String,
    /// Why there is nothing to do, if so.
    pub skip: Option<String>,
}

impl Swap {
    /// The experiment.
    pub fn experiment(&self) -> ExperimentId {
        ExperimentId { pid: self.pid.clone(), eid: self.eid.clone() }
    }
}

impl FromRow<'_, AnyRow> for Swap {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            kind: parse(row.try_get("kind")?)?,
            pid: parse(row.try_get("pid")?)?,
            eid: parse(row.try_get("eid")?)?,
            ended: row.try_get::<&str, _>("state")? == "ended",
            fail: row.try_get::<&str, _>("failaction")? == "fail",
            command: row.try_get("command")?,
            requested_by: parse(row.try_get("requested_by")?)?,
            requested_at: row.try_get("requested_at")?,
            ended_at: row.try_get("ended_at")?,
            outcome: row.try_get("outcome")?,
            cancelled: row.try_get::<i64, _>("cancelled")? != 0,
        })
    }
}

impl FromRow<'_, AnyRow> for Run {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let outcome: Option<&str> = row.try_get("outcome")?;
        let decision = Decision {
            state: parse(row.try_get("state")?)?,
            entered_at: row.try_get("entered_at")?,
            outcome: outcome.map(parse).transpose()?,
            reason: row.try_get("reason")?,
            attempt: number(row.try_get("attempt")?)?,
            not_before: row.try_get("not_before")?,
            power_at: row.try_get("power_at")?,
            off_at: row.try_get("off_at")?,
            progress: Progress {
                phase: row.try_get("phase")?,
                scanned: number(row.try_get("scanned")?)?,
                total: number(row.try_get("total")?)?,
                changed: number(row.try_get("changed")?)?,
                written: number(row.try_get("written")?)?,
            },
            progress_at: row.try_get("progress_at")?,
        };
        let signs = Signs {
            key_digest: row.try_get("key_digest")?,
            boots: number(row.try_get("boots")?)?,
            setup_at: row.try_get("setup_at")?,
            up_at: row.try_get("up_at")?,
            failed_at: row.try_get("failed_at")?,
            startstatus: row.try_get("startstatus")?,
            seen_off: row.try_get::<i64, _>("seen_off")? != 0,
        };
        Ok(Self {
            id: row.try_get("id")?,
            swap_id: row.try_get("swap_id")?,
            kind: parse(row.try_get("kind")?)?,
            node_id: parse(row.try_get("node_id")?)?,
            vname: parse(row.try_get("vname")?)?,
            job: parse(row.try_get("job")?)?,
            command: row.try_get("command")?,
            directory: row.try_get("directory")?,
            file_server: row.try_get("file_server")?,
            boot_limit: row.try_get("boot_limit")?,
            work_limit: row.try_get("work_limit")?,
            idle_limit: row.try_get("idle_limit")?,
            meta_before: row.try_get("meta_before")?,
            decision,
            signs,
        })
    }
}

impl FromRow<'_, AnyRow> for Event {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            swap_id: row.try_get("swap_id")?,
            run_id: row.try_get("run_id")?,
            at: row.try_get("at")?,
            level: row.try_get("level")?,
            text: row.try_get("text")?,
        })
    }
}

/// A run's columns, and those of its swap that it needs.
const RUN: &str = "SELECT r.*, s.kind, s.command FROM runs r JOIN swaps s ON s.id = r.swap_id";

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

    /// Asks for a swap to stop; false if it isn't running.
    pub async fn cancel_swap(&self, id: i64) -> sqlx::Result<bool> {
        let query = "UPDATE swaps SET cancelled = 1 WHERE id = $1 AND state = 'running'";
        Ok(sqlx::query(query).bind(id).execute(self.pool()).await?.rows_affected() == 1)
    }

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

    /// An operator has seen that the machine of a run is off; false if it is in none.
    pub async fn note_seen_off(&self, node_id: &NodeId) -> sqlx::Result<bool> {
        let query = "UPDATE runs SET seen_off = 1 WHERE node_id = $1 \
                     AND swap_id IN (SELECT id FROM swaps WHERE state = 'running')";
        let done = sqlx::query(query).bind(node_id.as_str()).execute(self.pool()).await?;
        Ok(done.rows_affected() > 0)
    }

    async fn note(&self, run_id: i64, digest: &str, set: &str, at: i64) -> sqlx::Result<bool> {
        let query = format!("UPDATE runs SET {set} WHERE id = $1 AND key_digest = $2");
        let done = sqlx::query(&query).bind(run_id).bind(digest).bind(at);
        Ok(done.execute(self.pool()).await?.rows_affected() == 1)
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
