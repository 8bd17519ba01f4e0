//! What comes next in a run: decided from its row and from what was seen of it, by functions that do
//! nothing else. Whoever calls them writes the decision down before acting on it, so a boss that
//! starts again goes on where the last one was.
//!
//! ```text
//! requested ── turn ──> booting ── ISUP ──> in-mfs ── heartbeat ──> working ──> verifying
//!     ^                    │                   │                       │            │
//!     └── again, later ────┴───────────────────┴─── lost, transient ───┘            │ boss has
//!                          │                   │                       │            │ checked
//!                          └── failed, timed out, cancelled ───────────┴─> stopping <┘
//!                                                            confirmed off ──> ended ──> released
//! ```
//!
//! A node may still be at work until it is confirmed to be off: there is no other way from
//! `stopping` to `ended`, and none from `ended` to another user.

use crate::db::swaps::{Progress, Run};
use crate::swap::{Kind, Outcome, RunState};

/// How often and how fast things are tried again.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How often a run is begun at most.
    pub attempts: u32,
    /// Seconds before the second attempt; they double each time.
    pub backoff: u32,
}

/// What was seen of a run since the last look.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The time.
    pub now: i64,
    /// Whether its file server has room for one more node.
    pub turn: bool,
    /// Whether somebody wants the swap to stop.
    pub cancelled: bool,
    /// How the last [`Action`] ended, if it has since.
    pub acted: Option<(Action, Result<(), ActionError>)>,
    /// What the node's heartbeat says, if there is a new one.
    pub progress: Option<Progress>,
    /// The error that it tells of.
    pub error: Option<String>,
    /// Whether that is known, or won't be.
    pub error_is_known: bool,
}

/// What is to be done for a run. All of them may be done again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Have the node shut down if it runs its own system, and boot from the network.
    BootMfs,
    /// Look whether what the node has written is whole, and new.
    Check,
    /// Turn the node off, and make sure that it is.
    TurnOff,
    /// Take the node from the experiment. It is off.
    GiveBack,
    /// Have the node boot from its own disk.
    BootDisk,
}

/// Why an action didn't succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionError {
    /// Why.
    pub why: String,
    /// Whether trying again is of no use.
    pub is_final: bool,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Stay,
    /// Another state.
    Enter(RunState),
    /// The outcome is known; the node is turned off.
    Stop(Outcome, String),
    /// The outcome is known, and the node was never touched.
    End(Outcome, String),
    /// From the beginning, for this reason.
    Again(String),
}

/// What becomes of a node whose run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is given back.
    GivenBack,
    /// Its user goes on with it.
    Kept,
    /// It stays the experiment's, turned off: its disk is not what it should be.
    LeftOff,
}

/// What a run needs done now, if anything. `fate` is known once all runs of the swap have ended.
pub fn wanted(run: &Run, fate: Option<Fate>) -> Option<Action> {
    let decision = &run.decision;
    match decision.state {
        RunState::Booting if decision.power_at.is_none() => Some(Action::BootMfs),
        RunState::Verifying if status(run) == Some(Status::Success) => Some(Action::Check),
        RunState::Stopping => Some(Action::TurnOff),
        RunState::Ended => match fate? {
            Fate::GivenBack if decision.off_at.is_none() => Some(Action::TurnOff),
            Fate::GivenBack => Some(Action::GiveBack),
            // Its user's system runs.
            Fate::Kept if decision.off_at.is_none() && run.kind != Kind::Swapin => None,
            Fate::Kept => Some(Action::BootDisk),
            Fate::LeftOff => None,
        },
        _ => None,
    }
}

