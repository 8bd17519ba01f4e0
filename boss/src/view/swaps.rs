//! Swaps, runs and events.

use serde::Serialize;
use utoipa::ToSchema;

use crate::db::{Database, swaps};
use crate::swap::Outcome;
use crate::swap::capture::about;

/// Something that is done to an experiment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Swap {
    /// Its number.
    pub id: i64,
    /// `swapout`, `swapin`, `load` or `capture`.
    pub kind: &'static str,
    /// Project of the experiment.
    pub pid: String,
    /// Name of the experiment.
    pub eid: String,
    /// Whether all of it is over.
    pub ended: bool,
    /// What is done if a node fails: `warn` goes on, `fail` leaves the experiment as it is.
    pub failaction: &'static str,
    /// What nodes run in a swapout; the image of a load or a capture.
    pub command: String,
    /// Who wanted it.
    pub requested_by: String,
    /// When, in seconds since 1970.
    pub requested_at: i64,
    /// When it was over.
    pub ended_at: Option<i64>,
    /// How it ended: `done`, `warned` or `failed`.
    pub outcome: Option<String>,
    /// Whether somebody wants it to stop.
    pub cancelled: bool,
    /// What its nodes do; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs: Option<Vec<Run>>,
}

/// What one node does in a swap.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// The machine.
    pub node_id: String,
    /// Its name in the experiment.
    pub vname: String,
    /// `swapout`, `swapin`, `load` or `capture`.
    pub job: &'static str,
    /// `requested`, `booting`, `in-mfs`, `working`, `verifying`, `stopping`, `ended` or
    /// `released`.
    pub state: &'static str,
    /// Since when, in seconds since 1970.
    pub entered_at: i64,
    /// `done`, `skipped`, `failed` or `timed-out`.
    pub outcome: Option<&'static str>,
    /// Why.
    pub reason: String,
    /// How often it was begun.
    pub attempt: u32,
    /// What the node says of its progress.
    pub progress: Progress,
}

/// What a node's heartbeat says, in bytes.
#[derive(Clone, Debug, Serialize, ToSchema)]
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
    /// When something of it changed last, in seconds since 1970.
    pub at: i64,
}

/// Something that happened.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Event {
    /// Its number; later events have larger ones.
    pub id: i64,
    /// In which swap.
    pub swap_id: i64,
    /// In which run, if in one.
    pub run_id: Option<i64>,
    /// When, in seconds since 1970.
    pub at: i64,
    /// `info`, `warning` or `error`.
    pub level: String,
    /// What.
    pub text: String,
}

impl Swap {
    /// The swap with its runs.
    pub async fn of(db: &Database, swap: &swaps::Swap) -> sqlx::Result<Self> {
        let runs = db.runs(swap.id).await?.iter().map(Run::from).collect();
        Ok(Self { runs: Some(runs), ..Self::from(swap) })
    }
}

impl From<&swaps::Swap> for Swap {
    fn from(swap: &swaps::Swap) -> Self {
        Self {
            id: swap.id,
            kind: swap.kind.name(),
            pid: swap.pid.to_string(),
            eid: swap.eid.to_string(),
            ended: swap.ended,
            failaction: if swap.fail { "fail" } else { "warn" },
            command: about(swap),
            requested_by: swap.requested_by.to_string(),
            requested_at: swap.requested_at,
            ended_at: swap.ended_at,
            outcome: swap.outcome.clone(),
            cancelled: swap.cancelled,
            runs: None,
        }
    }
}

impl From<&swaps::Run> for Run {
    fn from(run: &swaps::Run) -> Self {
        let swaps::Decision { state, entered_at, outcome, attempt, progress, .. } = &run.decision;
        Self {
            id: run.id,
            node_id: run.node_id.to_string(),
            vname: run.vname.to_string(),
            job: run.job.name(),
            state: state.name(),
            entered_at: *entered_at,
            outcome: outcome.map(Outcome::name),
            reason: run.decision.reason.clone(),
            attempt: *attempt,
            progress: Progress {
                phase: progress.phase.clone(),
                scanned: progress.scanned,
                total: progress.total,
                changed: progress.changed,
                written: progress.written,
                at: run.decision.progress_at,
            },
        }
    }
}

impl From<swaps::Event> for Event {
    fn from(event: swaps::Event) -> Self {
        let swaps::Event { id, swap_id, run_id, at, level, text } = event;
        Self { id, swap_id, run_id, at, level, text }
    }
}
