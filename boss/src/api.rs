//! HTTP.

use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;

use crate::server::Boss;

/// Answers for ever.
pub async fn serve(boss: Arc<Boss>, listener: TcpListener) {
    let router = Router::new().merge(crate::boot::serve::router()).with_state(boss);
    if let Err(error) =
        axum::serve(listener, router.into_make_service_with_connect_info::<std::net::SocketAddr>())
            .await
    {
        tracing::error!("HTTP: {error}");
    }
}
