//! The nodes of an experiment: their machines, what is on these, and what a swap does with it.

use std::collections::BTreeMap;

use crate::db::experiments::{Experiment, ExperimentState, Reservation, WantedNode};
use crate::db::swaps::{Run, Swap};
use crate::error::Result;
use crate::names::Vname;
use crate::server::Boss;
use crate::swap::request::plan_swapout;
use crate::swapinfo::{DiskState, SavedDisk};
use crate::web::page::Page;
use crate::web::zone::Time;

/// A node as a page shows it.
pub(super) struct Node {
    pub(super) vname: String,
    /// What it is for, if not for its user.
    pub(super) role: String,
    pub(super) machine: String,
    pub(super) image: String,
    /// What the machine has last said, or what it does in a swap.
    pub(super) state: String,
    pub(super) state_class: &'static str,
    pub(super) since: Option<Time>,
    /// What the next swap does with its disk.
    pub(super) next: Next,
}

/// What the next swap does with a disk.
pub(super) enum Next {
    /// It is being done.
    Nothing,
    /// A swapin brings that back, which was saved then.
    Saved(Time),
    /// A swapin can't: what was saved can't be used, and why.
    Unusable(String),
    /// A swapin loads an image.
    Loaded(String),
    /// A swapin takes it as it is.
    AsItIs,
    /// A swapout saves it.
    Saves,
    /// A swapout loses it, and why.
    Lost(String),
}

impl Next {
    /// In words.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Saved(_) => "gets back its saved disk of".to_owned(),
            Self::Unusable(why) => format!("its saved disk can't be used: {why}"),
            Self::Loaded(image) => format!("is loaded with {image}"),
            Self::AsItIs => "is taken with what is on its disk".to_owned(),
            Self::Saves => "disk is saved".to_owned(),
            Self::Lost(why) => format!("disk is not saved: {why}"),
        }
    }

    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::Unusable(_) => "bad",
            Self::Lost(_) => "warn",
            _ => "",
        }
    }

    pub(super) fn saved_at(&self) -> Option<&Time> {
        if let Self::Saved(at) = self { Some(at) } else { None }
    }
}

/// All nodes, those that it asks for and those that it has.
pub(super) async fn of(
    boss: &Boss,
    page: &Page,
    experiment: &Experiment,
    disks: &[SavedDisk],
    swap: Option<&Swap>,
) -> Result<Vec<Node>> {
    let id = experiment.id();
    let mut wanted = boss.db.wanted_nodes(&id).await?;
    let held: BTreeMap<Vname, Reservation> = {
        let held = boss.db.reservations(&id).await?.into_iter();
        held.map(|reservation| (reservation.vname.clone(), reservation)).collect()
    };
    let asked_for = |vname: &Vname| wanted.iter().any(|node| node.vname == *vname);
    let more: Vec<_> = held
        .values()
        .filter(|reservation| !asked_for(&reservation.vname))
        .map(|reservation| WantedNode {
            vname: reservation.vname.clone(),
            erole: reservation.erole.clone(),
            image: None,
        })
        .collect();
    wanted.extend(more);
    let loaded = boss.db.loaded_images(&id).await?;
    let machines = boss.db.nodes_of(&id).await?;
    let runs = match swap.filter(|swap| !swap.ended) {
        Some(swap) => boss.db.runs(swap.id).await?,
        None => Vec::new(),
    };
    let lost: BTreeMap<Vname, String> = match experiment.state {
        ExperimentState::Active => {
            let plan = plan_swapout(boss, experiment).await?;
            plan.lost().map(|(node, why)| (node.vname.clone(), why.to_owned())).collect()
        }
        _ => BTreeMap::new(),
    };
    let nodes = wanted.into_iter().map(|node| {
        let machine = held.get(&node.vname).map(|reservation| &reservation.node_id);
        let known = machines.iter().find(|known| Some(&known.node_id) == machine);
        let run = runs.iter().find(|run| run.vname == node.vname);
        let (state, state_class, since) = match (run, known) {
            (Some(run), _) => (in_swap(run), "busy", Some(run.decision.entered_at)),
            (None, Some(known)) if !known.event_state.is_empty() => {
                (known.event_state.clone(), "", Some(known.event_at))
            }
            (None, Some(_)) => ("nothing heard yet".to_owned(), "", None),
            (None, None) => (String::new(), "", None),
        };
        let on_disk = machine.and_then(|machine| loaded.get(machine));
        let image = on_disk.or(node.image.as_ref()).map(ToString::to_string);
        let next = match experiment.state {
            ExperimentState::Swapped => at_swapin(page, &node, disks),
            ExperimentState::Active => match lost.get(&node.vname) {
                Some(why) => Next::Lost(why.clone()),
                None => Next::Saves,
            },
            ExperimentState::Activating | ExperimentState::Swapping => Next::Nothing,
        };
        Node {
            vname: node.vname.to_string(),
            role: if node.erole == "node" { String::new() } else { node.erole },
            machine: machine.map(ToString::to_string).unwrap_or_default(),
            image: image.unwrap_or_else(|| "what is on the disk".to_owned()),
            state,
            state_class,
            since: since.map(|since| page.time(since)),
            next,
        }
    });
    Ok(nodes.collect())
}

/// What a swapin does with a node's disk.
fn at_swapin(page: &Page, node: &WantedNode, disks: &[SavedDisk]) -> Next {
    let mut of_node = disks.iter().filter(|disk| disk.vname == node.vname && node.erole == "node");
    let disk = of_node.find(|disk| !matches!(disk.state, DiskState::Stale(_)));
    match (disk.map(|disk| &disk.state), &node.image) {
        (Some(DiskState::Current(saved)), _) => {
            Next::Saved(page.time(i64::try_from(saved.meta.created).unwrap_or(i64::MAX)))
        }
        (Some(DiskState::Unreadable(why)), _) => Next::Unusable(why.clone()),
        (_, Some(image)) => Next::Loaded(image.to_string()),
        (_, None) => Next::AsItIs,
    }
}

/// What a node does in a swap.
fn in_swap(run: &Run) -> String {
    let state = run.decision.state.describe(run.kind);
    match run.decision.outcome {
        Some(outcome) => format!("{}, {state}", outcome.describe(run.kind, &run.command)),
        None => state.to_owned(),
    }
}
