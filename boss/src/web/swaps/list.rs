//! All swaps that somebody may know of: those that go on, then the others.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::db::swaps::{Swap, Wanted};
use crate::experiment::swaps::Swaps;
use crate::names::ExperimentId;
use crate::server::Boss;
use crate::web::at::Asked;
use crate::web::guard::Visitor;
use crate::web::page::{Page, Part, show};
use crate::web::trouble::Trouble;

/// How many a page has.
const MOST: usize = 50;
/// More of those that go on aren't shown.
const MOST_RUNNING: u32 = 200;

#[derive(Debug, Deserialize)]
pub(super) struct Which {
    /// Only of this one, as `<pid>/<eid>`.
    #[serde(default)]
    experiment: String,
    /// Only with smaller numbers.
    #[serde(default)]
    before: String,
}

#[derive(Template)]
#[template(path = "swap/list.html")]
struct List {
    page: Page,
    error: String,
    experiment: String,
    running: Vec<Swap>,
    ended: Vec<Swap>,
    /// The smallest number, if there are more.
    next: Option<i64>,
    first: bool,
}

pub(super) async fn list(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    Asked(asked): Asked<Which>,
) -> Result<Response, Trouble> {
    let page = Page::of(&boss, &visitor, Part::Swaps, "Swaps").await?;
    let experiment = asked.experiment.trim().to_owned();
    let only: Option<ExperimentId> = if experiment.is_empty() {
        None
    } else if let Ok(only) = experiment.parse() {
        Some(only)
    } else {
        let error = "Experiment: write it as project/experiment, such as testbed/trial.".to_owned();
        let (running, ended) = (Vec::new(), Vec::new());
        let list = List { page, error, experiment, running, ended, next: None, first: true };
        let mut response = show(&list)?;
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(response);
    };
    let before = asked.before.parse().ok();
    let swaps = Swaps { boss: &boss, actor: &visitor.actor };
    let wanted = Wanted {
        running: true,
        of_member: None,
        experiment: only.as_ref(),
        before: i64::MAX,
        since: 0,
        most: MOST_RUNNING,
    };
    let running = if before.is_none() { swaps.list(wanted).await? } else { Vec::new() };
    // One more says whether there are more.
    let most = u32::try_from(MOST + 1).unwrap_or(u32::MAX);
    let wanted = Wanted { running: false, before: before.unwrap_or(i64::MAX), most, ..wanted };
    let mut ended = swaps.list(wanted).await?;
    let more = ended.len() > MOST;
    ended.truncate(MOST);
    let next = ended.last().filter(|_| more).map(|swap| swap.id);
    let first = before.is_none();
    show(&List { page, error: String::new(), experiment, running, ended, next, first })
}
