//! Experiments.

use serde::Serialize;
use utoipa::ToSchema;

use crate::db::{Database, experiments};

/// An experiment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Experiment {
    /// Its project.
    pub pid: String,
    /// Its name.
    pub eid: String,
    /// The group that it is of; the project's name, if it is of no subgroup.
    pub gid: String,
    /// Who made it.
    pub creator: String,
    /// Who swapped it last.
    pub swapper: String,
    /// Whether disks are saved at swapout.
    pub savedisk: bool,
    /// Whether it is behind a firewall: then disks are never saved.
    pub firewalled: bool,
    /// `swapped`, `activating`, `active` or `swapping`.
    pub state: &'static str,
    /// When it was made, in seconds since 1970.
    pub created_at: i64,
    /// The nodes that it asks for.
    pub nodes: Vec<ExperimentNode>,
}

/// A node that an experiment asks for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ExperimentNode {
    /// Its name in the experiment.
    pub vname: String,
    /// What it is for: only `node` is saved.
    pub role: String,
    /// What is loaded on it, as `<pid>/<image>` or `<pid>/<image>:<version>`; nothing, if the machine
    /// is taken with what is on its disk.
    pub image: Option<String>,
    /// The machine, if the experiment has one.
    pub node_id: Option<String>,
}

impl Experiment {
    /// What there is to show of an experiment.
    pub async fn of(db: &Database, experiment: &experiments::Experiment) -> sqlx::Result<Self> {
        let id = experiment.id();
        let reservations = db.reservations(&id).await?;
        let machine = |wanted: &experiments::WantedNode| {
            let mut found = reservations.iter().filter(|found| found.vname == wanted.vname);
            found.next().map(|found| found.node_id.to_string())
        };
        let wanted = db.wanted_nodes(&id).await?;
        let nodes = wanted.iter().map(|wanted| ExperimentNode {
            vname: wanted.vname.to_string(),
            role: wanted.erole.clone(),
            image: wanted.image.as_ref().map(ToString::to_string),
            node_id: machine(wanted),
        });
        Ok(Self {
            pid: id.pid.to_string(),
            eid: id.eid.to_string(),
            gid: experiment.gid.to_string(),
            creator: experiment.creator.to_string(),
            swapper: experiment.swapper.to_string(),
            savedisk: experiment.savedisk,
            firewalled: experiment.firewalled,
            state: experiment.state.name(),
            created_at: experiment.created_at,
            nodes: nodes.collect(),
        })
    }
}
