//! What of machines and images needs an administrator.

use std::collections::BTreeMap;

use super::problem::{Level, Problem, names};
use crate::db::images::Image;
use crate::db::nodes::Node;
use crate::doctor::fault_of_program;
use crate::names::NodeId;
use crate::power::Machine;
use crate::server::Boss;
use crate::web::trouble::Trouble;

pub(super) async fn problems(boss: &Boss) -> Result<Vec<Problem>, Trouble> {
    // What several have is said once.
    let (mut out, mut faulty) = (BTreeMap::new(), BTreeMap::new());
    for node in boss.db.nodes().await? {
        if let Some(why) = power_fault(boss, &node) {
            faulty.entry(why).or_insert_with(Vec::new).push(node.node_id.clone());
        }
        if let Some(why) = node.out_of_service {
            out.entry(why).or_insert_with(Vec::new).push(node.node_id);
        }
    }
    let mut problems = Vec::new();
    for (why, nodes) in faulty {
        let what = format!(
            "Boss can't turn {} on and off: {why}",
            names(nodes.iter().map(NodeId::as_str))
        );
        let todo = "No experiment can be swapped in or out with that before it is mended.";
        problems.push(link(Problem::new(Level::Soon, what, todo), &nodes));
    }
    for (why, nodes) in out {
        let what = format!("Out of service: {}: {why}", names(nodes.iter().map(NodeId::as_str)));
        let todo = "Nobody gets that. When it is mended, put it back.";
        problems.push(link(Problem::new(Level::Sometime, what, todo), &nodes));
    }
    let images = boss.db.images().await?;
    for image in &images {
        problems.extend(image_problem(boss, image, &images).await?);
    }
    Ok(problems)
}

fn link(problem: Problem, nodes: &[NodeId]) -> Problem {
    match nodes {
        [node_id] => problem.link(format!("/nodes/{node_id}"), "The node"),
        _ => problem.link("/nodes", "The nodes"),
    }
}

/// What can be seen of that without asking the machine.
fn power_fault(boss: &Boss, node: &Node) -> Option<String> {
    if node.power_driver.is_empty() {
        return Some("it has no power driver".to_owned());
    }
    let settings = node.power_settings.clone();
    if let Err(fault) = Machine::new(node.node_id.clone(), &node.power_driver, settings) {
        return Some(fault.to_string());
    }
    fault_of_program(&boss.power.directory().join(&node.power_driver))
}

/// What is wrong with an image that is in use.
async fn image_problem(
    boss: &Boss,
    image: &Image,
    all: &[Image],
) -> Result<Option<Problem>, Trouble> {
    let signature = boss.db.image_signature(image).await?;
    let is_signed = signature.is_some_and(|signature| signature.image_sha256 == image.sha256);
    let is_newest = !all.iter().any(|other| {
        (&other.pid, &other.name) == (&image.pid, &image.name) && other.version > image.version
    });
    // That a newer version is there is no reproach.
    let is_changed = image.stale && is_newest;
    if is_signed && !is_changed {
        return Ok(None);
    }
    let users = boss.db.image_users(image).await?;
    let Some(first) = users.first() else { return Ok(None) };
    let id = image.id();
    let more = match users.len() {
        1 => String::new(),
        count => format!(", and {} more use it", count - 1),
    };
    let (what, todo) = if is_changed {
        (
            format!("The file of {id} is not what it was ({first}{more})."),
            "Saved disks whose base it is can't be restored without the file as it was: bring that \
             back from a backup, or import the image again.",
        )
    } else {
        (
            format!("{id} has no signature ({first}{more})."),
            "No disk that was loaded with it can be saved before one is made.",
        )
    };
    let page = format!("/images/{}/{}/{}", image.pid, image.name, image.version);
    Ok(Some(Problem::new(Level::Soon, what, todo).link(page, "The image")))
}
