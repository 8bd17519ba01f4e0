//! HTTP: the pages, the REST interface, numbers for Prometheus, and what nodes boot.
//!
//! There is no TLS here; a site whose users aren't on the machine has a proxy with a certificate
//! before it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;

use crate::error::Result;
use crate::server::Boss;
use crate::{api, boot, web};

/// Answers for ever.
pub async fn serve(boss: Arc<Boss>, listener: TcpListener) {
    let service = router(boss).into_make_service_with_connect_info::<SocketAddr>();
    if let Err(error) = axum::serve(listener, service).await {
        tracing::error!("HTTP: {error}");
    }
}

/// All that is answered. What nobody else has is a page, or none.
fn router(boss: Arc<Boss>) -> Router {
    // Files take as long as they take, and iPXE may keep them.
    let rest = api::router().merge(boot::serve::router());
    rest.merge(web::router(&boss)).with_state(boss)
}

/// Does something to its end, also if the client hangs up: half of it would be worse than all.
pub(crate) async fn to_its_end<T, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    tokio::spawn(work).await?
}
