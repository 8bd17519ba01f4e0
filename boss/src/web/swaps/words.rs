//! What is said of swaps and runs. Nothing is called saved before boss has read it again and found
//! it right; before that it is the node that says so.

use crate::db::swaps::{Run, Swap};
use crate::swap::command::Command;
use crate::swap::{Kind, Outcome, RunState};

/// Words for a badge, and how it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Badge {
    pub(crate) text: &'static str,
    /// A class of `boss.css`; none for what is neither good nor bad.
    pub(crate) mark: &'static str,
}

const fn badge(text: &'static str, mark: &'static str) -> Badge {
    Badge { text, mark }
}

/// What a swap is called.
pub(crate) const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Swapout => "Swapout",
        Kind::Swapin => "Swapin",
        Kind::Load => "Load",
        Kind::Capture => "Capture",
    }
}

/// How a swap is.
pub(crate) fn of_swap(swap: &Swap) -> Badge {
    match (swap.ended, swap.outcome.as_deref()) {
        (false, _) if swap.cancelled => badge("is being cancelled", "warn"),
        (false, _) => badge("goes on", "busy"),
        (true, Some("done")) => badge("done", "good"),
        (true, Some("warned")) => badge("not all saved", "bad"),
        (true, _) if swap.cancelled => badge("cancelled", "warn"),
        (true, _) => badge("failed", "bad"),
    }
}

/// How a run is.
pub(super) fn of_run(run: &Run) -> Badge {
    let saves = Command::parse(&run.command).saves();
    let Some(outcome) = run.decision.outcome else {
        let state = run.decision.state;
        return badge(state.describe(run.kind), if state.is_active() { "busy" } else { "" });
    };
    match (outcome, run.kind) {
        (Outcome::Done, Kind::Swapout) if !saves => badge("ready", "good"),
        (Outcome::Done, Kind::Swapout) => badge("saved and checked", "good"),
        (Outcome::Done, Kind::Swapin | Kind::Load) => badge("loaded and checked", "good"),
        (Outcome::Done, Kind::Capture) => badge("captured and checked", "good"),
        (Outcome::Skipped, Kind::Swapout) => badge("not saved", ""),
        (Outcome::Skipped, _) => badge("skipped", ""),
        (Outcome::Failed | Outcome::TimedOut, Kind::Swapout) if !saves => badge("failed", "bad"),
        (Outcome::Failed | Outcome::TimedOut, Kind::Swapout) => badge("NOT saved", "bad"),
        (Outcome::Failed | Outcome::TimedOut, Kind::Swapin | Kind::Load) => {
            badge("NOT loaded", "bad")
        }
        (Outcome::Failed | Outcome::TimedOut, Kind::Capture) => badge("NOT captured", "bad"),
    }
}

/// What happens to a node now.
pub(super) fn doing(run: &Run) -> &'static str {
    let decision = &run.decision;
    match (decision.state, decision.outcome) {
        (RunState::Requested, _) if decision.attempt > 1 => {
            "An attempt has failed. It begins anew after a pause."
        }
        (RunState::Requested, _) => {
            "It waits for its turn: only so many nodes may work with a file server at once."
        }
        (RunState::Booting, _) => booting(run),
        (RunState::InMfs, _) => "It is up in the MFS, and prepares its work.",
        (RunState::Working, _) => match run.kind {
            Kind::Swapout | Kind::Capture => "It reads its disk and writes what has to be saved.",
            Kind::Swapin | Kind::Load => "It writes to its disk, and reads that back.",
        },
        (RunState::Verifying, _) if run.signs.startstatus.as_deref() == Some("0") => {
            match run.kind {
                Kind::Swapout if !Command::parse(&run.command).saves() => {
                    "The node says that it is ready. No disk is saved by its command."
                }
                Kind::Swapout => {
                    "The node says that it has saved its disk. Boss is checking what it has \
                     written; it counts as saved only after that."
                }
                Kind::Capture => {
                    "The node says that it has made the image. Boss is checking what it has \
                     written; it counts only after that."
                }
                Kind::Swapin | Kind::Load => {
                    "The node says that it has loaded its disk. Boss is checking that."
                }
            }
        }
        (RunState::Verifying, _) => "The node reads what it has written once more, and compares.",
        (RunState::Stopping, _) => "The machine is being turned off.",
        (RunState::Ended, _) => "Its work is over. It waits until that of all nodes is.",
        (RunState::Released, _) => "",
    }
}

fn booting(run: &Run) -> &'static str {
    let signs = &run.signs;
    match run.decision.power_at {
        None if matches!(run.kind, Kind::Swapout | Kind::Capture) => {
            "The node's own system is asked to end. Then the machine starts from the network."
        }
        None => "The machine is being started from the network.",
        Some(_) if signs.boots == 0 => {
            "The machine is on. It has not asked for its boot script yet."
        }
        Some(_) if signs.setup_at.is_none() => "It has its boot script, and starts the MFS.",
        Some(_) => "The MFS runs, and gets its network ready.",
    }
}