/// What becomes of the nodes of a swap, if all its runs have ended. `fail`: a node that failed keeps
/// the experiment as it was.
pub fn fate(kind: Kind, fail: bool, cancelled: bool, run: &Run, all: &[&Run]) -> Option<Fate> {
    let over = |run: &&Run| matches!(run.decision.state, RunState::Ended | RunState::Released);
    if !all.iter().all(over) {
        return None;
    }
    let good = succeeded(all);
    Some(match kind {
        Kind::Swapout if (fail || cancelled) && !good => Fate::Kept,
        Kind::Swapin if good => Fate::Kept,
        Kind::Swapout | Kind::Swapin => Fate::GivenBack,
        Kind::Load if run.decision.outcome == Some(Outcome::Done) => Fate::Kept,
        // Before it was booted into the MFS its disk is as it was.
        Kind::Load if run.decision.off_at.is_none() => Fate::Kept,
        Kind::Load => Fate::LeftOff,
        Kind::Capture => Fate::Kept,
    })
}

/// Whether all runs did what they should, or had nothing to do.
pub fn succeeded(runs: &[&Run]) -> bool {
    runs.iter().all(|run| matches!(run.decision.outcome, Some(Outcome::Done | Outcome::Skipped)))
}

/// What comes next in a run.
pub fn step(run: &Run, seen: &Seen, policy: Policy) -> Step {
    let decision = &run.decision;
    match decision.state {
        // It may still be in the MFS, and at work.
        RunState::Requested if seen.cancelled && decision.attempt > 1 => {
            Step::Stop(Outcome::Failed, "cancelled before another attempt".to_owned())
        }
        RunState::Requested if seen.cancelled => {
            Step::End(Outcome::Failed, "cancelled before it began".to_owned())
        }
        RunState::Requested if seen.turn && seen.now >= decision.not_before => {
            Step::Enter(RunState::Booting)
        }
        RunState::Booting => boot(run, seen, policy),
        RunState::InMfs | RunState::Working | RunState::Verifying => work(run, seen, policy),
        RunState::Stopping if succeeded_in(seen, Action::TurnOff) => Step::Enter(RunState::Ended),
        RunState::Ended
            if succeeded_in(seen, Action::GiveBack) || succeeded_in(seen, Action::BootDisk) =>
        {
            Step::Enter(RunState::Released)
        }
        _ => Step::Stay,
    }
}

fn boot(run: &Run, seen: &Seen, policy: Policy) -> Step {
    if seen.cancelled {
        return Step::Stop(Outcome::Failed, "cancelled while the node booted".to_owned());
    }
    match &seen.acted {
        Some((Action::BootMfs, Err(error))) if error.is_final => {
            return Step::Stop(Outcome::Failed, error.why.clone());
        }
        Some((Action::BootMfs, Err(error))) => {
            return again(run, Outcome::Failed, error.why.clone(), policy);
        }
        _ => {}
    }
    let Some(power_at) = run.decision.power_at else { return Step::Stay };
    if run.signs.failed_at.is_some() {
        let why = "the node could not get up in the MFS; its log tells why".to_owned();
        return again(run, Outcome::Failed, why, policy);
    }
    if run.signs.up_at.is_some() {
        return Step::Enter(RunState::InMfs);
    }
    if seen.now.saturating_sub(power_at) <= run.boot_limit {
        return Step::Stay;
    }
    let far = match (run.signs.boots, run.signs.setup_at) {
        (0, _) => "it has not asked for its boot script; does it boot from the network?",
        (_, None) => "it has its boot script, but the MFS has not said that it runs",
        (_, Some(_)) => "the MFS runs, but has not said that it is up",
    };
    let why = format!("the node was not up in the MFS after {} s: {far}", run.boot_limit);
    again(run, Outcome::TimedOut, why, policy)
}

