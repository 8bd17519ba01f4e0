//! Asking for disks to be loaded: of an experiment that gets nodes, or of a node that it has.

use std::collections::BTreeMap;

use super::request::{enter, find, leave_if_failed, new_run};
use super::{Job, Kind};
use crate::db::experiments::{Experiment, ExperimentState, Reservation, WantedNode};
use crate::db::images::Image;
use crate::db::nodes::Node;
use crate::db::swaps::NewSwap;
use crate::error::{ErrorKind, Result};
use crate::names::{ExperimentId, ImageId, Login, NodeId, Pid, Vname};
use crate::server::Boss;
use crate::swapinfo::{Outcome, Purpose, Saved, Scope, Swapinfo, Vnode};

/// Gives an experiment nodes, those that `on` names or any that are free and fit, and has their
/// disks loaded with what was saved, or with the images that the experiment asks for; the number
/// of the swap. No node is its user's before all are ready.
///
/// # Errors
/// `Conflict`: it is not swapped out, there are not enough nodes, or one can't be given what it needs.
/// Then it has none.
pub async fn swapin(
    boss: &Boss,
    id: &ExperimentId,
    on: &BTreeMap<Vname, NodeId>,
    by: &Login,
) -> Result<i64> {
    let experiment = find(boss, id).await?;
    let (from, to) = (ExperimentState::Swapped, ExperimentState::Activating);
    enter(boss, &experiment, from, to).await?;
    let begun = match give_nodes(boss, &experiment, on).await {
        Ok(()) => begin_swapin(boss, &experiment, by).await,
        Err(error) => Err(error),
    };
    if begun.is_err() {
        // No disk was touched.
        for reservation in boss.db.reservations(id).await? {
            boss.db.release(&reservation.node_id, id).await?;
        }
    }
    leave_if_failed(boss, id, begun, to, from).await
}

/// Reserves a node for each that the experiment asks for, and notes what it is loaded with.
async fn give_nodes(
    boss: &Boss,
    experiment: &Experiment,
    on: &BTreeMap<Vname, NodeId>,
) -> Result<()> {
    let id = experiment.id();
    let wanted = boss.db.wanted_nodes(&id).await?;
    if let Some(vname) = on.keys().find(|vname| !wanted.iter().any(|node| node.vname == **vname)) {
        return Err(ErrorKind::Invalid.because(format_args!("{id} has no node called {vname}")));
    }
    let swapinfo = Swapinfo::new(&boss.db, &boss.layout);
    for node in &wanted {
        let saved = match node.erole.as_str() {
            "node" => {
                let saved = swapinfo.saved(experiment, &node.vname).await;
                let because = |why| format!("what {} has saved can't be used: {why:#}", node.vname);
                saved.map_err(|why| ErrorKind::Conflict.because(because(why)))?
            }
            _ => None,
        };
        let node_id = reserve(boss, &id, node, on.get(&node.vname), saved.as_ref()).await?;
        let image = match (saved.and_then(|saved| saved.base), &node.image) {
            (Some(base), _) => base,
            (None, Some(image_id)) => image(boss, &id.pid, image_id).await?,
            (None, None) => continue,
        };
        boss.db.set_loaded(&node_id, &image).await?;
    }
    Ok(())
}

/// Reserves the node that is named, or one that is free and fits what was saved.
async fn reserve(
    boss: &Boss,
    id: &ExperimentId,
    wanted: &WantedNode,
    named: Option<&NodeId>,
    saved: Option<&Saved>,
) -> Result<NodeId> {
    let vname = &wanted.vname;
    if let Some(node_id) = named {
        if boss.db.reserve(node_id, id, vname, &wanted.erole).await? {
            return Ok(node_id.clone());
        }
        let why = match boss.db.reservation_of(node_id).await? {
            Some(other) => format!("{} has it", other.experiment),
            None if boss.db.node(node_id).await?.is_none() => "there is no such node".to_owned(),
            None => "it is out of service".to_owned(),
        };
        let why = format!("{vname} can't get {node_id}: {why}; choose one that is free, or none");
        return Err(ErrorKind::Conflict.because(why));
    }
    for node in boss.db.free_nodes().await? {
        // Another experiment may have taken it since.
        if fits(boss, &node, saved).await?
            && boss.db.reserve(&node.node_id, id, vname, &wanted.erole).await?
        {
            return Ok(node.node_id);
        }
    }
    let what = match saved {
        Some(saved) => format!(" with a disk of {} bytes or more", saved.meta.disk_size),
        None => String::new(),
    };
    Err(ErrorKind::Conflict.because(format_args!("no node{what} is free for {vname}")))
}

/// Whether what was saved can be loaded on a node's disk, as far as that is known here. The node
/// itself makes sure before it writes.
async fn fits(boss: &Boss, node: &Node, saved: Option<&Saved>) -> Result<bool> {
    let disks = boss.db.disks(&node.node_id).await?;
    let (Some(disk), Some(saved)) = (disks.first(), saved) else { return Ok(!disks.is_empty()) };
    let large = disk.bytes.is_none_or(|bytes| bytes >= saved.meta.disk_size);
    let sectors = disk.sector_size.is_none_or(|bytes| bytes == saved.meta.sector_size);
    Ok(large && sectors)
}

