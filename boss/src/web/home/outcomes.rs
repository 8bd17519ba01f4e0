//! What of the last days did not end well and is not mended yet.

use std::collections::{HashMap, HashSet};

use super::problem::{Level, Problem, names};
use crate::db::experiments::Experiment;
use crate::db::now;
use crate::db::swaps::{Run, Swap, Wanted};
use crate::experiment::swaps::Swaps;
use crate::names::ExperimentId;
use crate::server::Boss;
use crate::swap::capture::about;
use crate::swap::{Kind, Outcome};
use crate::web::guard::Visitor;
use crate::web::trouble::Trouble;

/// What is older has been seen, or is forgotten.
const DAYS: i64 = 14;
/// More swaps aren't looked at.
const MOST: u32 = 500;

pub(super) async fn problems(
    boss: &Boss,
    visitor: &Visitor,
    running: &[Swap],
    experiments: &[Experiment],
) -> Result<Vec<Problem>, Trouble> {
    let there: HashMap<ExperimentId, &Experiment> =
        experiments.iter().map(|experiment| (experiment.id(), experiment)).collect();
    let wanted = Wanted {
        running: false,
        of_member: None,
        experiment: None,
        before: i64::MAX,
        since: now().saturating_sub(DAYS * 24 * 3600),
        most: MOST,
    };
    let ended = Swaps { boss, actor: &visitor.actor }.list(wanted).await?;
    let busy: HashSet<ExperimentId> = running.iter().map(Swap::experiment).collect();
    let mut problems = Vec::new();
    for swap in last_of_each(ended, &busy) {
        let Some(experiment) = there.get(&swap.experiment()) else { continue };
        let runs = boss.db.runs(swap.id).await?;
        let found = match swap.outcome.as_deref() {
            Some("done") if swap.kind == Kind::Swapout => {
                unsaved(boss, &swap, experiment, &runs).await?
            }
            Some("done") => None,
            // That it stopped was wanted.
            _ if swap.cancelled && swap.kind != Kind::Load => None,
            _ => Some(failed(&swap, &runs)),
        };
        problems
            .extend(found.map(|problem| problem.link(format!("/swaps/{}", swap.id), "The swap")));
    }
    Ok(problems)
}

/// Of each experiment the last swapout or swapin, the last load since, and the last capture: what
/// was before is mended by them. Nothing of experiments of which something goes on.
fn last_of_each(ended: Vec<Swap>, busy: &HashSet<ExperimentId>) -> Vec<Swap> {
    let mut seen = HashSet::new();
    let mut last = Vec::new();
    for swap in ended {
        let id = swap.experiment();
        let class = match swap.kind {
            Kind::Swapout | Kind::Swapin => Kind::Swapin,
            other => other,
        };
        let is_past = class == Kind::Load && seen.contains(&(id.clone(), Kind::Swapin));
        if seen.insert((id.clone(), class)) && !is_past && !busy.contains(&id) {
            last.push(swap);
        }
    }
    last
}

/// What has failed, and what is to be done then.
fn failed(swap: &Swap, runs: &[Run]) -> Problem {
    let is_bad =
        |run: &&Run| matches!(run.decision.outcome, Some(Outcome::Failed | Outcome::TimedOut));
    let bad = names(runs.iter().filter(is_bad).map(|run| run.vname.as_str()));
    let why = runs.iter().find(is_bad).map_or("", |run| run.decision.reason.as_str());
    let (id, colon) = (swap.experiment(), if why.is_empty() { "" } else { ": " });
    let page = format!("/experiments/{id}");
    match swap.kind {
        Kind::Swapout if swap.outcome.as_deref() == Some("warned") => Problem::new(
            Level::Now,
            format!("{id} was swapped out, but not all was saved ({bad}){colon}{why}"),
            "The machines were given back all the same. What was not saved is on their disks until \
             somebody else gets them: the testbed's operators can keep a machine out of service \
             until that is sorted out. The next swapin begins with what was saved before, or with \
             the image.",
        )
        .link(page, "The experiment"),
        Kind::Swapout => Problem::new(
            Level::Soon,
            format!("{id} could not be swapped out ({bad}){colon}{why}"),
            "It is still swapped in, and nothing is lost. Mend that, and swap it out again.",
        )
        .link(page, "The experiment"),
        Kind::Swapin => Problem::new(
            Level::Soon,
            format!("{id} could not be swapped in ({bad}){colon}{why}"),
            "It is still swapped out, and what was saved is as it was. Mend that, and swap it in \
             again.",
        )
        .link(page, "The experiment"),
        Kind::Load => Problem::new(
            Level::Soon,
            format!("{bad} of {id} was not loaded with {}{colon}{why}", swap.command),
            "If the load had begun, the machine stays off, with a part of the image: load it again.",
        )
        .link(page, "The experiment"),
        Kind::Capture => Problem::new(
            Level::Sometime,
            format!("{} was not made of {bad} of {id}{colon}{why}", about(swap)),
            "The node goes on as it was. Mend that, and capture it again.",
        )
        .link(page, "The experiment"),
    }
}

/// Disks that the experiment wants to be saved, and that were left out.
async fn unsaved(
    boss: &Boss,
    swap: &Swap,
    experiment: &Experiment,
    runs: &[Run],
) -> Result<Option<Problem>, Trouble> {
    if !experiment.savedisk || experiment.firewalled {
        return Ok(None);
    }
    let id = swap.experiment();
    let wanted = boss.db.wanted_nodes(&id).await?;
    let is_node =
        |run: &Run| wanted.iter().any(|node| node.vname == run.vname && node.erole == "node");
    let left_out: Vec<&Run> = runs
        .iter()
        .filter(|run| run.decision.outcome == Some(Outcome::Skipped) && is_node(run))
        .collect();
    let Some(first) = left_out.first() else { return Ok(None) };
    let bad = names(left_out.iter().map(|run| run.vname.as_str()));
    let what = format!("{id} wants its disks saved, but {bad} was not: {}", first.decision.reason);
    let todo = "The machines were given back. The next swapin begins with what was saved before, or \
                with the image. Before the next swapout, see to it on the experiment's page that \
                its nodes have what they need to be saved.";
    Ok(Some(
        Problem::new(Level::Now, what, todo).link(format!("/experiments/{id}"), "The experiment"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn swap(id: i64, eid: &str, kind: Kind) -> Swap {
        Swap {
            id,
            kind,
            pid: "testbed".parse().unwrap(),
            eid: eid.parse().unwrap(),
            ended: true,
            fail: false,
            command: String::new(),
            requested_by: "mike".parse().unwrap(),
            requested_at: id,
            ended_at: Some(id),
            outcome: Some("failed".to_owned()),
            cancelled: false,
        }
    }

    #[test]
    fn what_came_later_mends() {
        let ended = vec![
            swap(9, "one", Kind::Capture),
            swap(8, "one", Kind::Swapin),
            swap(7, "one", Kind::Load),
            swap(6, "one", Kind::Swapout),
            swap(5, "two", Kind::Load),
            swap(4, "two", Kind::Swapin),
            swap(3, "two", Kind::Load),
            swap(2, "three", Kind::Swapout),
        ];
        let busy = HashSet::from([swap(0, "three", Kind::Swapin).experiment()]);
        let ids: Vec<i64> = last_of_each(ended, &busy).iter().map(|swap| swap.id).collect();
        assert_eq!(ids, [9, 8, 5, 4]);
    }
}