fn work(run: &Run, seen: &Seen, policy: Policy) -> Step {
    let decision = &run.decision;
    if let Some((Action::Check, checked)) = &seen.acted {
        return match checked {
            Ok(()) => Step::Stop(Outcome::Done, String::new()),
            Err(error) if error.is_final => Step::Stop(Outcome::Failed, error.why.clone()),
            Err(error) => {
                // The file server may be away for a while; not for ever.
                let late = seen.now.saturating_sub(decision.entered_at) > run.work_limit;
                if !late && !seen.cancelled {
                    return Step::Stay;
                }
                let why = format!("what it has done could not be looked at: {}", error.why);
                Step::Stop(Outcome::Failed, why)
            }
        };
    }
    match status(run) {
        Some(Status::Success) if decision.state == RunState::Verifying => return Step::Stay,
        Some(Status::Success) => return Step::Enter(RunState::Verifying),
        // What happened is said in the node's files, some moments later.
        Some(Status::Code(_)) if !seen.error_is_known => return Step::Stay,
        Some(Status::Code(code)) => {
            let why = failure(code, seen.error.as_deref());
            return if is_transient(code) {
                again(run, Outcome::Failed, why, policy)
            } else {
                Step::Stop(Outcome::Failed, why)
            };
        }
        Some(Status::Garbage(text)) => {
            let why = format!("the node says {text:?} instead of an exit status");
            return Step::Stop(Outcome::Failed, why);
        }
        None => {}
    }
    if seen.cancelled {
        return Step::Stop(Outcome::Failed, "cancelled".to_owned());
    }
    let Some(up_at) = run.signs.up_at else {
        // It has fetched another script, and with that another key.
        return again(
            run,
            Outcome::Failed,
            "the node has started again by itself".to_owned(),
            policy,
        );
    };
    if run.signs.failed_at.is_some() {
        let why = "the node gave up in the MFS; its log tells why".to_owned();
        return Step::Stop(Outcome::Failed, why);
    }
    if seen.now.saturating_sub(up_at) > run.work_limit {
        let why = format!("not ready {} s after the node was up", run.work_limit);
        return Step::Stop(Outcome::TimedOut, why);
    }
    let moved = if seen.progress.is_some() { seen.now } else { decision.progress_at.max(up_at) };
    if seen.now.saturating_sub(moved) > run.idle_limit {
        let why = format!("no progress for {} s", run.idle_limit);
        return Step::Stop(Outcome::TimedOut, why);
    }
    let phase = seen.progress.as_ref().map_or(decision.progress.phase.as_str(), |p| &p.phase);
    match (decision.state, phase) {
        (RunState::InMfs, "prepare" | "save" | "load") => Step::Enter(RunState::Working),
        (RunState::InMfs | RunState::Working, "verify" | "publish") => {
            Step::Enter(RunState::Verifying)
        }
        _ => Step::Stay,
    }
}

/// From the beginning, if it was not tried too often.
fn again(run: &Run, outcome: Outcome, why: String, policy: Policy) -> Step {
    if run.decision.attempt < policy.attempts {
        return Step::Again(why);
    }
    let tries = if policy.attempts == 1 {
        String::new()
    } else {
        format!(" (tried {} times)", policy.attempts)
    };
    Step::Stop(outcome, why + &tries)
}

/// The pause before the attempt after number `attempt`, in seconds; an hour at most.
pub fn pause(attempt: u32, policy: Policy) -> i64 {
    let doubled = attempt.saturating_sub(1).min(12);
    (i64::from(policy.backoff) << doubled).min(3600)
}

fn succeeded_in(seen: &Seen, action: Action) -> bool {
    matches!(&seen.acted, Some((done, Ok(()))) if *done == action)
}

/// What a node said its command ended with.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Status<'a> {
    Success,
    Code(u32),
    Garbage(&'a str),
}

/// Nothing but `0` is a success: not an empty text, not a word.
fn status(run: &Run) -> Option<Status<'_>> {
    let text = run.signs.startstatus.as_deref()?;
    Some(match text.parse() {
        Ok(0) => Status::Success,
        Ok(code) => Status::Code(code),
        Err(_) => Status::Garbage(text),
    })
}

/// Errors of the network, of mounts and of boss: another attempt may find them mended.
fn is_transient(code: u32) -> bool {
    matches!(code, 22 | 23 | 38)
}

fn failure(code: u32, error: Option<&str>) -> String {
    match (code, error) {
        (_, Some(error)) => format!("exit status {code}: {error}"),
        (666, None) => "exit status 666: the MFS could not start the command".to_owned(),
        (129..=192, None) => format!("exit status {code}: killed by signal {}", code - 128),
        (_, None) => format!("exit status {code}; the log of the node tells more"),
    }
}

#[cfg(test)]
mod tests;
