//! An experiment gets machines: any, or those that an administrator chooses.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::choices::Choice;
use super::nodes::{self, Node};
use super::{again, begun, experiments, needs_state};
use crate::db::experiments::ExperimentState;
use crate::error::{ErrorKind, Result};
use crate::experiment::swaps::Swaps;
use crate::http::to_its_end;
use crate::names::{ExperimentId, NodeId, Vname};
use crate::server::Boss;
use crate::swapinfo::Swapinfo;
use crate::web::at::At;
use crate::web::fields::Fields;
use crate::web::guard::Visitor;
use crate::web::page::{Page, Part, size};
use crate::web::trouble::Trouble;

#[derive(Template)]
#[template(path = "experiment_swapin.html")]
struct Form {
    page: Page,
    error: String,
    id: String,
    nodes: Vec<Node>,
    /// Machines that are free, for administrators.
    free: Vec<Choice>,
    /// Which were chosen, by nodes' names.
    on: BTreeMap<String, String>,
}

impl Form {
    fn is_chosen(&self, vname: &str, machine: &str) -> bool {
        self.on.get(vname).is_some_and(|chosen| chosen == machine)
    }
}

pub(super) async fn form(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(id): At<ExperimentId>,
) -> std::result::Result<Response, Trouble> {
    show(&boss, &visitor, &id, BTreeMap::new(), None).await
}

pub(super) async fn begin(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(id): At<ExperimentId>,
    fields: Fields,
) -> std::result::Result<Response, Trouble> {
    let pairs = fields.all("vname").zip(fields.all("machine"));
    let chosen: BTreeMap<String, String> = pairs
        .filter(|(_, machine)| !machine.is_empty())
        .map(|(vname, machine)| (vname.to_owned(), machine.to_owned()))
        .collect();
    let (site, actor, of) = (Arc::clone(&boss), visitor.actor.clone(), id.clone());
    let swap = match read(&chosen) {
        Ok(on) => {
            let work = async move { Swaps { boss: &site, actor: &actor }.swapin(&of, &on).await };
            to_its_end(work).await
        }
        Err(error) => Err(error),
    };
    match swap {
        Ok(swap) => Ok(begun(swap)),
        Err(error) => show(&boss, &visitor, &id, chosen, Some(error.into())).await,
    }
}

/// The machines that were chosen, each for one node.
fn read(chosen: &BTreeMap<String, String>) -> Result<BTreeMap<Vname, NodeId>> {
    let mut on: BTreeMap<Vname, NodeId> = BTreeMap::new();
    for (vname, machine) in chosen {
        let vname: Vname = vname.parse().map_err(|error| ErrorKind::Invalid.because(error))?;
        let machine: NodeId = machine.parse().map_err(|error| ErrorKind::Invalid.because(error))?;
        if let Some((other, _)) = on.iter().find(|(_, taken)| **taken == machine) {
            let why = format!("{machine} is chosen for {other} and for {vname}: it can be one");
            return Err(ErrorKind::Invalid.because(why));
        }
        on.insert(vname, machine);
    }
    Ok(on)
}

/// What each node gets, and what is wrong.
async fn show(
    boss: &Boss,
    visitor: &Visitor,
    id: &ExperimentId,
    on: BTreeMap<String, String>,
    trouble: Option<Trouble>,
) -> std::result::Result<Response, Trouble> {
    let experiment = experiments(boss, &visitor.actor).controlled(id).await?;
    needs_state(id, experiment.state, ExperimentState::Swapped)?;
    let page = Page::of(boss, visitor, Part::Experiments, format!("Swap in {id}")).await?;
    let swapinfo = Swapinfo::new(&boss.db, &boss.layout);
    // Why they can't be listed is on the experiment's page.
    let saved = swapinfo.saved_disks(&experiment).await.unwrap_or_default();
    let form = Form {
        error: trouble.as_ref().map(|trouble| trouble.message().to_owned()).unwrap_or_default(),
        id: id.to_string(),
        nodes: nodes::of(boss, &page, &experiment, &saved, None).await?,
        free: if page.admin { free(boss).await? } else { Vec::new() },
        on,
        page,
    };
    again(&form, trouble.map_or(StatusCode::OK, |trouble| trouble.status()))
}

/// The machines that nobody has, with the size of the disk that each boots from.
async fn free(boss: &Boss) -> sqlx::Result<Vec<Choice>> {
    let disks = boss.db.boot_disk_sizes().await?;
    let free = boss.db.free_nodes().await?.into_iter().map(|node| {
        let bytes = disks.get(&node.node_id);
        let label = match bytes {
            Some(bytes) => format!("{}, disk of {}", node.node_id, size(*bytes)),
            None => node.node_id.to_string(),
        };
        Choice::new(&node.node_id, label)
    });
    Ok(free.collect())
}
