//! The REST interface below `/api/v1`, and numbers for Prometheus.
//!
//! Users are known by bearer tokens (`boss user token`), and what they may is asked in
//! [`access`](crate::access). Numbers and the description of the interface are fetched without.

mod document;
mod error;
mod experiments;
mod images;
mod nodes;
mod request;
mod sitevars;
mod status;
mod swaps;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, StatusCode, header};
use axum::routing::any;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa_axum::router::OpenApiRouter;

use crate::server::Boss;

pub use document::document;

/// The largest request: an experiment with all the nodes that one can have.
const LARGEST: usize = 256 << 10;
/// For a request until its reply begins.
const PATIENCE: Duration = Duration::from_secs(30);

/// All that is answered, and what there is below `/api` beside it.
pub(crate) fn router() -> Router<Arc<Boss>> {
    let (api, _) = documented().split_for_parts();
    let header =
        |name, value| SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value));
    api.merge(document::router())
        .route("/api", any(error::nothing))
        .route("/api/", any(error::nothing))
        .route("/api/{*rest}", any(error::nothing))
        .method_not_allowed_fallback(error::not_so)
        .layer(DefaultBodyLimit::max(LARGEST))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, PATIENCE))
        .layer(header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(header::CACHE_CONTROL, "no-store"))
}

/// What the document describes.
fn documented() -> OpenApiRouter<Arc<Boss>> {
    OpenApiRouter::new()
        .merge(experiments::router())
        .merge(swaps::router())
        .merge(images::router())
        .merge(nodes::router())
        .merge(sitevars::router())
        .merge(status::router())
}
