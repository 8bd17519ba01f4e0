//! A node's disk is loaded with an image while the experiment runs.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::choices::{self, Choice, Group};
use super::{NOT_SURE, again, begun, experiments, needs_state};
use crate::db::experiments::ExperimentState;
use crate::error::{ErrorKind, Result};
use crate::experiment::swaps::Swaps;
use crate::http::to_its_end;
use crate::names::{ExperimentId, ImageId, Vname};
use crate::server::Boss;
use crate::web::at::At;
use crate::web::fields::Fields;
use crate::web::guard::Visitor;
use crate::web::page::{Page, Part};
use crate::web::trouble::Trouble;

#[derive(Template)]
#[template(path = "experiment_load.html")]
struct Form {
    page: Page,
    error: String,
    id: String,
    nodes: Vec<Choice>,
    images: Vec<Group>,
    vname: String,
    image: String,
}

pub(super) async fn form(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(id): At<ExperimentId>,
) -> std::result::Result<Response, Trouble> {
    show(&boss, &visitor, &id, &Fields::default(), None).await
}

pub(super) async fn begin(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(id): At<ExperimentId>,
    fields: Fields,
) -> std::result::Result<Response, Trouble> {
    let (site, actor, of) = (Arc::clone(&boss), visitor.actor.clone(), id.clone());
    let swap = match read(&fields) {
        Ok((vname, image)) => {
            let work =
                async move { Swaps { boss: &site, actor: &actor }.load(&of, &vname, &image).await };
            to_its_end(work).await
        }
        Err(error) => Err(error),
    };
    match swap {
        Ok(swap) => Ok(begun(swap)),
        Err(error) => show(&boss, &visitor, &id, &fields, Some(error.into())).await,
    }
}

fn read(fields: &Fields) -> Result<(Vname, ImageId)> {
    let (vname, image) = (fields.parse("vname", "Node")?, fields.parse("image", "Image")?);
    if fields.ticked("sure") != Some(true) {
        return Err(ErrorKind::Invalid.because(NOT_SURE));
    }
    Ok((vname, image))
}

async fn show(
    boss: &Boss,
    visitor: &Visitor,
    id: &ExperimentId,
    fields: &Fields,
    trouble: Option<Trouble>,
) -> std::result::Result<Response, Trouble> {
    let experiment = experiments(boss, &visitor.actor).controlled(id).await?;
    needs_state(id, experiment.state, ExperimentState::Active)?;
    let form = Form {
        page: Page::of(boss, visitor, Part::Experiments, "Load an image onto a node").await?,
        error: trouble.as_ref().map(|trouble| trouble.message().to_owned()).unwrap_or_default(),
        id: id.to_string(),
        nodes: nodes(boss, id).await?,
        images: choices::images(&boss.db, &id.pid).await?,
        vname: fields.text("vname").to_owned(),
        image: fields.text("image").to_owned(),
    };
    again(&form, trouble.map_or(StatusCode::OK, |trouble| trouble.status()))
}

/// The nodes that an experiment has, with what is on them.
pub(super) async fn nodes(boss: &Boss, id: &ExperimentId) -> sqlx::Result<Vec<Choice>> {
    let loaded = boss.db.loaded_images(id).await?;
    let nodes = boss.db.reservations(id).await?.into_iter().map(|node| {
        let machine = &node.node_id;
        let label = match loaded.get(machine) {
            Some(image) => format!("{} on {machine}, loaded with {image}", node.vname),
            None => format!("{} on {machine}", node.vname),
        };
        Choice::new(&node.vname, label)
    });
    Ok(nodes.collect())
}
