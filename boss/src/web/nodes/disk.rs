//! Which disks a machine has, and how they are told apart.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;

use super::{again, machines, path};
use crate::error::Result;
use crate::http::to_its_end;
use crate::machines::DiskChange;
use crate::names::NodeId;
use crate::server::Boss;
use crate::web::at::At;
use crate::web::fields::Fields;
use crate::web::guard::Visitor;
use crate::web::page::done;
use crate::web::trouble::Trouble;

pub(super) fn router() -> Router<Arc<Boss>> {
    Router::new().route("/nodes/{node_id}/disks", post(set))
}

/// What a form says of a disk.
///
/// # Errors
/// `Invalid`: a number is none.
pub(super) fn read(fields: &Fields) -> Result<DiskChange> {
    let text = |name| fields.given(name).map(|text| text.trim().to_owned());
    Ok(DiskChange {
        name: fields.text("disk").to_owned(),
        boots: fields.ticked("boots").unwrap_or(false),
        bytes: fields.parse_if_given("bytes", "Size")?,
        sector_size: fields.parse_if_given("sector_size", "Size of its sectors")?,
        serial: text("serial"),
        wwn: text("wwn"),
        disk_guid: text("disk_guid"),
    })
}

async fn set(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(node_id): At<NodeId>,
    fields: Fields,
) -> std::result::Result<Response, Trouble> {
    visitor.actor.needs_admin()?;
    let set = async {
        let disk = read(&fields)?;
        let name = disk.name.clone();
        let (boss, visitor, node_id) = (Arc::clone(&boss), visitor.clone(), node_id.clone());
        to_its_end(async move { machines(&boss, &visitor).set_disk(&node_id, disk).await }).await?;
        Ok::<_, crate::error::Error>(name)
    };
    match set.await {
        Ok(name) => {
            let notice = format!("The disk {name} is noted.");
            done(&boss, &visitor, &notice, &path(&node_id)).await
        }
        Err(error) => again(&boss, &visitor, &node_id, &fields, error.into()).await,
    }
}
