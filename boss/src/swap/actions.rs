//! Does what a run needs done.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::command::Command;
use super::machine::{Action, ActionError};
use super::{Job, Kind, Outcome, capture, observe};
use crate::db::swaps::{Run, Swap};
use crate::names::NodeId;
use crate::power::{Machine, Power, PowerError};
use crate::server::Boss;
use crate::swapinfo::Swapinfo;

/// How often a machine is looked at that is about to be off.
const PAUSE: Duration = Duration::from_secs(1);

/// What stands between why a machine could not be turned off and what an operator is to do.
const NOT_YET: &str = "; the node is not given back before it is known to be off: ";

/// Why a machine could not be turned off, in a warning of [`turn_off`]: for who does something about
/// it in another way.
pub(crate) fn why_not_off(warning: &str) -> &str {
    warning.split(NOT_YET).next().unwrap_or_default()
}

/// The action, to be awaited.
pub(super) fn perform(
    boss: &Arc<Boss>,
    swap: &Swap,
    run: &Run,
    action: Action,
) -> impl Future<Output = Result<(), ActionError>> + Send + 'static {
    let (boss, swap, run) = (Arc::clone(boss), swap.clone(), run.clone());
    async move {
        match action {
            Action::BootMfs => boot_mfs(&boss, &run).await,
            Action::Check => check(&boss, &swap, &run).await,
            Action::TurnOff => turn_off(&boss, &run).await,
            Action::GiveBack => give_back(&boss, &swap, &run).await,
            Action::BootDisk => boot_disk(&boss, &run).await,
        }
    }
}

/// The driver and settings of a node's power.
pub(crate) async fn machine(boss: &Boss, node_id: &NodeId) -> Result<Machine, ActionError> {
    let fatal = |why: String| ActionError { why, is_final: true };
    let node = boss.db.node(node_id).await.map_err(|error| database(&error))?;
    let node = node.ok_or_else(|| fatal(format!("{node_id} is in the data base no more")))?;
    if node.power_driver.is_empty() {
        return Err(fatal(format!(
            "{node_id} has no power driver; change the node to have one (boss node set --power-driver)"
        )));
    }
    Machine::new(node.node_id, &node.power_driver, node.power_settings)
        .map_err(|error| fatal(error.to_string()))
}

/// From off to the network: what ran on the node, and what it had to write, has ended.
async fn boot_mfs(boss: &Boss, run: &Run) -> Result<(), ActionError> {
    let machine = machine(boss, &run.node_id).await?;
    if matches!(run.job, Job::Swapout | Job::Capture) && run.decision.attempt == 1 {
        end_system(boss, run, &machine).await?;
    }
    boss.power.off(&machine).await.map_err(|error| power(&error))?;
    boss.power.netboot(&machine).await.map_err(|error| power(&error))?;
    boss.power.on(&machine).await.map_err(|error| power(&error))
}

/// Has the user's own system end by itself: what it has not yet written would be lost. If it can't
/// be asked or doesn't, that is told; the file systems are saved as they will be after recovery.
async fn end_system(boss: &Boss, run: &Run, machine: &Machine) -> Result<(), ActionError> {
    let seconds = u64::from(boss.config.limits.shutdown);
    let deadline = Instant::now() + Duration::from_secs(seconds);
    if boss.power.status(machine).await.map_err(|error| power(&error))? == Power::Off {
        return Ok(());
    }
    let why = match boss.power.shutdown(machine).await {
        Err(error) => error.to_string(),
        Ok(()) => loop {
            if boss.power.status(machine).await.map_err(|error| power(&error))? == Power::Off {
                return Ok(());
            }
            if Instant::now() >= deadline {
                break format!("its system did not end within {seconds} s");
            }
            tokio::time::sleep(PAUSE).await;
        },
    };
    let text =
        format!("{}: {why}; its power is cut, and what it had not written yet is lost", run.vname);
    boss.db
        .add_event(run.swap_id, Some(run.id), "warning", &text)
        .await
        .map_err(|error| database(&error))
}

async fn boot_disk(boss: &Boss, run: &Run) -> Result<(), ActionError> {
    let machine = machine(boss, &run.node_id).await?;
    boss.power.diskboot(&machine).await.map_err(|error| power(&error))?;
    boss.power.on(&machine).await.map_err(|error| power(&error))
}

async fn turn_off(boss: &Boss, run: &Run) -> Result<(), ActionError> {
    if run.signs.seen_off {
        return Ok(());
    }
    let hint = |error: ActionError| ActionError {
        why: format!("{}{NOT_YET}turn it off and say boss node is-off {}", error.why, run.node_id),
        ..error
    };
    let machine = machine(boss, &run.node_id).await.map_err(hint)?;
    boss.power.off(&machine).await.map_err(|error| hint(power(&error)))
}

async fn check(boss: &Boss, swap: &Swap, run: &Run) -> Result<(), ActionError> {
    if run.job == Job::Swapout && !Command::parse(&run.command).saves() {
        // It leaves nothing that could be looked at, and nothing is called saved.
        return Ok(());
    }
    observe::check(boss, run).await?;
    if run.job != Job::Capture {
        return Ok(());
    }
    let made = capture::publish(boss, swap, run).await;
    let made = made.map_err(|error| ActionError { why: error.to_string(), is_final: true })?;
    let text = match &made.signature {
        Ok(_) => format!("made {}, with its signature", made.image.id()),
        Err(why) => format!("made {}, but no signature: {why}", made.image.id()),
    };
    boss.db.add_event(swap.id, Some(run.id), "info", &text).await.map_err(|error| database(&error))
}

async fn give_back(boss: &Boss, swap: &Swap, run: &Run) -> Result<(), ActionError> {
    // False if it was done already, by a boss that could not write that down any more.
    boss.db
        .release(&run.node_id, &swap.experiment())
        .await
        .map(drop)
        .map_err(|error| database(&error))
}

/// What is left to do when a swap is over. That it can't be done changes nothing of the outcome.
pub(super) async fn after(boss: &Boss, swap: &Swap, runs: &[Run]) {
    if let Err(error) = tidy(boss, swap, runs).await {
        tracing::warn!(swap = swap.id, "tidying up: {error}");
    }
}

async fn tidy(boss: &Boss, swap: &Swap, runs: &[Run]) -> crate::error::Result<()> {
    let failed = |run: &&Run| run.decision.outcome != Some(Outcome::Done);
    if swap.kind == Kind::Capture {
        for run in runs.iter().filter(failed) {
            capture::abandon(boss, run).await?;
        }
        return Ok(());
    }
    let experiment = super::request::find(boss, &swap.experiment()).await?;
    let swapinfo = Swapinfo::new(&boss.db, &boss.layout);
    if !experiment.savedisk && swap.kind != Kind::Swapout {
        let vnames: Vec<_> = runs.iter().map(|run| run.vname.clone()).collect();
        swapinfo.forget(&experiment, &vnames).await?;
    }
    let garbage = swapinfo.collect_garbage(&experiment).await?;
    for name in garbage.left_over.iter().chain(&garbage.dangling).chain(&garbage.unreadable) {
        tracing::info!(swap = swap.id, "{}: {name} is left over", experiment.id());
    }
    Ok(())
}

fn power(error: &PowerError) -> ActionError {
    ActionError { is_final: !error.kind.may_pass(), why: error.to_string() }
}

fn database(error: &sqlx::Error) -> ActionError {
    ActionError { why: error.to_string(), is_final: false }
}
