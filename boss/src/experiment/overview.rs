//! How all experiments are, in a few words for each.

use std::collections::BTreeSet;

use crate::db::Database;
use crate::db::experiments::{Experiment, ExperimentState};
use crate::db::swaps::Swap;
use crate::error::Result;
use crate::experiment::manage::Experiments;

/// An experiment in a list.
#[derive(Clone, Debug)]
pub struct Overview {
    /// The experiment.
    pub experiment: Experiment,
    /// How many nodes it asks for.
    pub nodes: u32,
    /// Its last swap, if it was ever swapped.
    pub last: Option<Swap>,
    /// Whether a swap waits for an operator to see a machine off.
    pub waits: bool,
}

/// Which experiments need somebody before others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Its last swap failed, or was not what it should be, or waits for an operator; or there is none,
    /// and it counts as being swapped.
    Problem,
    /// It is being swapped.
    Busy,
    /// It has nodes.
    Active,
    /// It has none.
    Swapped,
}

/// The swaps that wait for an operator to see a machine off.
///
/// # Errors
/// If the data base can't be read.
pub async fn waiting(db: &Database) -> Result<BTreeSet<i64>> {
    let mut waiting = BTreeSet::new();
    for run in db.runs_to_be_off().await? {
        let warning = db.last_warning(run.id).await?;
        if warning.is_some_and(|warning| run.waits_for_off(&warning)) {
            waiting.insert(run.swap_id);
        }
    }
    Ok(waiting)
}

/// Whether an experiment counts as being swapped, and no swap of it goes on.
pub fn is_stuck(experiment: &Experiment, last: Option<&Swap>) -> bool {
    let is_busy =
        matches!(experiment.state, ExperimentState::Swapping | ExperimentState::Activating);
    is_busy && last.is_none_or(|swap| swap.ended)
}

/// What is to be done about an experiment that [`is_stuck`].
pub const fn mend_stuck(admin: bool) -> &'static str {
    if admin {
        "A swap begins just now, or boss was stopped as one began; then no disk was touched, and it \
         stays so: no page and no command mends that. If it is still so in a minute, set its state in \
         the data base, in the table experiments: to active, if it was swapped in before; else to \
         swapped, and take its rows out of the table reservations."
    } else {
        "A swap begins just now, or boss was stopped as one began; then no disk was touched, and it \
         stays so. If it is still so in a minute, tell the testbed's operators."
    }
}

impl Overview {
    /// Whether it needs somebody.
    pub fn urgency(&self) -> Urgency {
        let last = self.last.as_ref();
        let outcome = last.and_then(|swap| swap.outcome.as_deref());
        let is_bad = self.waits || matches!(outcome, Some("failed" | "warned"));
        match self.experiment.state {
            _ if is_stuck(&self.experiment, last) => Urgency::Problem,
            // What went wrong before is being tried again.
            ExperimentState::Swapping | ExperimentState::Activating if !self.waits => Urgency::Busy,
            _ if is_bad => Urgency::Problem,
            ExperimentState::Swapped => Urgency::Swapped,
            _ => Urgency::Active,
        }
    }
}

impl Experiments<'_> {
    /// The experiments that the actor may know of, those first that need somebody.
    ///
    /// # Errors
    /// If the data base can't be read.
    pub async fn overview(&self) -> Result<Vec<Overview>> {
        let counts = self.db.node_counts().await?;
        let mut swaps = self.db.last_swaps().await?;
        let waiting = waiting(self.db).await?;
        let all = self.list().await?.into_iter().map(|experiment| {
            let id = experiment.id();
            let nodes = counts.get(&id).copied().unwrap_or_default();
            let last = swaps.remove(&id);
            let waits = last.as_ref().is_some_and(|swap| waiting.contains(&swap.id));
            Overview { experiment, nodes, last, waits }
        });
        let mut all: Vec<_> = all.collect();
        // Stable: by name among their like.
        all.sort_by_key(Overview::urgency);
        Ok(all)
    }
}
