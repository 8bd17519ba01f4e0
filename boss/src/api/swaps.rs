//! Swaps: how far they are, and what happened.

#![expect(unused_qualifications, reason = "utoipa writes them")]

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{Problem, Reply};
use super::request::{At, Who, With};
use crate::experiment::swaps::Swaps;
use crate::server::Boss;
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
    let swap = Swaps { boss: &boss, actor: &actor }.find(id).await?;
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
    Swaps { boss: &boss, actor: &actor }.find(id).await?;
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
    let swaps = Swaps { boss: &boss, actor: &actor };
    swaps.cancel(id).await?;
    let swap = swaps.find(id).await?;
    Ok(Json(Swap::of(&boss.db, &swap).await?))
}
