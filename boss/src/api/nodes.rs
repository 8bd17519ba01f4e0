//! Machines: for administrators.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{Problem, Reply};
use super::request::{At, Who};
use crate::error::ErrorKind;
use crate::names::NodeId;
use crate::server::Boss;
use crate::view::Node;

pub(super) fn router() -> OpenApiRouter<Arc<Boss>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

/// All machines.
#[utoipa::path(get, path = "/api/v1/nodes", operation_id = "list_nodes", responses(
    (status = 200, body = Vec<Node>), (status = 401, body = Problem), (status = 403, body = Problem)
))]
async fn list(State(boss): State<Arc<Boss>>, Who(actor): Who) -> Reply<Vec<Node>> {
    actor.needs_admin()?;
    let mut all = Vec::new();
    for node in boss.db.nodes().await? {
        all.push(Node::of(&boss.db, &node).await?);
    }
    Ok(Json(all))
}

/// A machine.
#[utoipa::path(get, path = "/api/v1/nodes/{node_id}", operation_id = "get_node",
    params(("node_id" = String, Path)),
    responses(
        (status = 200, body = Node), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem)
    )
)]
async fn show(
    State(boss): State<Arc<Boss>>,
    Who(actor): Who,
    At(node_id): At<NodeId>,
) -> Reply<Node> {
    actor.needs_admin()?;
    let node = boss.db.node(&node_id).await?;
    let missing = || ErrorKind::NotFound.because(format_args!("there is no node {node_id}"));
    Ok(Json(Node::of(&boss.db, &node.ok_or_else(missing)?).await?))
}