/// What has become of a node that did not do what it should, and what is to be done.
pub(super) fn advice(swap: &Swap, run: &Run) -> &'static str {
    let failed = matches!(run.decision.outcome, Some(Outcome::Failed | Outcome::TimedOut));
    if !failed {
        return "";
    }
    let saves = Command::parse(&run.command).saves();
    match (swap.kind, swap.ended, swap.outcome.as_deref()) {
        (Kind::Swapout, ..) if !saves => "Its disk was not to be saved.",
        (Kind::Swapout, true, Some("warned")) if run.meta_before.is_empty() => {
            "This disk was NOT saved, and the machine was given back. No earlier swapout had saved \
             it: the next swapin begins with its image. What was changed is on the machine's disk \
             until somebody else gets the machine: if you need it, tell the testbed's operators \
             the machine's name at once."
        }
        (Kind::Swapout, true, Some("warned")) => {
            "This disk was NOT saved, and the machine was given back. An earlier swapout had saved \
             it, and the next swapin brings that back, if it is still whole. What was changed \
             since is on the machine's disk until somebody else gets the machine: if you need it, \
             tell the testbed's operators the machine's name at once."
        }
        (Kind::Swapout, true, _) => {
            "This disk was NOT saved. The experiment stays swapped in and keeps the machine with \
             its disk as it is: mend what is said above, and swap out again."
        }
        (Kind::Swapout, false, _) if swap.fail || swap.cancelled => {
            "This disk was NOT saved. The experiment keeps the machine when the other nodes are \
             ready."
        }
        (Kind::Swapout, false, _) => {
            "This disk was NOT saved. Cancel the swapout now, and the experiment keeps all its \
             machines; else this one is given back when the other nodes are ready."
        }
        (Kind::Swapin, ..) => {
            "The machine goes back when all nodes are ready, and the experiment stays swapped out. \
             What was saved is as it was: mend what is said above, and swap in again."
        }
        (Kind::Load, ..) if run.decision.off_at.is_some() => {
            "The disk may hold a part of the image only. The machine stays the experiment's, turned \
             off: load it again."
        }
        (Kind::Load, ..) => "The disk is as it was, and the node goes on: load it again.",
        (Kind::Capture, ..) => "No image was made. The node goes on with its disk as it was.",
    }
}

/// How a swap that is over ended.
pub(super) fn ending(swap: &Swap, runs: &[&Run]) -> &'static str {
    let count = |outcome| runs.iter().filter(|run| run.decision.outcome == Some(outcome)).count();
    let done = swap.outcome.as_deref() == Some("done");
    match (swap.kind, done) {
        (Kind::Swapout, true)
            if !Command::parse(&swap.command).saves() || count(Outcome::Done) == 0 =>
        {
            "The experiment is swapped out. No disk was saved."
        }
        (Kind::Swapout, true) if count(Outcome::Skipped) > 0 => {
            "The experiment is swapped out. Some of its disks are saved and checked; others were \
             not to be saved, as is said below."
        }
        (Kind::Swapout, true) => {
            "The experiment is swapped out. All its disks are saved, and boss has checked them."
        }
        (Kind::Swapout, false) if swap.outcome.as_deref() == Some("warned") => {
            "Not all disks were saved, and the experiment is swapped out all the same, as this site \
             wants it."
        }
        (Kind::Swapout, false) => {
            "The experiment is still swapped in, with all its machines. Nothing on their disks is \
             lost."
        }
        (Kind::Swapin, true) => "The experiment is swapped in, and its machines start.",
        (Kind::Swapin, false) => {
            "The experiment is still swapped out, and no machine is its. What was saved is as it \
             was."
        }
        (Kind::Load, true) => "The disk is loaded, and the machine starts.",
        (Kind::Load, false) => "The disk was not loaded.",
        (Kind::Capture, true) => "The image is made, and boss has checked it.",
        (Kind::Capture, false) => "No image was made.",
    }
}

/// What is lost if a swap is cancelled.
pub(super) const fn lost(kind: Kind) -> &'static str {
    match kind {
        Kind::Swapout => {
            "Machines that are at work are turned off at once, and what they were saving is not \
             saved. The experiment then stays swapped in, with all its machines, and their disks \
             are as they are. What earlier swapouts saved stays, also of nodes that were ready \
             already: of these it is the new state."
        }
        Kind::Swapin => {
            "Machines that are at work are turned off at once, and all are given back. The \
             experiment then stays swapped out. What was saved stays as it is."
        }
        Kind::Load => {
            "The machine is turned off at once. If it has begun to write, its disk holds a part of \
             the image only and can't be started: what was on it is lost, and it has to be loaded \
             again."
        }
        Kind::Capture => {
            "The machine is turned off at once, then starts from its own disk, which stays as it \
             is. No image is made."
        }
    }
}
