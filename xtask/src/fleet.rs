//! Simulated nodes for boss: they are turned on and off by a power driver that boss runs, fetch
//! their boot scripts, speak the agent's own tmcd client, and write real files. What they do is
//! good, or one of many kinds of bad ([`Behaviour`]).
//!
//! What is not real: firmware, kernel and disk, the network (each node has an address of the
//! loopback network), the file server (they write to boss' own directories), and time, which a
//! [`Pace`] shortens.

mod behaviour;
mod files;
mod job;
mod life;
mod mfs;
mod node;
mod populate;
mod power;
mod record;
mod script;
mod site;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use boss::config::Config;
use boss::names::{ExperimentId, NodeId};

pub use behaviour::{Behaviour, Lie};
pub use node::SimNode;
pub use populate::{GID, LOGIN, UID};
pub use record::{Did, Event, Samples, Summary};
pub use site::{Limits, Site};

use node::Surroundings;
use power::PowerServer;

/// How fast nodes are.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From power on until the boot script is fetched, and from there until the MFS runs.
    pub boot: Duration,
    /// Between heartbeats.
    pub beat: Duration,
    /// How many heartbeats a save or load takes.
    pub beats: u32,
    /// Until a boot script is asked for again, if it said to wait or didn't come.
    pub again: Duration,
}

impl Default for Pace {
    /// Half a second from power on to the end.
    fn default() -> Self {
        Self {
            boot: Duration::from_millis(50),
            beat: Duration::from_millis(50),
            beats: 4,
            again: Duration::from_millis(500),
        }
    }
}

/// What a fleet is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many nodes.
    pub nodes: usize,
    /// How many of them make an experiment.
    pub per_experiment: usize,
    /// Their addresses are in 127.`network`.0.0/16.
    pub network: u8,
    /// How fast they are.
    pub pace: Pace,
}

impl Plan {
    /// So many nodes in one experiment.
    pub fn of(nodes: usize) -> Self {
        Self { nodes, per_experiment: nodes.max(1), network: 50, pace: Pace::default() }
    }
}

/// Simulated nodes. Dropped, they are all turned off.
#[derive(Debug)]
pub struct Fleet {
    nodes: Arc<[Arc<SimNode>]>,
    around: Arc<Surroundings>,
    power: PowerServer,
}

impl Fleet {
    /// Makes them, turned off, and installs their power driver where `config` says. Boss must listen
    /// where `config` says, too; it may stop and start again.
    pub fn new(plan: &Plan, config: &Config) -> Result<Self> {
        ensure!(plan.per_experiment > 0 && plan.nodes <= 50_000, "no such fleet");
        let around = Arc::new(Surroundings::new(plan.pace, config));
        let nodes: Result<Vec<_>> =
            (0..plan.nodes).map(|index| SimNode::new(plan, index, &around).map(Arc::new)).collect();
        let nodes: Arc<[_]> = nodes?.into();
        let power = PowerServer::start(Arc::clone(&nodes)).context("the simulated power")?;
        power::install(&config.directories.power)?;
        Ok(Self { nodes, around, power })
    }

    /// All of them.
    pub fn nodes(&self) -> &[Arc<SimNode>] {
        &self.nodes
    }

    /// One of them.
    pub fn node(&self, node_id: &NodeId) -> Option<&Arc<SimNode>> {
        self.nodes.iter().find(|node| node.node_id() == node_id)
    }

    /// Their experiments.
    pub fn experiments(&self) -> Vec<ExperimentId> {
        let mut all: Vec<_> = self.nodes.iter().map(|node| node.experiment().clone()).collect();
        all.dedup();
        all
    }

    /// The nodes of one experiment.
    pub fn nodes_of(&self, experiment: &ExperimentId) -> Vec<&Arc<SimNode>> {
        self.nodes.iter().filter(|node| node.experiment() == experiment).collect()
    }

    /// What they have measured.
    pub fn samples(&self) -> &Samples {
        &self.around.samples
    }

    /// How often power drivers have asked.
    pub fn power_requests(&self) -> u64 {
        self.power.requests()
    }

    /// What was written by nodes that were off, which must be nothing: what the simulator itself has
    /// let through, and files that are younger than the last time that their node was turned off.
    pub fn written_after_off(&self) -> Vec<PathBuf> {
        self.nodes.iter().flat_map(|node| node.written_after_off()).collect()
    }

    /// All power controllers work again.
    pub fn mend(&self) {
        for node in &*self.nodes {
            node.mend();
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for node in &*self.nodes {
            node.turn_off();
        }
    }
}

#[cfg(test)]
mod tests;
