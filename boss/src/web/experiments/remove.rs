//! An experiment is forgotten.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{NOT_SURE, again, experiments, needs_state};
use crate::db::experiments::{Experiment, ExperimentState};
use crate::error::ErrorKind;
use crate::http::to_its_end;
use crate::names::ExperimentId;
use crate::server::Boss;
use crate::swapinfo::Swapinfo;
use crate::web::at::At;
use crate::web::fields::Fields;
use crate::web::guard::Visitor;
use crate::web::page::{Page, Part, done};
use crate::web::trouble::Trouble;

#[derive(Template)]
#[template(path = "experiment_remove.html")]
struct Form {
    page: Page,
    error: String,
    id: String,
    directory: String,
    /// The nodes whose saved disks are there.
    saved: Vec<String>,
}

pub(super) async fn form(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(id): At<ExperimentId>,
) -> Result<Response, Trouble> {
    show(&boss, &visitor, &id, None).await
}

pub(super) async fn remove(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(id): At<ExperimentId>,
    fields: Fields,
) -> Result<Response, Trouble> {
    if fields.ticked("sure") != Some(true) {
        let trouble = ErrorKind::Invalid.because(NOT_SURE);
        return show(&boss, &visitor, &id, Some(trouble.into())).await;
    }
    let (site, actor, of) = (Arc::clone(&boss), visitor.actor.clone(), id.clone());
    let gone = to_its_end(async move { experiments(&site, &actor).remove(&of).await }).await?;
    let directory = directory(&boss, &gone);
    let notice = format!("{id} is removed. Its files are still in {directory}.");
    done(&boss, &visitor, &notice, "/experiments").await
}

fn directory(boss: &Boss, experiment: &Experiment) -> String {
    let Experiment { pid, gid, eid, .. } = experiment;
    boss.layout.experiment(pid, gid, eid).node.display().to_string()
}

async fn show(
    boss: &Boss,
    visitor: &Visitor,
    id: &ExperimentId,
    trouble: Option<Trouble>,
) -> Result<Response, Trouble> {
    let experiment = experiments(boss, &visitor.actor).controlled(id).await?;
    needs_state(id, experiment.state, ExperimentState::Swapped)?;
    // That a directory can't be read keeps nobody from forgetting its experiment.
    let disks = Swapinfo::new(&boss.db, &boss.layout).saved_disks(&experiment).await;
    let disks = disks.unwrap_or_default();
    let mut saved: Vec<_> = disks.into_iter().map(|disk| disk.vname.to_string()).collect();
    saved.dedup();
    let form = Form {
        page: Page::of(boss, visitor, Part::Experiments, format!("Remove {id}")).await?,
        error: trouble.as_ref().map(|trouble| trouble.message().to_owned()).unwrap_or_default(),
        id: id.to_string(),
        directory: directory(boss, &experiment),
        saved,
    };
    again(&form, trouble.map_or(StatusCode::OK, |trouble| trouble.status()))
}
