//! Does what a run needs done.

use std::future::Future;
use std::sync::Arc;

use super::machine::{Action, ActionError};
use super::{Job, Kind, observe};
use crate::db::swaps::{Run, Swap};
use crate::names::NodeId;
use crate::power::{Machine, PowerError};
use crate::server::Boss;

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
    let node = boss.db.node(node_id).await.map_err(database)?;
    let node = node.ok_or_else(|| fatal(format!("{node_id} is in the data base no more")))?;
    if node.power_driver.is_empty() {
        return Err(fatal(format!(
            "{node_id} has no power driver; boss node set {node_id} --power names one"
        )));
    }
    Machine::new(node.node_id, &node.power_driver, node.power_settings)
        .map_err(|error| fatal(error.to_string()))
}

/// From off to the network: what runs on the node, and what it had to say, has ended.
async fn boot_mfs(boss: &Boss, run: &Run) -> Result<(), ActionError> {
    let machine = machine(boss, &run.node_id).await?;
    boss.power.off(&machine).await.map_err(power)?;
    boss.power.netboot(&machine).await.map_err(power)?;
    boss.power.on(&machine).await.map_err(power)
}

async fn boot_disk(boss: &Boss, run: &Run) -> Result<(), ActionError> {
    let machine = machine(boss, &run.node_id).await?;
    boss.power.diskboot(&machine).await.map_err(power)?;
    boss.power.on(&machine).await.map_err(power)
}

async fn turn_off(boss: &Boss, run: &Run) -> Result<(), ActionError> {
    if run.signs.seen_off {
        return Ok(());
    }
    let hint = |error: ActionError| ActionError {
        why: format!(
            "{}; the node is not given back before it is known to be off: turn it off and say \
             boss node is-off {}",
            error.why, run.node_id
        ),
        ..error
    };
    let machine = machine(boss, &run.node_id).await.map_err(hint)?;
    boss.power.off(&machine).await.map_err(|error| hint(power(error)))
}

async fn check(boss: &Boss, _swap: &Swap, run: &Run) -> Result<(), ActionError> {
    observe::check(boss, run).await
}

async fn give_back(boss: &Boss, swap: &Swap, run: &Run) -> Result<(), ActionError> {
    // False if it was done already, by a boss that could not write that down any more.
    boss.db.release(&run.node_id, &swap.experiment()).await.map(drop).map_err(database)
}

/// What is left to do when a swap is over.
pub(super) async fn after(boss: &Boss, swap: &Swap) {
    let _ = (boss, swap, Job::Swapout, Kind::Swapout);
}

fn power(error: PowerError) -> ActionError {
    ActionError { is_final: !error.kind.may_pass(), why: error.to_string() }
}

fn database(error: sqlx::Error) -> ActionError {
    ActionError { why: error.to_string(), is_final: false }
}
