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
struct Only {
    /// Only this node.
    #[serde(default)]
    node: String,
}

impl Only {
    /// The node, if it is one of the swap's: of others nobody needs to look at it.
    async fn of(&self, boss: &Boss, swap: &Swap) -> Result<Option<Vname>, Trouble> {
        if self.node.is_empty() {
            return Ok(None);
        }
        let runs = boss.db.runs(swap.id).await?;
        let run = runs.into_iter().find(|run| run.vname.as_str() == self.node);
        let none = || {
            let message = "There is no such node in this swap. Leave ?node= out to see all.";
            Trouble::new(StatusCode::NOT_FOUND, message)
        };
        Ok(Some(run.ok_or_else(none)?.vname))
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
