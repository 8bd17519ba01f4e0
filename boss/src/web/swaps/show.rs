//! The page of a swap.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::parts::Parts;
use super::picture::{Picture, Watcher};
use super::watch::Watches;
use super::words::{self, Badge};
use super::{Only, find};
use crate::db::swaps::{Event, Swap};
use crate::names::Vname;
use crate::server::Boss;
use crate::web::at::{Asked, At};
use crate::web::guard::Visitor;
use crate::web::page::{Page, Part, show as reply};
use crate::web::trouble::Trouble;

/// How often a browser without JavaScript loads the page of what goes on, in seconds.
const REFRESH: u32 = 5;
/// More events aren't shown on one page.
const MOST_EVENTS: usize = 5000;

#[derive(Template)]
#[template(path = "swap/show.html")]
struct Show<'a> {
    page: &'a Page,
    swap: &'a Swap,
    badge: Badge,
    /// How it ended, if it is over.
    ending: &'static str,
    node: Option<Vname>,
    /// Elements that were made by the templates of [`Parts`].
    parts: Vec<String>,
    may_cancel: bool,
}

#[derive(Template)]
#[template(path = "swap/all_events.html")]
struct AllEvents {
    page: Page,
    swap: Swap,
    events: Vec<Event>,
    earlier: usize,
}

fn title(swap: &Swap) -> String {
    format!("{} of {}", words::kind(swap.kind), swap.experiment())
}

pub(super) async fn show(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(id): At<String>,
    Asked(only): Asked<Only>,
) -> Result<Response, Trouble> {
    let swap = find(&boss, &visitor, &id).await?;
    let node = only.of(&boss, &swap).await?;
    let gone = || Trouble::new(StatusCode::NOT_FOUND, "There is no such swap any more.");
    let picture = picture(&boss, &swap, node.as_ref()).await?.ok_or_else(gone)?;
    let mut page = Page::of(&boss, &visitor, Part::Swaps, title(&swap)).await?;
    // It may have ended since.
    let swap = &picture.swap;
    if !swap.ended {
        page.refresh = REFRESH;
    }
    let experiment = boss.db.experiment(&swap.experiment()).await?;
    let controls = match &experiment {
        Some(experiment) => visitor.actor.controls(&boss.db, experiment).await?,
        None => false,
    };
    let runs: Vec<_> = picture.nodes.iter().map(|seen| &seen.run).collect();
    let parts = Parts::of(&picture, &page).render()?;
    reply(&Show {
        swap,
        badge: words::of_swap(swap),
        ending: if swap.ended && node.is_none() { words::ending(swap, &runs) } else { "" },
        parts: parts.into_iter().map(|(_, html)| html).collect(),
        may_cancel: controls && !swap.ended && !swap.cancelled,
        node,
        page: &page,
    })
}

/// What there is to see: with the pace, if it goes on and is watched.
async fn picture(
    boss: &Arc<Boss>,
    swap: &Swap,
    node: Option<&Vname>,
) -> Result<Option<Arc<Picture>>, Trouble> {
    if !swap.ended
        && let Some(mut pictures) = Watches::watch(boss, swap.id, node)
        && let Ok(seen) = pictures.wait_for(Option::is_some).await
    {
        return Ok(seen.clone());
    }
    Ok(Watcher::default().look(boss, swap.id, node).await?.map(Arc::new))
}

pub(super) async fn events(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(id): At<String>,
) -> Result<Response, Trouble> {
    let swap = find(&boss, &visitor, &id).await?;
    let mut events = boss.db.events(swap.id, 0).await?;
    let earlier = events.len().saturating_sub(MOST_EVENTS);
    events.drain(..earlier);
    let title = format!("What happened in the {}", title(&swap).to_lowercase());
    let page = Page::of(&boss, &visitor, Part::Swaps, title).await?;
    reply(&AllEvents { page, swap, events, earlier })
}