async fn begin_swapin(boss: &Boss, experiment: &Experiment, by: &Login) -> Result<i64> {
    let swapinfo = Swapinfo::new(&boss.db, &boss.layout);
    let (mut loaded, mut as_they_are) = (Vec::new(), Vec::new());
    for node in boss.db.wanted_nodes(&experiment.id()).await? {
        let is_loaded = node.image.is_some()
            || (node.erole == "node" && swapinfo.saved(experiment, &node.vname).await?.is_some());
        if is_loaded { loaded.push(node.vname) } else { as_they_are.push(node.vname) }
    }
    let scope = Scope::Nodes(&loaded);
    let mut collected = swapinfo.collect(experiment, scope, Purpose::Swapin).await?;
    collected.extend(as_they_are.into_iter().map(|vname| {
        let outcome = Outcome::Skipped("it is taken with what is on its disk".to_owned());
        Vnode { vname, node_id: None, outcome }
    }));
    begin(boss, experiment, Kind::Swapin, String::new(), by, &collected).await
}

/// Has a node's disk loaded with an image (`os_load`); the number of the swap. What it had saved
/// before is put aside.
///
/// # Errors
/// `NotFound`: no such node or image; `Conflict`: the experiment is not swapped in.
pub async fn load(
    boss: &Boss,
    id: &ExperimentId,
    vname: &Vname,
    image_id: &ImageId,
    by: &Login,
) -> Result<i64> {
    let experiment = find(boss, id).await?;
    let reservation = reservation(boss, id, vname).await?;
    let image = image(boss, &id.pid, image_id).await?;
    let (from, to) = (ExperimentState::Active, ExperimentState::Activating);
    enter(boss, &experiment, from, to).await?;
    let begun = async {
        boss.db.set_loaded(&reservation.node_id, &image).await?;
        let swapinfo = Swapinfo::new(&boss.db, &boss.layout);
        let scope = Scope::Nodes(std::slice::from_ref(vname));
        let collected = swapinfo.collect(&experiment, scope, Purpose::Load).await?;
        begin(boss, &experiment, Kind::Load, image.id().to_string(), by, &collected).await
    };
    leave_if_failed(boss, id, begun.await, to, from).await
}

/// Begins a swap of the nodes that have what they need; an error if one has not.
async fn begin(
    boss: &Boss,
    experiment: &Experiment,
    kind: Kind,
    command: String,
    by: &Login,
    collected: &[Vnode],
) -> Result<i64> {
    let id = experiment.id();
    let failures: Vec<_> = collected.iter().filter_map(failure).collect();
    if !failures.is_empty() {
        return Err(ErrorKind::Conflict.because(failures.join("\n")));
    }
    let place = boss.layout.swapinfo(&experiment.pid, &experiment.gid, &experiment.eid);
    let (mut runs, mut notes) = (Vec::new(), Vec::new());
    for node in collected {
        let reservation = reservation(boss, &id, &node.vname).await?;
        let (job, skip) = match &node.outcome {
            Outcome::Collected(given) => {
                let what = if given.has_saved { "what was saved, on " } else { "" };
                notes.push(format!("{}: {what}{}", node.vname, given.image.id()));
                if !given.put_aside.is_empty() {
                    let files = given.put_aside.join(" ");
                    notes.push(format!("{}: put aside, of another base: {files}", node.vname));
                }
                (if given.has_saved { Job::Swapin } else { Job::Load }, None)
            }
            Outcome::Skipped(why) | Outcome::Failed(why) => (Job::Load, Some(why.clone())),
        };
        let mut run = new_run(boss, &reservation, &place, job).await?;
        run.skip = skip;
        runs.push(run);
    }
    // A node that fails is turned off in any case.
    let (experiment, requested_by) = (id, by.clone());
    let swap = NewSwap { kind, experiment, fail: true, command, requested_by, runs };
    let swap_id = boss.db.add_swap(&swap).await?;
    for note in notes {
        boss.db.add_event(swap_id, None, "info", &note).await?;
    }
    boss.wake.notify_one();
    Ok(swap_id)
}

fn failure(node: &Vnode) -> Option<String> {
    let Outcome::Failed(why) = &node.outcome else { return None };
    Some(format!("{}: {why}", node.vname))
}

/// The node of an experiment.
pub(super) async fn reservation(
    boss: &Boss,
    id: &ExperimentId,
    vname: &Vname,
) -> Result<Reservation> {
    let reservations = boss.db.reservations(id).await?;
    reservations.into_iter().find(|reservation| reservation.vname == *vname).ok_or_else(|| {
        ErrorKind::NotFound.because(format_args!("{id} has no node {vname}, or is swapped out"))
    })
}

/// An image that nodes of a project may be loaded with. The newest one may have been everybody's when
/// the experiment asked for it, and be its own project's now.
async fn image(boss: &Boss, pid: &Pid, id: &ImageId) -> Result<Image> {
    let found = boss.db.image(id).await?.filter(|image| image.global || image.pid == *pid);
    found.ok_or_else(|| {
        ErrorKind::NotFound.because(format_args!(
            "there is no image {id} that project {pid} may use; the list of images (boss image list) \
             has all"
        ))
    })
}
