//! All experiments that a visitor may know of.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{experiments, state};
use crate::experiment::overview::{Overview, Urgency};
use crate::experiment::places;
use crate::server::Boss;
use crate::web::at::Asked;
use crate::web::guard::Visitor;
use crate::web::page::{Page, Part, show};
use crate::web::swaps::words::{self, Badge};
use crate::web::trouble::Trouble;
use crate::web::zone::Time;

/// With more than that one searches.
const MANY: usize = 8;

#[derive(Template)]
#[template(path = "experiments.html")]
struct List {
    page: Page,
    rows: Vec<Row>,
    /// How many there are, whatever was searched for.
    all: usize,
    searchable: bool,
    q: String,
    may_make: bool,
}

struct Row {
    id: String,
    state: Badge,
    urgency: Urgency,
    waits: bool,
    nodes: u32,
    savedisk: bool,
    firewalled: bool,
    creator: String,
    last: Option<Last>,
}

struct Last {
    id: i64,
    kind: &'static str,
    badge: Badge,
    at: Time,
}

/// What was searched for.
#[derive(Debug, Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    q: String,
}

pub(super) async fn list(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    Asked(Search { q }): Asked<Search>,
) -> Result<Response, Trouble> {
    let found = experiments(&boss, &visitor.actor).overview().await?;
    let may_make = !places::of(&boss.db, &visitor.actor).await?.is_empty();
    let page = Page::of(&boss, &visitor, Part::Experiments, "Experiments").await?;
    let (all, q) = (found.len(), q.trim().to_owned());
    let rows = found.iter().filter(|one| fits(one, &q)).map(|one| Row::of(one, &page)).collect();
    let searchable = all > MANY || !q.is_empty();
    show(&List { page, rows, all, searchable, q, may_make })
}

/// Whether all words that are searched for are in what the list shows.
fn fits(one: &Overview, q: &str) -> bool {
    let experiment = &one.experiment;
    let last = one.last.as_ref().map_or("", |swap| words::of_swap(swap).text);
    let state = experiment.state.name();
    let text =
        format!("{} {} {} {state} {last}", experiment.id(), experiment.gid, experiment.creator)
            .to_lowercase();
    q.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

impl Row {
    fn of(one: &Overview, page: &Page) -> Self {
        let experiment = &one.experiment;
        let last = one.last.as_ref().map(|swap| Last {
            id: swap.id,
            kind: words::kind(swap.kind),
            badge: words::of_swap(swap),
            at: page.time(swap.requested_at),
        });
        Self {
            id: experiment.id().to_string(),
            state: state(experiment.state),
            urgency: one.urgency(),
            waits: one.waits,
            nodes: one.nodes,
            savedisk: experiment.savedisk,
            firewalled: experiment.firewalled,
            creator: experiment.creator.to_string(),
            last,
        }
    }
}
