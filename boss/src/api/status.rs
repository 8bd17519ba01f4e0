//! How boss is: for those who watch it, without a token.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::server::Boss;

pub(super) fn router() -> OpenApiRouter<Arc<Boss>> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(metrics))
}

/// Whether boss and its data base answer.
#[utoipa::path(get, path = "/healthz", operation_id = "health", security(()), responses(
    (status = 200, body = String, content_type = "text/plain"),
    (status = 503, body = String, content_type = "text/plain")
))]
async fn health(State(boss): State<Arc<Boss>>) -> Response {
    match boss.db.sitevars().await {
        Ok(_) => "ok\n".into_response(),
        Err(error) => {
            tracing::error!("health: {error}");
            (StatusCode::SERVICE_UNAVAILABLE, "the data base doesn't answer\n").into_response()
        }
    }
}

/// Numbers for Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", security(()), responses(
    (status = 200, body = String, content_type = "application/openmetrics-text")
))]
async fn metrics(State(boss): State<Arc<Boss>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], boss.metrics.page()).into_response()
}
