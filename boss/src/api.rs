//! HTTP: the REST interface below `/api/v1`, numbers for Prometheus, and what nodes boot.
//!
//! Users are known by bearer tokens (`boss user token`), and what they may is asked in
//! [`access`](crate::access). Nodes have no tokens: what is below `/boot` and `/mfs` they fetch
//! without, as numbers and the description of the interface are fetched. There is no TLS here; a
//! site whose users aren't on the machine has a proxy with a certificate before it.

mod document;
mod error;
mod experiments;
mod images;
mod nodes;
mod request;
mod sitevars;
mod status;
mod swaps;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, StatusCode, header};
use tokio::net::TcpListener;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa_axum::router::OpenApiRouter;

use crate::server::Boss;

pub use document::document;

/// The largest request: an experiment with all the nodes that one can have.
const LARGEST: usize = 256 << 10;
/// For a request until its reply begins.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers for ever.
pub async fn serve(boss: Arc<Boss>, listener: TcpListener) {
    let service = router(boss).into_make_service_with_connect_info::<SocketAddr>();
    if let Err(error) = axum::serve(listener, service).await {
        tracing::error!("HTTP: {error}");
    }
}

/// All that is answered.
fn router(boss: Arc<Boss>) -> Router {
    let (api, _) = documented().split_for_parts();
    let header =
        |name, value| SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value));
    let api = api
        .merge(document::router())
        .fallback(error::nothing)
        .method_not_allowed_fallback(error::not_so)
        .layer(DefaultBodyLimit::max(LARGEST))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, PATIENCE))
        .layer(header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(header::CACHE_CONTROL, "no-store"));
    // Files take as long as they take, and iPXE may keep them.
    api.merge(crate::boot::serve::router()).with_state(boss)
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
