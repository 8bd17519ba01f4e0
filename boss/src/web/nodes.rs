//! Machines, for administrators.

mod act;
mod disk;
mod edit;
mod settings;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;

use super::at::At;
use super::fields::Fields;
use super::guard::Visitor;
use super::page::{Page, Part, show, size};
use super::trouble::Trouble;
use super::zone::Time;
use crate::db::experiments::Reservation;
use crate::db::nodes::{Disk, Node, Partition};
use crate::db::swaps::Run;
use crate::machines::Machines;
use crate::names::NodeId;
use crate::server::Boss;

#[derive(Template)]
#[template(path = "nodes.html")]
struct All {
    page: Page,
    nodes: Vec<Row>,
    with_problems: usize,
}

/// A machine in the list.
struct Row {
    node: Node,
    experiment: Option<Reservation>,
    run: Option<Run>,
    heard: Option<Time>,
    problems: Vec<String>,
}

#[derive(Template)]
#[template(path = "node.html")]
struct OfNode {
    page: Page,
    error: String,
    typed: Fields,
    node: Node,
    experiment: Option<Reservation>,
    since: Option<Time>,
    run: Option<Run>,
    heard: Option<Time>,
    problems: Vec<String>,
    settings: Vec<(String, Option<String>)>,
    disks: Vec<ShownDisk>,
    slices: Vec<Partition>,
}

/// A disk, as it is shown.
struct ShownDisk {
    disk: Disk,
    size: Option<String>,
}

pub(super) fn router() -> Router<Arc<Boss>> {
    Router::new()
        .route("/nodes", get(list))
        .route("/nodes/{node_id}", get(node))
        .merge(edit::router())
        .merge(act::router())
        .merge(disk::router())
}

fn machines<'a>(boss: &'a Boss, visitor: &'a Visitor) -> Machines<'a> {
    Machines { boss, actor: &visitor.actor }
}

fn path(node_id: &NodeId) -> String {
    format!("/nodes/{node_id}")
}

/// What somebody has to do something about.
fn problems(node: &Node, disks: &[Disk]) -> Vec<String> {
    let mut problems = Vec::new();
    if let Some(why) = &node.out_of_service {
        problems.push(format!("out of service: {why}"));
    }
    if node.power_driver.is_empty() {
        problems.push("no power driver: it can't be swapped".to_owned());
    }
    if !disks.iter().any(|disk| disk.boots) {
        problems.push("nobody has said which disk it boots from".to_owned());
    }
    problems
}

fn heard(page: &Page, node: &Node) -> Option<Time> {
    (node.event_at != 0).then(|| page.time(node.event_at))
}

async fn list(State(boss): State<Arc<Boss>>, visitor: Visitor) -> Result<Response, Trouble> {
    visitor.actor.needs_admin()?;
    let page = Page::of(&boss, &visitor, Part::Nodes, "Nodes").await?;
    let mut nodes = Vec::new();
    for node in boss.db.nodes().await? {
        nodes.push(Row {
            experiment: boss.db.reservation_of(&node.node_id).await?,
            run: boss.db.run_of_node(&node.node_id).await?,
            heard: heard(&page, &node),
            problems: problems(&node, &boss.db.disks(&node.node_id).await?),
            node,
        });
    }
    // They stay in the order of their names beside that.
    nodes.sort_by_key(|row| row.problems.is_empty());
    let with_problems = nodes.iter().filter(|row| !row.problems.is_empty()).count();
    show(&All { page, nodes, with_problems })
}

async fn node(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(node_id): At<NodeId>,
) -> Result<Response, Trouble> {
    shown(&boss, &visitor, &node_id, &Fields::default(), "").await
}

async fn shown(
    boss: &Boss,
    visitor: &Visitor,
    node_id: &NodeId,
    typed: &Fields,
    error: &str,
) -> Result<Response, Trouble> {
    let node = machines(boss, visitor).find(node_id).await?;
    let page = Page::of(boss, visitor, Part::Nodes, format!("Node {node_id}")).await?;
    let disks = boss.db.disks(node_id).await?;
    let experiment = boss.db.reservation_of(node_id).await?;
    show(&OfNode {
        error: error.to_owned(),
        typed: typed.clone(),
        since: experiment.as_ref().map(|held| page.time(held.reserved_at)),
        experiment,
        run: boss.db.run_of_node(node_id).await?,
        heard: heard(&page, &node),
        problems: problems(&node, &disks),
        settings: settings::shown(&node.power_settings),
        slices: boss.db.partitions(node_id).await?,
        disks: disks
            .into_iter()
            .map(|disk| ShownDisk { size: disk.bytes.map(size), disk })
            .collect(),
        node,
        page,
    })
}

/// The page once more, and why something wasn't done.
async fn again(
    boss: &Boss,
    visitor: &Visitor,
    node_id: &NodeId,
    typed: &Fields,
    trouble: Trouble,
) -> Result<Response, Trouble> {
    let mut response = shown(boss, visitor, node_id, typed, trouble.message()).await?;
    *response.status_mut() = trouble.status();
    Ok(response)
}
