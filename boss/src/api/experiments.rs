//! Experiments.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ApiError, Problem, Reply};
use super::request::{At, Body, Who};
use crate::access::Actor;
use crate::db::experiments::WantedNode;
use crate::error::ErrorKind;
use crate::experiment::manage::{Experiments, NewExperiment};
use crate::experiment::swaps::Swaps;
use crate::http::to_its_end;
use crate::names::{Eid, ExperimentId, Gid, NodeId, Pid, Vname};
use crate::server::Boss;
use crate::view::{Experiment, Swap};

/// How many swaps are listed.
const MOST_SWAPS: u32 = 100;

/// An experiment that is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Create {
    /// Its project.
    #[schema(value_type = String)]
    pid: Pid,
    /// Its name.
    #[schema(value_type = String)]
    eid: Eid,
    /// The group that it is of; the project's own, if it isn't said.
    #[schema(value_type = Option<String>)]
    gid: Option<Gid>,
    /// Whether disks are saved at swapout.
    #[serde(default)]
    savedisk: bool,
    /// Whether it is behind a firewall: then disks are never saved.
    #[serde(default)]
    firewalled: bool,
    /// The nodes that it asks for.
    nodes: Vec<Wanted>,
}

/// A node that an experiment asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Its name in the experiment.
    #[schema(value_type = String)]
    vname: Vname,
    /// What is loaded on it, as `<pid>/<image>` or `<pid>/<image>:<version>`; nothing, if it isn't
    /// said.
    image: Option<String>,
    /// What it is for: only `node` is saved.
    #[serde(default = "node")]
    role: String,
}

/// What is to be another; what isn't said stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Change {
    /// Whether disks are saved at swapout.
    savedisk: Option<bool>,
}

/// How an experiment gets nodes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Swapin {
    /// Which machine a node is to be, by its name in the experiment; any that is free, if it isn't
    /// said. For administrators.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    on: BTreeMap<Vname, NodeId>,
}

/// A swap that was begun.
#[derive(Debug, Serialize, ToSchema)]
struct Begun {
    /// Its number.
    swap: i64,
}

fn node() -> String {
    "node".to_owned()
}

pub(super) fn router() -> OpenApiRouter<Arc<Boss>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change))
        .routes(routes!(swapout))
        .routes(routes!(swapin))
        .routes(routes!(swaps))
}

/// The experiments of the user's projects.
#[utoipa::path(get, path = "/api/v1/experiments", operation_id = "list_experiments", responses(
    (status = 200, body = Vec<Experiment>), (status = 401, body = Problem)
))]
async fn list(State(boss): State<Arc<Boss>>, Who(actor): Who) -> Reply<Vec<Experiment>> {
    let mut all = Vec::new();
    for experiment in experiments(&boss, &actor).list().await? {
        all.push(Experiment::of(&boss.db, &experiment).await?);
    }
    Ok(Json(all))
}

/// Makes an experiment, without nodes at first.
#[utoipa::path(post, path = "/api/v1/experiments", operation_id = "create_experiment",
    request_body = Create,
    responses(
        (status = 201, body = Experiment), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)
    )
)]
async fn create(
    State(boss): State<Arc<Boss>>,
    Who(actor): Who,
    Body(Create { pid, eid, gid, savedisk, firewalled, nodes }): Body<Create>,
) -> Result<(StatusCode, Json<Experiment>), ApiError> {
    let nodes = nodes.into_iter().map(|Wanted { vname, image, role }| {
        let image = image.map(|image| image.parse()).transpose();
        let image = image.map_err(|error| ErrorKind::Invalid.because(error))?;
        Ok(WantedNode { vname, erole: role, image })
    });
    let nodes = nodes.collect::<crate::error::Result<Vec<_>>>()?;
    let new = NewExperiment { pid, eid, gid, savedisk, firewalled, nodes };
    let made = to_its_end(async move {
        let made = experiments(&boss, &actor).create(new).await?;
        Ok(Experiment::of(&boss.db, &made).await?)
    });
    Ok((StatusCode::CREATED, Json(made.await?)))
}

