//! Asking for swaps: what may be done, and what there is to do, is found out here; the supervisor
//! does it.

use std::path::Path;

use rustix::fs::statvfs;

use super::command::Command;
use super::{Job, Kind, limits, observe};
use crate::access::no_experiment;
use crate::db::experiments::{Experiment, ExperimentState, Reservation};
use crate::db::swaps::{NewRun, NewSwap};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::Place;
use crate::names::{ExperimentId, Login, NodeId};
use crate::server::Boss;

/// Has an experiment's disks saved, as the site variables say and the experiment wants, and its
/// nodes given back; the number of the swap.
///
/// # Errors
/// `NotFound`: no such experiment; `Conflict`: it is not swapped in.
pub async fn swapout(boss: &Boss, id: &ExperimentId, by: &Login) -> Result<i64> {
    let experiment = find(boss, id).await?;
    enter(boss, &experiment, ExperimentState::Active, ExperimentState::Swapping).await?;
    let begun = begin_swapout(boss, &experiment, by).await;
    // Nothing has begun: it stays as it was.
    leave_if_failed(boss, id, begun, ExperimentState::Swapping, ExperimentState::Active).await
}

/// What a swapout does with an experiment's disks.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What nodes run, as the site variable says it.
    pub text: String,
    /// Whether a disk that can't be saved keeps the experiment swapped in.
    pub fail: bool,
    /// Why no disk at all is saved, if so.
    pub none: Option<String>,
    /// The nodes, and of each why it is left alone, if so.
    pub nodes: Vec<(Reservation, Option<String>)>,
    command: Command,
}

impl Plan {
    /// Whether a disk is lost, and why: of nodes that are left alone, and of all, if what they run
    /// saves nothing.
    pub fn lost(&self) -> impl Iterator<Item = (&Reservation, &str)> {
        let useless = (!self.command.saves())
            .then_some("what the site has nodes run at a swapout saves no disks");
        self.nodes.iter().filter_map(move |(node, skip)| {
            Some((node, self.none.as_deref().or(skip.as_deref()).or(useless)?))
        })
    }
}

/// What a swapout would do with the disks that an experiment has now.
///
/// # Errors
/// If the data base can't be read.
pub async fn plan_swapout(boss: &Boss, experiment: &Experiment) -> Result<Plan> {
    let text = sitevar(boss, "swap/swapout_command").await?;
    // A variable that can't be read must not turn failures into warnings.
    let fail = boss.db.sitevar("swap/swapout_command_failaction").await?;
    let fail = fail.is_none_or(|action| action == "fail");
    let command = Command::parse(&text);
    let none = skip_all(command, experiment);
    let place = boss.layout.swapinfo(&experiment.pid, &experiment.gid, &experiment.eid);
    let nodes = boss.db.reservations(&experiment.id()).await?.into_iter().map(|reservation| {
        let skip = none.clone().or_else(|| skip_one(command, &reservation, &place));
        (reservation, skip)
    });
    let nodes = nodes.collect();
    Ok(Plan { text, fail, none, nodes, command })
}

async fn begin_swapout(boss: &Boss, experiment: &Experiment, by: &Login) -> Result<i64> {
    let seconds = sitevar(boss, "swap/swapout_command_timeout").await?;
    let seconds: u32 = seconds.trim().parse().map_err(|_| {
        ErrorKind::Invalid.because(format_args!(
            "the site variable swap/swapout_command_timeout is {seconds:?}, not a number of seconds"
        ))
    })?;
    let Plan { text, fail, none, nodes, command } = plan_swapout(boss, experiment).await?;
    let place = boss.layout.swapinfo(&experiment.pid, &experiment.gid, &experiment.eid);
    let mut runs = Vec::new();
    let mut warnings = Vec::new();
    for (reservation, skip) in nodes {
        let mut run = new_run(boss, &reservation, &place, Job::Swapout).await?;
        run.limits[1] = match command {
            Command::CreateSwapimage { .. } => run.limits[1].max(seconds),
            _ => seconds,
        };
        if skip.is_none() && command.saves() {
            warnings.extend(scarcity(&place, &run));
        }
        run.skip = skip;
        runs.push(run);
    }
    let swap = NewSwap {
        kind: Kind::Swapout,
        experiment: experiment.id(),
        fail,
        command: text,
        requested_by: by.clone(),
        runs,
    };
    let id = boss.db.add_swap(&swap).await?;
    if let Some(why) = none {
        boss.db.add_event(id, None, "warning", &format!("no disk is saved: {why}")).await?;
    } else {
        for run in &swap.runs {
            if let Some(why) = &run.skip {
                let text = format!("{}: the disk is not saved: {why}", run.vname);
                boss.db.add_event(id, None, "warning", &text).await?;
            }
        }
    }
    for warning in warnings {
        boss.db.add_event(id, None, "warning", &warning).await?;
    }
    boss.wake.notify_one();
    Ok(id)
}

/// Why no disk of the experiment is saved, if so: said once, not for each node.
fn skip_all(command: Command, experiment: &Experiment) -> Option<String> {
    match command {
        Command::None => Some("the site variable swap/swapout_command is empty".to_owned()),
        _ if experiment.firewalled => Some(
            "the experiment is firewalled, and a saved disk could be started outside".to_owned(),
        ),
        Command::CreateSwapimage { .. } if !experiment.savedisk => {
            Some("the experiment doesn't ask for it".to_owned())
        }
        _ => None,
    }
}

