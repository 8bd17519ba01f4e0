//! What somebody does to a swap that goes on: to cancel it, and to say that a machine is off.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{find, words};
use crate::db::swaps::Swap;
use crate::experiment::swaps::Swaps;
use crate::names::NodeId;
use crate::server::Boss;
use crate::web::at::At;
use crate::web::fields::Fields;
use crate::web::guard::Visitor;
use crate::web::page::{Page, Part, done, show};
use crate::web::trouble::Trouble;

#[derive(Template)]
#[template(path = "swap/cancel.html")]
struct Cancel {
    page: Page,
    swap: Swap,
    lost: &'static str,
    error: &'static str,
}

#[derive(Template)]
#[template(path = "swap/off.html")]
struct Off {
    page: Page,
    swap: Swap,
    node_id: NodeId,
    error: &'static str,
}

pub(super) async fn cancel_form(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(id): At<String>,
) -> Result<Response, Trouble> {
    let swap = find(&boss, &visitor, &id).await?;
    visitor.actor.needs_control(&boss.db, &swap.experiment()).await?;
    show_cancel(&boss, &visitor, swap, "").await
}

async fn show_cancel(
    boss: &Boss,
    visitor: &Visitor,
    swap: Swap,
    error: &'static str,
) -> Result<Response, Trouble> {
    if swap.ended {
        return Err(over());
    }
    let kind = words::kind(swap.kind).to_lowercase();
    let title = format!("Cancel the {kind} of {}?", swap.experiment());
    let page = Page::of(boss, visitor, Part::Swaps, title).await?;
    show(&Cancel { page, lost: words::lost(swap.kind), swap, error })
}

fn over() -> Trouble {
    let message = "It is over already: there is nothing to cancel. The links above lead on.";
    Trouble::new(StatusCode::CONFLICT, message)
}

pub(super) async fn cancel(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(id): At<String>,
    fields: Fields,
) -> Result<Response, Trouble> {
    let swap = find(&boss, &visitor, &id).await?;
    visitor.actor.needs_control(&boss.db, &swap.experiment()).await?;
    if swap.ended {
        return Err(over());
    }
    if fields.ticked("sure") != Some(true) {
        let error = "Nothing was cancelled: tick that you know what is lost.";
        let mut again = show_cancel(&boss, &visitor, swap, error).await?;
        *again.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(again);
    }
    Swaps { boss: &boss, actor: &visitor.actor }.cancel(swap.id).await?;
    let notice = "It is being cancelled: machines that are at work are turned off.";
    done(&boss, &visitor, notice, &format!("/swaps/{}", swap.id)).await
}

/// A machine that is in the swap.
async fn machine(
    boss: &Boss,
    visitor: &Visitor,
    id: &str,
    node_id: &str,
) -> Result<(Swap, NodeId), Trouble> {
    let swap = find(boss, visitor, id).await?;
    visitor.actor.needs_admin()?;
    let runs = boss.db.runs(swap.id).await?;
    let run = runs.into_iter().find(|run| run.node_id.as_str() == node_id);
    let none = || Trouble::new(StatusCode::NOT_FOUND, "There is no such machine in this swap.");
    Ok((swap, run.ok_or_else(none)?.node_id))
}

pub(super) async fn off_form(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At((id, node_id)): At<(String, String)>,
) -> Result<Response, Trouble> {
    let (swap, node_id) = machine(&boss, &visitor, &id, &node_id).await?;
    show_off(&boss, &visitor, swap, node_id, "").await
}

async fn show_off(
    boss: &Boss,
    visitor: &Visitor,
    swap: Swap,
    node_id: NodeId,
    error: &'static str,
) -> Result<Response, Trouble> {
    let page = Page::of(boss, visitor, Part::Swaps, format!("Is {node_id} off?")).await?;
    show(&Off { page, swap, node_id, error })
}

pub(super) async fn off(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At((id, node_id)): At<(String, String)>,
    fields: Fields,
) -> Result<Response, Trouble> {
    let (swap, node_id) = machine(&boss, &visitor, &id, &node_id).await?;
    if fields.ticked("sure") != Some(true) {
        let error = "Nothing was noted: tick that you have seen it.";
        let mut again = show_off(&boss, &visitor, swap, node_id, error).await?;
        *again.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(again);
    }
    if swap.ended {
        return Err(over());
    }
    Swaps { boss: &boss, actor: &visitor.actor }.is_off(&node_id).await?;
    let notice = format!("{node_id} counts as off.");
    done(&boss, &visitor, &notice, &format!("/swaps/{}", swap.id)).await
}
