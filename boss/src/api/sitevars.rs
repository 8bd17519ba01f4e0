//! Site variables.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{Problem, Reply};
use super::request::{At, Body, Who};
use crate::server::Boss;
use crate::sitevar;
use crate::view::Sitevar;

/// What a variable is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Set {
    /// Its value; null has the default count again. It must be said: a body without it is none.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    value: Option<String>,
}

pub(super) fn router() -> OpenApiRouter<Arc<Boss>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(set))
}

/// All site variables.
#[utoipa::path(get, path = "/api/v1/sitevars", operation_id = "list_sitevars", responses(
    (status = 200, body = Vec<Sitevar>), (status = 401, body = Problem)
))]
async fn list(State(boss): State<Arc<Boss>>, Who(_actor): Who) -> Reply<Vec<Sitevar>> {
    let all = boss.db.sitevars().await?;
    Ok(Json(all.into_iter().map(Sitevar::from).collect()))
}

/// Sets a site variable. Its name has a slash, which is `%2F` in the path.
#[utoipa::path(put, path = "/api/v1/sitevars/{name}", operation_id = "set_sitevar",
    request_body = Set, params(("name" = String, Path)),
    responses(
        (status = 200, body = Vec<Sitevar>), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem)
    )
)]
async fn set(
    State(boss): State<Arc<Boss>>,
    Who(actor): Who,
    At(name): At<String>,
    Body(Set { value }): Body<Set>,
) -> Reply<Vec<Sitevar>> {
    sitevar::set(&boss.db, &actor, &name, value.as_deref()).await?;
    let all = boss.db.sitevars().await?;
    Ok(Json(all.into_iter().map(Sitevar::from).collect()))
}