/// Why this node's disk is not saved, if so: it is found out before the node is touched.
fn skip_one(command: Command, reservation: &Reservation, place: &Place) -> Option<String> {
    let Command::CreateSwapimage { full, .. } = command else { return None };
    if reservation.erole != "node" {
        return Some(format!("it is a {}", reservation.erole));
    }
    let vname = &reservation.vname;
    let missing = |suffix: &str| {
        let name = format!("{vname}.{suffix}");
        // A link that leads nowhere counts as nothing.
        place.here.join(&name).metadata().is_err().then_some(name)
    };
    let signature = if full { None } else { missing("sig") };
    let name = missing("part").or(signature)?;
    Some(format!("{name} is not in {}; collect what is needed for saving", place.node.display()))
}

/// A warning if less is free than the last image has, as the new one is written beside it.
fn scarcity(place: &Place, run: &NewRun) -> Option<String> {
    let room = statvfs(&place.here).ok()?;
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let image = place.here.join(format!("{}-swap.ndz", run.vname));
    let before = image.symlink_metadata().map_or(0, |metadata| metadata.len());
    let least = before.max(1 << 20);
    (free < least).then(|| {
        format!(
            "{}: {} MiB are free on the file server, and the last image has {} MiB",
            run.vname,
            free >> 20,
            before >> 20
        )
    })
}

/// A run with the limits that the size of the node's disk suggests.
pub(super) async fn new_run(
    boss: &Boss,
    reservation: &Reservation,
    place: &Place,
    job: Job,
) -> Result<NewRun> {
    let disks = boss.db.disks(&reservation.node_id).await?;
    let bytes = disks.first().and_then(|disk| disk.bytes);
    let vname = reservation.vname.as_str();
    let meta_before = observe::meta_digest(&boss.layout, &place.here, vname).await;
    Ok(NewRun {
        node_id: reservation.node_id.clone(),
        vname: reservation.vname.clone(),
        job,
        directory: path_text(&place.node)?,
        file_server: file_server(boss, reservation).await?,
        limits: limits::of_disk(&boss.config.limits, bytes),
        meta_before,
        skip: None,
    })
}

async fn file_server(boss: &Boss, reservation: &Reservation) -> Result<String> {
    let project = boss.db.project(&reservation.experiment.pid).await?;
    let own = project.and_then(|project| project.file_server);
    Ok(own.unwrap_or_else(|| boss.config.file_server()))
}

/// Asks for a swap to stop: nodes that are at work are turned off, what they were at is not done.
///
/// # Errors
/// `Conflict`: it is over, or there is none.
pub async fn cancel(boss: &Boss, id: i64) -> Result<()> {
    if !boss.db.cancel_swap(id).await? {
        return Err(ErrorKind::Conflict.because(format_args!("swap {id} is not going on")));
    }
    boss.wake.notify_one();
    Ok(())
}

/// An operator has seen that a machine is off, whose driver can't tell.
///
/// # Errors
/// `Conflict`: nobody waits for that.
pub async fn is_off(boss: &Boss, node_id: &NodeId) -> Result<()> {
    if !boss.db.note_seen_off(node_id).await? {
        let why = format!(
            "{node_id} is not being swapped, or not about to be turned off: nothing waits for it to \
             be off"
        );
        return Err(ErrorKind::Conflict.because(why));
    }
    boss.wake.notify_one();
    Ok(())
}

/// An experiment.
///
/// # Errors
/// `NotFound`
pub async fn find(boss: &Boss, id: &ExperimentId) -> Result<Experiment> {
    let experiment = boss.db.experiment(id).await?;
    experiment.ok_or_else(|| no_experiment(id))
}

/// Takes the experiment from one state to another, which nobody else can do at the same time.
pub(super) async fn enter(
    boss: &Boss,
    experiment: &Experiment,
    from: ExperimentState,
    to: ExperimentState,
) -> Result<()> {
    if boss.db.move_experiment(&experiment.id(), from, to).await? {
        return Ok(());
    }
    let id = experiment.id();
    let state = find(boss, &id).await?.state.name();
    Err(ErrorKind::Conflict
        .because(format_args!("{id} is {state}, and must be {} for that", from.name())))
}

/// Takes the experiment back to where it was, if nothing could be begun.
pub(super) async fn leave_if_failed(
    boss: &Boss,
    id: &ExperimentId,
    begun: Result<i64>,
    entered: ExperimentState,
    back: ExperimentState,
) -> Result<i64> {
    if begun.is_err()
        && let Err(error) = boss.db.move_experiment(id, entered, back).await
    {
        tracing::error!("{id} stays {}: {error}", entered.name());
    }
    begun
}

/// The value of a site variable.
pub(super) async fn sitevar(boss: &Boss, name: &str) -> Result<String> {
    let value = boss.db.sitevar(name).await?;
    value.ok_or_else(|| {
        ErrorKind::Failed.because(format_args!("the site variable {name} is not in the data base"))
    })
}

fn path_text(path: &Path) -> Result<String> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Error::from(anyhow::anyhow!("{} is not UTF-8", path.display())))
}