/// An experiment.
#[utoipa::path(get, path = "/api/v1/experiments/{pid}/{eid}", operation_id = "get_experiment",
    params(("pid" = String, Path), ("eid" = String, Path)),
    responses(
        (status = 200, body = Experiment), (status = 401, body = Problem),
        (status = 404, body = Problem)
    )
)]
async fn show(
    State(boss): State<Arc<Boss>>,
    Who(actor): Who,
    At((pid, eid)): At<(Pid, Eid)>,
) -> Reply<Experiment> {
    let found = experiments(&boss, &actor).find(&ExperimentId { pid, eid }).await?;
    Ok(Json(Experiment::of(&boss.db, &found).await?))
}

/// Changes what an experiment wants. What the request doesn't say stays as it is.
#[utoipa::path(patch, path = "/api/v1/experiments/{pid}/{eid}",
    operation_id = "change_experiment", request_body = Change,
    params(("pid" = String, Path), ("eid" = String, Path)),
    responses(
        (status = 200, body = Experiment), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)
    )
)]
async fn change(
    State(boss): State<Arc<Boss>>,
    Who(actor): Who,
    At((pid, eid)): At<(Pid, Eid)>,
    Body(change): Body<Change>,
) -> Reply<Experiment> {
    let id = ExperimentId { pid, eid };
    let changed = to_its_end(async move {
        let experiments = experiments(&boss, &actor);
        if let Some(savedisk) = change.savedisk {
            experiments.set_savedisk(&id, savedisk).await?;
        }
        Ok(Experiment::of(&boss.db, &experiments.find(&id).await?).await?)
    });
    Ok(Json(changed.await?))
}

/// Saves the experiment's disks, if they are to be saved, and gives its nodes back.
#[utoipa::path(post, path = "/api/v1/experiments/{pid}/{eid}/swapout", operation_id = "swapout",
    params(("pid" = String, Path), ("eid" = String, Path)),
    responses(
        (status = 202, body = Begun), (status = 401, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)
    )
)]
async fn swapout(
    State(boss): State<Arc<Boss>>,
    Who(actor): Who,
    At((pid, eid)): At<(Pid, Eid)>,
) -> Result<(StatusCode, Json<Begun>), ApiError> {
    let id = ExperimentId { pid, eid };
    let begun = to_its_end(async move { Swaps { boss: &boss, actor: &actor }.swapout(&id).await });
    Ok((StatusCode::ACCEPTED, Json(Begun { swap: begun.await? })))
}

/// Gives the experiment nodes, with its disks as they were saved, or with the images that it asks
/// for.
#[utoipa::path(post, path = "/api/v1/experiments/{pid}/{eid}/swapin", operation_id = "swapin",
    params(("pid" = String, Path), ("eid" = String, Path)), request_body = Swapin,
    responses(
        (status = 202, body = Begun), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)
    )
)]
async fn swapin(
    State(boss): State<Arc<Boss>>,
    Who(actor): Who,
    At((pid, eid)): At<(Pid, Eid)>,
    Body(Swapin { on }): Body<Swapin>,
) -> Result<(StatusCode, Json<Begun>), ApiError> {
    let id = ExperimentId { pid, eid };
    let begun =
        to_its_end(async move { Swaps { boss: &boss, actor: &actor }.swapin(&id, &on).await });
    Ok((StatusCode::ACCEPTED, Json(Begun { swap: begun.await? })))
}

/// The latest swaps of an experiment, the last first.
#[utoipa::path(get, path = "/api/v1/experiments/{pid}/{eid}/swaps", operation_id = "list_swaps",
    params(("pid" = String, Path), ("eid" = String, Path)),
    responses(
        (status = 200, body = Vec<Swap>), (status = 401, body = Problem),
        (status = 404, body = Problem)
    )
)]
async fn swaps(
    State(boss): State<Arc<Boss>>,
    Who(actor): Who,
    At((pid, eid)): At<(Pid, Eid)>,
) -> Reply<Vec<Swap>> {
    let found = experiments(&boss, &actor).find(&ExperimentId { pid, eid }).await?;
    let swaps = boss.db.swaps_of(&found.id(), MOST_SWAPS).await?;
    Ok(Json(swaps.iter().map(Swap::from).collect()))
}

fn experiments<'a>(boss: &'a Boss, actor: &'a Actor) -> Experiments<'a> {
    Experiments { db: &boss.db, layout: &boss.layout, actor }
}
