//! The first page: what needs somebody, before all else.

mod doctor;
mod machines;
mod outcomes;
mod problem;

use std::collections::HashSet;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};

use self::problem::{Level, Problem};
use super::guard::Visitor;
use super::page::{Page, Part, show};
use super::trouble::Trouble;
use crate::db::experiments::Experiment;
use crate::db::swaps::{Swap, Wanted};
use crate::experiment::manage::Experiments;
use crate::experiment::overview::{is_stuck, mend_stuck};
use crate::experiment::swaps::Swaps;
use crate::server::Boss;
use crate::swap::why_not_off;

/// More swaps that go on aren't shown.
const MOST_RUNNING: u32 = 100;
/// More problems aren't shown: those that are urgent come first.
const MOST_PROBLEMS: usize = 50;
/// More experiments of one's own aren't shown.
const MOST_OWN: usize = 12;
/// How often a browser without JavaScript loads the page, in seconds, while something goes on.
const REFRESH: u32 = 15;

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    page: Page,
    problems: Vec<Problem>,
    /// How many more there are.
    further: usize,
    running: Vec<Swap>,
    own: Vec<Experiment>,
    /// Whether there are more of one's own.
    more: bool,
}

pub(super) fn router() -> Router<Arc<Boss>> {
    Router::new().route("/", get(home)).route("/doctor", post(doctor::examined))
}

async fn home(State(boss): State<Arc<Boss>>, visitor: Visitor) -> Result<Response, Trouble> {
    let swaps = Swaps { boss: &boss, actor: &visitor.actor };
    let running = Wanted {
        running: true,
        of_member: None,
        experiment: None,
        before: i64::MAX,
        since: 0,
        most: MOST_RUNNING,
    };
    let running = swaps.list(running).await?;
    let experiments = Experiments { db: &boss.db, layout: &boss.layout, actor: &visitor.actor };
    let experiments = experiments.list().await?;
    let mut problems = waiting(&boss, &visitor, &running).await?;
    problems.extend(stuck(&boss, &visitor, &experiments).await?);
    problems.extend(outcomes::problems(&boss, &visitor, &running, &experiments).await?);
    if visitor.actor.user.admin {
        problems.extend(machines::problems(&boss).await?);
    }
    problems.sort_by_key(|problem| problem.level);
    let further = problems.len().saturating_sub(MOST_PROBLEMS);
    problems.truncate(MOST_PROBLEMS);
    let mut page = Page::of(&boss, &visitor, Part::Home, "Overview").await?;
    if !running.is_empty() {
        page.refresh = REFRESH;
    }
    let me = &visitor.actor.user.login;
    let mut own = experiments;
    own.retain(|experiment| experiment.creator == *me || experiment.swapper == *me);
    let more = own.len() > MOST_OWN;
    own.truncate(MOST_OWN);
    show(&Home { page, problems, further, running, own, more })
}

/// Experiments that count as being swapped, and of which no swap goes on.
async fn stuck(
    boss: &Boss,
    visitor: &Visitor,
    experiments: &[Experiment],
) -> Result<Vec<Problem>, Trouble> {
    let mut problems = Vec::new();
    for experiment in experiments {
        // Whether it is at all, before it is asked for its swap.
        if !is_stuck(experiment, None) {
            continue;
        }
        let id = experiment.id();
        if is_stuck(experiment, boss.db.swaps_of(&id, 1).await?.first()) {
            let what = format!("{id} is {}, but no swap of it goes on.", experiment.state.name());
            let problem = Problem::new(Level::Now, what, mend_stuck(visitor.actor.user.admin));
            problems.push(problem.link(format!("/experiments/{id}"), "The experiment"));
        }
    }
    Ok(problems)
}

/// What swaps that go on wait for.
async fn waiting(
    boss: &Boss,
    visitor: &Visitor,
    running: &[Swap],
) -> Result<Vec<Problem>, Trouble> {
    let mut problems = Vec::new();
    let ids: HashSet<i64> = running.iter().map(|swap| swap.id).collect();
    for run in boss.db.runs_to_be_off().await? {
        let warning = boss.db.last_warning(run.id).await?;
        let Some(warning) = warning.filter(|warning| run.waits_for_off(warning)) else { continue };
        let (swap, node_id) = (run.swap_id, &run.node_id);
        if !ids.contains(&swap) {
            continue;
        }
        let why = why_not_off(&warning.text);
        let what = format!("{node_id} may still be on: {why}");
        let problem = if visitor.actor.user.admin {
            let todo = format!(
                "Look at the machine, and turn it off by hand. Then say so: the {} waits for that.",
                run.kind
            );
            Problem::new(Level::Now, what, todo)
                .link(format!("/swaps/{swap}/off/{node_id}"), "I have seen that it is off")
                .link(format!("/swaps/{swap}"), "The swap")
        } else {
            let todo =
                "Nothing goes on with it before that is known. Tell the testbed's operators.";
            Problem::new(Level::Now, what, todo).link(format!("/swaps/{swap}"), "The swap")
        };
        problems.push(problem);
    }
    for swap in running {
        if boss.db.is_forsaken(swap).await? {
            let what = format!(
                "No boss looks after the {} of {}: nothing goes on.",
                swap.kind,
                swap.experiment()
            );
            let todo = "A server has to run with this data base. It may have stopped a \
                        moment ago; if this stays, the testbed's operators start it.";
            let link = (format!("/swaps/{}", swap.id), "The swap");
            problems.push(Problem::new(Level::Now, what, todo).link(link.0, link.1));
        }
    }
    Ok(problems)
}
