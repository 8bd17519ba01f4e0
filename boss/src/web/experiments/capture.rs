//! An image is made of a node's disk.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::choices::{self, Choice};
use super::load::nodes;
use super::{again, begun, experiments, needs_state};
use crate::db::experiments::ExperimentState;
use crate::error::{ErrorKind, Result};
use crate::experiment::swaps::Swaps;
use crate::http::to_its_end;
use crate::names::{ExperimentId, ImageId, ImageName, NodeId, Vname};
use crate::server::Boss;
use crate::swap::capture::Captured;
use crate::web::at::At;
use crate::web::fields::Fields;
use crate::web::guard::Visitor;
use crate::web::page::{Page, Part};
use crate::web::trouble::Trouble;

#[derive(Template)]
#[template(path = "experiment_capture.html")]
struct Form {
    page: Page,
    error: String,
    id: String,
    nodes: Vec<Choice>,
    places: Vec<Choice>,
    loads: [Choice; 5],
    boots: [Choice; 5],
    vname: String,
    place: String,
    name: String,
    load: String,
    boot: String,
    global: bool,
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
    match capture(&boss, &visitor, &id, &fields).await {
        Ok(swap) => Ok(begun(swap)),
        Err(error) => show(&boss, &visitor, &id, &fields, Some(error.into())).await,
    }
}

async fn capture(
    boss: &Arc<Boss>,
    visitor: &Visitor,
    id: &ExperimentId,
    fields: &Fields,
) -> Result<i64> {
    experiments(boss, &visitor.actor).controlled(id).await?;
    let of = read(fields)?;
    let node_id = machine(boss, id, &fields.parse("vname", "Node")?).await?;
    let (site, actor) = (Arc::clone(boss), visitor.actor.clone());
    to_its_end(async move { Swaps { boss: &site, actor: &actor }.capture(&node_id, &of).await })
        .await
}

/// The machine that a node of the experiment is at the moment.
async fn machine(boss: &Boss, id: &ExperimentId, vname: &Vname) -> Result<NodeId> {
    let held = boss.db.reservations(id).await?;
    let node = held.into_iter().find(|reservation| reservation.vname == *vname);
    let node = node.ok_or_else(|| {
        ErrorKind::NotFound.because(format_args!("{id} has no node {vname}, or is swapped out"))
    })?;
    Ok(node.node_id)
}

fn read(fields: &Fields) -> Result<Captured> {
    let (pid, gid) = choices::place(fields.text("place"))?;
    let name: ImageName = fields.parse("name", "Name")?;
    let load_partition: u8 = fields.parse("load", "What is captured")?;
    let boot: Option<u8> = fields.parse_if_given("boot", "Partition that boots")?;
    Ok(Captured {
        image: ImageId { pid, name, version: None }.to_string(),
        gid,
        load_partition,
        boot_partition: boot.unwrap_or(load_partition.max(1)),
        global: fields.ticked("global").unwrap_or_default(),
    })
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
    let loads = [0, 1, 2, 3, 4].map(|number| match number {
        0 => Choice::new(&0, "The whole disk"),
        _ => Choice::new(&number, format!("Partition {number}")),
    });
    let boots = [0, 1, 2, 3, 4].map(|number| match number {
        0 => Choice::new(&"", "The one that is captured; of a whole disk, 1"),
        _ => Choice::new(&number, format!("Partition {number}")),
    });
    let own = format!("{}/{}", experiment.pid, experiment.gid);
    let given =
        |name: &str, otherwise: &str| fields.given(name).unwrap_or(otherwise).trim().to_owned();
    let form = Form {
        page: Page::of(boss, visitor, Part::Experiments, "Make an image of a node's disk").await?,
        error: trouble.as_ref().map(|trouble| trouble.message().to_owned()).unwrap_or_default(),
        id: id.to_string(),
        nodes: nodes(boss, id).await?,
        places: choices::places(&boss.db, &visitor.actor).await?,
        loads,
        boots,
        vname: given("vname", ""),
        place: given("place", &own),
        name: given("name", ""),
        load: given("load", "0"),
        boot: given("boot", ""),
        global: fields.ticked("global").unwrap_or_default(),
    };
    again(&form, trouble.map_or(StatusCode::OK, |trouble| trouble.status()))
}
