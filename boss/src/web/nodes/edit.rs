//! Adding machines, and changing what is known of them.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;

use super::{disk, machines, path, settings};
use crate::db::nodes::Node;
use crate::error;
use crate::http::to_its_end;
use crate::machines::Change;
use crate::names::NodeId;
use crate::power::is_secret;
use crate::server::Boss;
use crate::web::at::At;
use crate::web::fields::Fields;
use crate::web::guard::Visitor;
use crate::web::page::{Page, Part, done, show};
use crate::web::trouble::Trouble;

#[derive(Template)]
#[template(path = "node_edit.html")]
struct Form {
    page: Page,
    error: String,
    typed: Fields,
    /// The machine, if it is there already.
    node: Option<Node>,
    drivers: Vec<String>,
    driver: String,
    mac: String,
    ip: String,
    lines: String,
    secrets: Vec<String>,
}

pub(super) fn router() -> Router<Arc<Boss>> {
    Router::new()
        .route("/nodes/new", get(new).post(add))
        .route("/nodes/{node_id}/edit", get(edit).post(change))
}

async fn new(State(boss): State<Arc<Boss>>, visitor: Visitor) -> Result<Response, Trouble> {
    form(&boss, &visitor, None, &Fields::default(), "").await
}

async fn edit(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(node_id): At<NodeId>,
) -> Result<Response, Trouble> {
    let node = machines(&boss, &visitor).find(&node_id).await?;
    form(&boss, &visitor, Some(node), &Fields::default(), "").await
}

async fn form(
    boss: &Boss,
    visitor: &Visitor,
    node: Option<Node>,
    typed: &Fields,
    error: &str,
) -> Result<Response, Trouble> {
    let mut drivers = machines(boss, visitor).drivers().await?;
    let known = |known: fn(&Node) -> String| node.as_ref().map(known).unwrap_or_default();
    let value = |name, of: String| typed.given(name).map_or(of, str::to_owned);
    let driver = value("driver", known(|node| node.power_driver.clone()));
    if !driver.is_empty() && !drivers.contains(&driver) {
        // It may come back, and a form that was opened must not change it.
        drivers.push(driver.clone());
    }
    let title = node
        .as_ref()
        .map_or_else(|| "Add a node".to_owned(), |node| format!("Change node {}", node.node_id));
    let all = node.iter().flat_map(|node| node.power_settings.keys());
    let secrets = all.filter(|key| is_secret(key)).cloned().collect();
    show(&Form {
        page: Page::of(boss, visitor, Part::Nodes, title).await?,
        error: error.to_owned(),
        typed: typed.clone(),
        drivers,
        driver,
        mac: value("mac", known(|node| node.mac.clone())),
        ip: value("ip", known(|node| node.control_ip.to_string())),
        lines: value("settings", known(|node| settings::lines(&node.power_settings))),
        secrets,
        node,
    })
}

async fn again(
    boss: &Boss,
    visitor: &Visitor,
    node: Option<Node>,
    typed: &Fields,
    error: error::Error,
) -> Result<Response, Trouble> {
    let trouble = Trouble::from(error);
    let mut response = form(boss, visitor, node, typed, trouble.message()).await?;
    *response.status_mut() = trouble.status();
    Ok(response)
}

async fn add(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    fields: Fields,
) -> Result<Response, Trouble> {
    visitor.actor.needs_admin()?;
    let added = async {
        let node_id: NodeId = fields.parse("node_id", "Name")?;
        let (mac, ip) = (fields.parse("mac", "Network card")?, fields.parse("ip", "Address")?);
        let change = Change {
            power_driver: fields.given("driver").map(str::to_owned),
            power_settings: settings::changes(&fields, &node_settings(None))?,
            ..Change::default()
        };
        let disk = match fields.text("disk") {
            "" => None,
            _ => Some(disk::read(&fields)?),
        };
        let (boss, visitor) = (Arc::clone(&boss), visitor.clone());
        to_its_end(async move {
            let machines = machines(&boss, &visitor);
            machines.add(node_id.clone(), mac, ip, change).await?;
            if let Some(disk) = disk
                && let Err(error) = machines.set_disk(&node_id, disk).await
            {
                // The form is shown again, and then the machine must not be in its own way.
                machines.remove(&node_id).await?;
                return Err(error);
            }
            Ok(node_id)
        })
        .await
    };
    match added.await {
        Ok(node_id) => {
            let notice = format!("The node {node_id} is added.");
            done(&boss, &visitor, &notice, &path(&node_id)).await
        }
        Err(error) => again(&boss, &visitor, None, &fields, error).await,
    }
}

async fn change(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(node_id): At<NodeId>,
    fields: Fields,
) -> Result<Response, Trouble> {
    let node = machines(&boss, &visitor).find(&node_id).await?;
    let changed = async {
        let change = Change {
            mac: fields.given("mac").map(|_| fields.parse("mac", "Network card")).transpose()?,
            control_ip: fields.given("ip").map(|_| fields.parse("ip", "Address")).transpose()?,
            power_driver: fields.given("driver").map(str::to_owned),
            power_settings: settings::changes(&fields, &node_settings(Some(&node)))?,
            out_of_service: None,
        };
        machines(&boss, &visitor).change(&node_id, change).await
    };
    match changed.await {
        Ok(()) => {
            let notice = format!("What is known of {node_id} is changed.");
            done(&boss, &visitor, &notice, &path(&node_id)).await
        }
        Err(error) => again(&boss, &visitor, Some(node), &fields, error).await,
    }
}

fn node_settings(node: Option<&Node>) -> std::collections::BTreeMap<String, String> {
    node.map(|node| node.power_settings.clone()).unwrap_or_default()
}
