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
    /// Its last swap failed, or was not what it should be, or waits for an operator.
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

impl Overview {
    /// Whether it needs somebody.
    pub fn urgency(&self) -> Urgency {
        let last = self.last.as_ref();
        let outcome = last.and_then(|swap| swap.outcome.as_deref());
        let is_bad = self.waits || matches!(outcome, Some("failed" | "warned"));
        match self.experiment.state {
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
