//! Style and script of the pages, and their icon: parts of the program.

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::routing::get;

use crate::server::Boss;

/// Browsers ask again after a new version of boss within so many seconds.
const KEEP: &str = "max-age=300";

/// Name below `/static`, type, content.
const FILES: [(&str, &str, &str); 4] = [
    ("/static/boss.css", "text/css; charset=utf-8", include_str!("../../static/boss.css")),
    ("/static/map.css", "text/css; charset=utf-8", include_str!("../../static/map.css")),
    ("/static/boss.js", "text/javascript; charset=utf-8", include_str!("../../static/boss.js")),
    ("/static/icon.svg", "image/svg+xml", include_str!("../../static/icon.svg")),
];

pub(super) fn router() -> Router<Arc<Boss>> {
    FILES.into_iter().fold(Router::new(), |router, (path, kind, content)| {
        let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, KEEP)];
        router.route(path, get(async move || (headers, content)))
    })
}
