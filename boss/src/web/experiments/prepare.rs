//! Giving nodes what they need to be saved, and saying what became of each.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::{experiments, path};
use crate::http::to_its_end;
use crate::names::ExperimentId;
use crate::server::Boss;
use crate::swapinfo::{Outcome, Vnode};
use crate::web::at::At;
use crate::web::guard::Visitor;
use crate::web::page::{self, Page, Part, done};
use crate::web::trouble::Trouble;

#[derive(Template)]
#[template(path = "experiment_prepared.html")]
struct Shown {
    page: Page,
    id: String,
    notice: String,
    failed: usize,
    nodes: Vec<Prepared>,
}

/// What became of a node.
pub(super) struct Prepared {
    vname: String,
    machine: String,
    class: &'static str,
    outcome: &'static str,
    why: String,
}

impl Prepared {
    fn of(node: &Vnode) -> Self {
        let (class, outcome, why) = match &node.outcome {
            Outcome::Collected(given) => {
                ("good", "can be saved", format!("what differs from {}", given.image.id()))
            }
            Outcome::Skipped(why) => ("", "is not saved", why.clone()),
            Outcome::Failed(why) => ("bad", "can't be saved", why.clone()),
        };
        let machine = node.node_id.as_ref().map(ToString::to_string).unwrap_or_default();
        Self { vname: node.vname.to_string(), machine, class, outcome, why }
    }

    /// Whether there is something to say of a node but that it can be saved.
    pub(super) fn needs_somebody(nodes: &[Vnode]) -> bool {
        nodes.iter().any(|node| !matches!(node.outcome, Outcome::Collected(_)))
    }
}

pub(super) async fn prepare(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(id): At<ExperimentId>,
) -> Result<Response, Trouble> {
    let (site, actor, of) = (Arc::clone(&boss), visitor.actor.clone(), id.clone());
    let work = to_its_end(async move { experiments(&site, &actor).collect(&of).await });
    let nodes = work.await?;
    if nodes.is_empty() {
        let notice = format!("{id} has no machines, and nothing had to be collected.");
        return done(&boss, &visitor, &notice, &path(&id)).await;
    }
    if !Prepared::needs_somebody(&nodes) {
        let notice = "All nodes have what they need for their disks to be saved.";
        return done(&boss, &visitor, notice, &path(&id)).await;
    }
    show(&boss, &visitor, &id, "", &nodes).await
}

/// What became of the nodes, after what the notice says was done.
pub(super) async fn show(
    boss: &Boss,
    visitor: &Visitor,
    id: &ExperimentId,
    notice: &str,
    nodes: &[Vnode],
) -> Result<Response, Trouble> {
    let page = Page::of(boss, visitor, Part::Experiments, "What can be saved").await?;
    let failed = nodes.iter().filter(|node| matches!(node.outcome, Outcome::Failed(_))).count();
    let nodes = nodes.iter().map(Prepared::of).collect();
    page::show(&Shown { page, id: id.to_string(), notice: notice.to_owned(), failed, nodes })
}
