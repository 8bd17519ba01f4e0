//! The pages of experiments.

mod capture;
mod choices;
mod disk;
mod disks;
mod edit;
mod list;
mod load;
mod new;
mod nodes;
mod prepare;
mod remove;
mod rows;
mod show;
mod swapin;
mod swapout;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};

use super::page;
use super::swaps::words::Badge;
use super::trouble::Trouble;
use crate::access::Actor;
use crate::db::experiments::ExperimentState;
use crate::error::{ErrorKind, Result};
use crate::experiment::manage::Experiments;
use crate::names::ExperimentId;
use crate::server::Boss;

pub(super) fn router() -> Router<Arc<Boss>> {
    Router::new()
        .route("/experiments", get(list::list))
        .route("/experiments/new", get(new::form).post(new::make))
        .route("/experiments/{pid}/{eid}", get(show::show))
        .route("/experiments/{pid}/{eid}/disks/{vname}", get(disk::disk))
        .route("/experiments/{pid}/{eid}/edit", get(edit::form).post(edit::change))
        .route("/experiments/{pid}/{eid}/swapin", get(swapin::form).post(swapin::begin))
        .route("/experiments/{pid}/{eid}/swapout", get(swapout::form).post(swapout::begin))
        .route("/experiments/{pid}/{eid}/load", get(load::form).post(load::begin))
        .route("/experiments/{pid}/{eid}/capture", get(capture::form).post(capture::begin))
        .route("/experiments/{pid}/{eid}/prepare", post(prepare::prepare))
        .route("/experiments/{pid}/{eid}/remove", get(remove::form).post(remove::remove))
}

/// Whether an experiment has machines.
pub(super) fn state(state: ExperimentState) -> Badge {
    let mark = match state {
        ExperimentState::Swapped => "",
        ExperimentState::Active => "good",
        ExperimentState::Activating | ExperimentState::Swapping => "busy",
    };
    Badge { text: state.name(), mark }
}

/// Where a page of an experiment is.
fn path(id: &ExperimentId) -> String {
    format!("/experiments/{id}")
}

fn experiments<'a>(boss: &'a Boss, actor: &'a Actor) -> Experiments<'a> {
    Experiments { db: &boss.db, layout: &boss.layout, actor }
}

/// A form once more, with what is wrong on top.
fn again(template: &impl Template, status: StatusCode) -> std::result::Result<Response, Trouble> {
    let mut response = page::show(template)?;
    *response.status_mut() = status;
    Ok(response)
}

/// The page of a swap that was begun.
fn begun(swap: i64) -> Response {
    Redirect::to(&format!("/swaps/{swap}")).into_response()
}

/// The visitor may do that to the experiment now, or it makes no sense to ask them more.
fn needs_state(id: &ExperimentId, is: ExperimentState, wanted: ExperimentState) -> Result<()> {
    if is == wanted {
        return Ok(());
    }
    Err(ErrorKind::Conflict.because(format_args!(
        "{id} is {}, and must be {} for that: its page shows what can be done now",
        is.name(),
        wanted.name()
    )))
}

/// What is said if the box was not ticked.
const NOT_SURE: &str =
    "Nothing was done: tick below that you know what is lost, then send the form again.";
