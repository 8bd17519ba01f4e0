//! Swaps: how far they are, and what happened.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{Problem, Reply};
use super::request::{At, Who, With};
use crate::access::Actor;
use crate::db::swaps;
use crate::error::{ErrorKind, Result};
use crate::server::Boss;
use crate::swap::request;
use crate::view::{Event, Swap};

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
struct After {
    /// Only those with a larger number.
    #[serde(default)]
    after: i64,
}

pub(super) fn router() -> OpenApiRouter<Arc<Boss>> {
    OpenApiRouter::new().routes(routes!(show)).routes(routes!(events)).routes(routes!(cancel))
}

/// A swap with what its nodes do.
#[utoipa::path(get, path = "/api/v1/swaps/{id}", operation_id = "get_swap",
    params(("id" = i64, Path)),
    responses(
        (status = 200, body = Swap), (status = 401, body = Problem), (status = 404, body = Problem)
    )
)]
async fn show(State(boss): State<Arc<Boss>>, Who(actor): Who, At(id): At<i64>) -> Reply<Swap> {
    let swap = find(&boss, &actor, id).await?;
    Ok(Json(Swap::of(&boss.db, &swap).await?))
}

/// What happened in a swap.
#[utoipa::path(get, path = "/api/v1/swaps/{id}/events", operation_id = "list_events",
    params(("id" = i64, Path), After),
    responses(
        (status = 200, body = Vec<Event>), (status = 401, body = Problem),
        (status = 404, body = Problem)
    )
)]
async fn events(
    State(boss): State<Arc<Boss>>,
    Who(actor): Who,
    At(id): At<i64>,
    With(After { after }): With<After>,
) -> Reply<Vec<Event>> {
    find(&boss, &actor, id).await?;
    let events = boss.db.events(id, after).await?;
    Ok(Json(events.into_iter().map(Event::from).collect()))
}

/// Asks for a swap to stop: nodes at work are turned off, what they were at is not done.
#[utoipa::path(post, path = "/api/v1/swaps/{id}/cancel", operation_id = "cancel_swap",
    params(("id" = i64, Path)),
    responses(
        (status = 200, body = Swap), (status = 401, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)
    )
)]
async fn cancel(State(boss): State<Arc<Boss>>, Who(actor): Who, At(id): At<i64>) -> Reply<Swap> {
    find(&boss, &actor, id).await?;
    request::cancel(&boss, id).await?;
    let swap = find(&boss, &actor, id).await?;
    Ok(Json(Swap::of(&boss.db, &swap).await?))
}

async fn find(boss: &Boss, actor: &Actor, id: i64) -> Result<swaps::Swap> {
    let none = || ErrorKind::NotFound.because(format_args!("there is no swap {id}"));
    let swap = boss.db.swap(id).await?.ok_or_else(none)?;
    if actor.sees(&boss.db, &swap.pid).await? { Ok(swap) } else { Err(none()) }
}
