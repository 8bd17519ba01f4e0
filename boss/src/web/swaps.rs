//! Swaps: how far those are that go on, and what became of the others.

mod act;
mod list;
mod live;
mod parts;
mod picture;
mod show;
mod watch;
pub(super) mod words;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use serde::Deserialize;

use super::guard::Visitor;
use super::trouble::Trouble;
use crate::db::swaps::Swap;
use crate::experiment::swaps::Swaps;
use crate::names::Vname;
use crate::server::Boss;

pub use watch::Watches;

pub(super) fn router() -> Router<Arc<Boss>> {
    Router::new()
        .route("/swaps", get(list::list))
        .route("/swaps/{id}", get(show::show))
        .route("/swaps/{id}/live", get(live::live))
        .route("/swaps/{id}/events", get(show::events))
        .route("/swaps/{id}/cancel", get(act::cancel_form).post(act::cancel))
        .route("/swaps/{id}/off/{node_id}", get(act::off_form).post(act::off))
}

/// What a swap's page is to show.
#[derive(Debug, Deserialize)]
struct Asked {
    /// Only this node.
    #[serde(default)]
    node: String,
}

impl Asked {
    fn vname(&self) -> Result<Option<Vname>, Trouble> {
        if self.node.is_empty() {
            return Ok(None);
        }
        let none = |_| Trouble::new(StatusCode::NOT_FOUND, "There is no such node in this swap.");
        self.node.parse().map(Some).map_err(none)
    }
}

/// A swap that the visitor may know of, by what a path says.
async fn find(boss: &Boss, visitor: &Visitor, id: &str) -> Result<Swap, Trouble> {
    let number = id.parse().map_err(|_| {
        let message = format!("There is no swap {id}: swaps have numbers.");
        Trouble::new(StatusCode::NOT_FOUND, message)
    })?;
    Ok(Swaps { boss, actor: &visitor.actor }.find(number).await?)
}
