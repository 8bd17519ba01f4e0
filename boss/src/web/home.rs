//! The first page: what needs somebody, before all else.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;

use super::guard::Visitor;
use super::page::{Page, Part, show};
use super::trouble::Trouble;
use crate::server::Boss;

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    page: Page,
}

pub(super) fn router() -> Router<Arc<Boss>> {
    Router::new().route("/", get(home))
}

async fn home(State(boss): State<Arc<Boss>>, visitor: Visitor) -> Result<Response, Trouble> {
    let page = Page::of(&boss, &visitor, Part::Home, "Overview").await?;
    show(&Home { page })
}
