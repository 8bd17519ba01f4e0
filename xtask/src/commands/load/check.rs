//! Whether every node came to what it should.

use boss::db::swaps::Run;
use boss::swap::Outcome;
use std::time::SystemTime;
use xtask::fleet::{Behaviour, Did, Fleet, SimNode, Summary};

/// What is wrong with how a node's run ended. A node that is good must not be disturbed, either.
pub(super) fn run(node: &SimNode, runs: &[Run], expected: Outcome, good: bool) -> Vec<String> {
    let mut complaints = Vec::new();
    let node_id = node.node_id();
    let Some(run) = runs.iter().find(|run| run.node_id == *node_id) else {
        return vec![format!("{node_id} was in no swap")];
    };
    let decision = &run.decision;
    if decision.outcome != Some(expected) {
        let is = decision.outcome.map_or("none", Outcome::name);
        let reason = &decision.reason;
        complaints.push(format!("{node_id}: {is} instead of {expected}: {reason}"));
    }
    if good && decision.attempt > 1 {
        complaints.push(format!("{node_id} is good and was begun {} times", decision.attempt));
    }
    for event in node.events() {
        if let (true, Did::Fault(why)) = (good, event.did) {
            complaints.push(format!("{node_id}: {why}"));
        }
    }
    complaints
}

/// Whether a node was off before it was given back, and still is.
pub(super) fn given_back(node: &SimNode, runs: &[Run]) -> Option<String> {
    let run = runs.iter().find(|run| run.node_id == *node.node_id())?;
    let Some(off) = node.off_since() else {
        return Some(format!("{} was given back, and is on", node.node_id()));
    };
    let off = off.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let late = i64::try_from(off).is_ok_and(|off| off > run.decision.entered_at);
    late.then(|| format!("{} was given back before it was off", node.node_id()))
}

/// How long it took boss, after a good node had said how it ended, to look at what it has left and to
/// have it turned off.
pub(super) fn reactions(fleet: &Fleet) -> Summary {
    let mut times = Vec::new();
    for node in fleet.nodes() {
        // Others may have to wait for their next turn.
        if node.behaviour() != Behaviour::Good {
            continue;
        }
        let events = node.events();
        for pair in events.windows(2) {
            if let [said, off] = pair
                && matches!(said.did, Did::Startstatus(_))
                && matches!(off.did, Did::Off { .. })
            {
                times.push(off.at.duration_since(said.at));
            }
        }
    }
    Summary::of(&times)
}
