//! Swaps, the runs of their nodes, and what happened in them.
//!
//! A run's row has two writers: the supervisor, which owns the swap for some seconds at a time and
//! writes what it decides ([`Database::decide`](super::Database::decide)), and whoever hears something from the node, which
//! writes only that ([`Database::note_setup`](super::Database::note_setup) and those beside it).

mod find;
mod heard;
mod request;
mod supervise;

use sqlx::any::AnyRow;
use sqlx::{FromRow, Row};

pub use find::Wanted;

use super::{number, parse};
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

impl Run {
    /// Whether it goes on only when its machine is known to be off, which its driver can't bring
    /// about: then there is a warning, the last of the run, since it began to be turned off.
    pub fn waits_for_off(&self, warning: &Event) -> bool {
        let Decision { state, entered_at, off_at, .. } = &self.decision;
        matches!(state, RunState::Stopping | RunState::Ended)
            && off_at.is_none()
            && !self.signs.seen_off
            && warning.at >= *entered_at
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
