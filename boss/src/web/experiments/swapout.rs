//! An experiment gives its machines back, when it was said what is saved and what is lost.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{NOT_SURE, again, begun, experiments, needs_state};
use crate::db::experiments::ExperimentState;
use crate::error::{ErrorKind, Result};
use crate::experiment::swaps::Swaps;
use crate::http::to_its_end;
use crate::names::ExperimentId;
use crate::server::Boss;
use crate::swap::request::{Plan, plan_swapout};
use crate::web::at::At;
use crate::web::fields::Fields;
use crate::web::guard::Visitor;
use crate::web::page::{Page, Part};
use crate::web::trouble::Trouble;

#[derive(Template)]
#[template(path = "experiment_swapout.html")]
struct Form {
    page: Page,
    error: String,
    id: String,
    saved: Vec<Saved>,
    /// Why no disk at all is saved.
    none: String,
    lost: Vec<Lost>,
    /// The same, as the form says it again: who confirms has seen no more than these.
    lost_names: String,
    /// Whether a disk that can't be saved keeps the experiment swapped in.
    fail: bool,
    may_collect: bool,
}

struct Saved {
    vname: String,
    machine: String,
}

struct Lost {
    vname: String,
    machine: String,
    why: String,
}

pub(super) async fn form(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(id): At<ExperimentId>,
) -> std::result::Result<Response, Trouble> {
    show(&boss, &visitor, &id, None).await
}

pub(super) async fn begin(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(id): At<ExperimentId>,
    fields: Fields,
) -> std::result::Result<Response, Trouble> {
    let experiment = experiments(&boss, &visitor.actor).controlled(&id).await?;
    needs_state(&id, experiment.state, ExperimentState::Active)?;
    let plan = plan_swapout(&boss, &experiment).await?;
    if let Err(error) = is_confirmed(&plan, &fields) {
        return show(&boss, &visitor, &id, Some(error.into())).await;
    }
    let (site, actor, of) = (Arc::clone(&boss), visitor.actor.clone(), id.clone());
    let work = async move { Swaps { boss: &site, actor: &actor }.swapout(&of).await };
    // What is wrong with it is said on a page of its own: it is not what was asked before.
    Ok(begun(to_its_end(work).await?))
}

/// Whether somebody has seen what is lost now, and knows it.
fn is_confirmed(plan: &Plan, fields: &Fields) -> Result<()> {
    let seen: Vec<&str> = fields.text("lost").split_whitespace().collect();
    let mut lost = plan.lost().map(|(node, _)| node.vname.as_str()).peekable();
    if lost.peek().is_none() {
        return Ok(());
    }
    if fields.ticked("sure") != Some(true) {
        return Err(ErrorKind::Invalid.because(NOT_SURE));
    }
    if lost.all(|vname| seen.contains(&vname)) {
        return Ok(());
    }
    Err(ErrorKind::Conflict.because(
        "Nothing was done: since you have seen this page, more disks are lost than it said. Look \
         at the list again.",
    ))
}

async fn show(
    boss: &Boss,
    visitor: &Visitor,
    id: &ExperimentId,
    trouble: Option<Trouble>,
) -> std::result::Result<Response, Trouble> {
    let experiment = experiments(boss, &visitor.actor).controlled(id).await?;
    needs_state(id, experiment.state, ExperimentState::Active)?;
    let plan = plan_swapout(boss, &experiment).await?;
    let lost: Vec<_> = plan
        .lost()
        .map(|(node, why)| Lost {
            vname: node.vname.to_string(),
            machine: node.node_id.to_string(),
            why: why.to_owned(),
        })
        .collect();
    let names: Vec<&str> = lost.iter().map(|node| node.vname.as_str()).collect();
    let lost_names = names.join(" ");
    let is_lost = |vname: &str| lost.iter().any(|node| node.vname == vname);
    let saved = plan.nodes.iter().map(|(node, _)| Saved {
        vname: node.vname.to_string(),
        machine: node.node_id.to_string(),
    });
    let saved = saved.filter(|node| !is_lost(&node.vname)).collect();
    let form = Form {
        page: Page::of(boss, visitor, Part::Experiments, format!("Swap out {id}")).await?,
        error: trouble.as_ref().map(|trouble| trouble.message().to_owned()).unwrap_or_default(),
        id: id.to_string(),
        saved,
        none: plan.none.clone().unwrap_or_default(),
        may_collect: plan.none.is_none() && !lost.is_empty(),
        lost,
        lost_names,
        fail: plan.fail,
    };
    again(&form, trouble.map_or(StatusCode::OK, |trouble| trouble.status()))
}
