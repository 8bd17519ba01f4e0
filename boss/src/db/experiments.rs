//! Experiments, the nodes that they ask for, and those that they have.

mod overview;
mod reservations;

use sqlx::any::AnyRow;
use sqlx::{FromRow, Row};

pub use reservations::Reservation;

use super::{Changes, Database, number, parse};
use crate::names::{Eid, ExperimentId, Gid, ImageId, Login, Pid, Vname};

/// An experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Experiment {
    /// Its project.
    pub pid: Pid,
    /// Its name.
    pub eid: Eid,
    /// The group that it is of; the project's name, if it is of no subgroup.
    pub gid: Gid,
    /// Who made it.
    pub creator: Login,
    /// Who swapped it last.
    pub swapper: Login,
    /// Whether disks are saved at swapout.
    pub savedisk: bool,
    /// Whether it is behind a firewall: then disks are never saved.
    pub firewalled: bool,
    /// Whether it has nodes.
    pub state: ExperimentState,
    /// When it was made.
    pub created_at: i64,
}

/// Whether an experiment has nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExperimentState {
    /// It has none.
    Swapped,
    /// It is getting them.
    Activating,
    /// It has them.
    Active,
    /// It is giving them back.
    Swapping,
}

/// A node that an experiment asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedNode {
    /// Its name in the experiment.
    pub vname: Vname,
    /// What it is for: only `node` is saved.
    pub erole: String,
    /// What is loaded on it; nothing, if the machine is taken with what is on its disk.
    pub image: Option<ImageId>,
}

impl Experiment {
    /// What it is called.
    pub fn id(&self) -> ExperimentId {
        ExperimentId { pid: self.pid.clone(), eid: self.eid.clone() }
    }
}

impl ExperimentState {
    const ALL: [Self; 4] = [Self::Swapped, Self::Activating, Self::Active, Self::Swapping];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Swapped => "swapped",
            Self::Activating => "activating",
            Self::Active => "active",
            Self::Swapping => "swapping",
        }
    }
}

impl std::str::FromStr for ExperimentState {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|state| state.name() == name).ok_or("no state of an experiment")
    }
}

impl FromRow<'_, AnyRow> for Experiment {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            pid: parse(row.try_get("pid")?)?,
            eid: parse(row.try_get("eid")?)?,
            gid: parse(row.try_get("gid")?)?,
            creator: parse(row.try_get("creator")?)?,
            swapper: parse(row.try_get("swapper")?)?,
            savedisk: row.try_get::<i64, _>("savedisk")? != 0,
            firewalled: row.try_get::<i64, _>("firewalled")? != 0,
            state: parse(row.try_get("state")?)?,
            created_at: row.try_get("created_at")?,
        })
    }
}

impl FromRow<'_, AnyRow> for WantedNode {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let image = match row.try_get::<Option<&str>, _>("image_name")? {
            None => None,
            Some(name) => Some(ImageId {
                pid: parse(row.try_get("image_pid")?)?,
                name: parse(name)?,
                version: row.try_get::<Option<i64>, _>("image_version")?.map(number).transpose()?,
            }),
        };
        Ok(Self { vname: parse(row.try_get("vname")?)?, erole: row.try_get("erole")?, image })
    }
}

impl Database {
    /// Adds an experiment and the nodes that it asks for.
    pub async fn add_experiment(
        &self,
        experiment: &Experiment,
        nodes: &[WantedNode],
    ) -> sqlx::Result<()> {
        let mut changes = self.begin().await?;
        sqlx::query(
            "INSERT INTO experiments (pid, eid, gid, creator, swapper, savedisk, firewalled, \
             state, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(experiment.pid.as_str())
        .bind(experiment.eid.as_str())
        .bind(experiment.gid.as_str())
        .bind(experiment.creator.as_str())
        .bind(experiment.swapper.as_str())
        .bind(i64::from(experiment.savedisk))
        .bind(i64::from(experiment.firewalled))
        .bind(experiment.state.name())
        .bind(experiment.created_at)
        .execute(&mut *changes)
        .await?;
        add_nodes(&mut changes, &experiment.id(), nodes).await?;
        changes.commit().await
    }

    /// Forgets an experiment and the nodes that it asks for; false if it has nodes, or isn't there.
    pub async fn remove_experiment(&self, id: &ExperimentId) -> sqlx::Result<bool> {
        let done = sqlx::query(
            "DELETE FROM experiments WHERE pid = $1 AND eid = $2 AND state = 'swapped' \
             AND NOT EXISTS (SELECT 1 FROM reservations WHERE pid = $1 AND eid = $2)",
        )
        .bind(id.pid.as_str())
        .bind(id.eid.as_str())
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// An experiment.
    pub async fn experiment(&self, id: &ExperimentId) -> sqlx::Result<Option<Experiment>> {
        sqlx::query_as("SELECT * FROM experiments WHERE pid = $1 AND eid = $2")
            .bind(id.pid.as_str())
            .bind(id.eid.as_str())
            .fetch_optional(self.pool())
            .await
    }

    /// All experiments.
    pub async fn experiments(&self) -> sqlx::Result<Vec<Experiment>> {
        sqlx::query_as("SELECT * FROM experiments ORDER BY pid, eid").fetch_all(self.pool()).await
    }

    /// Sets whether disks are saved; false if there is no such experiment.
    pub async fn set_savedisk(&self, id: &ExperimentId, savedisk: bool) -> sqlx::Result<bool> {
        let query = "UPDATE experiments SET savedisk = $3 WHERE pid = $1 AND eid = $2";
        let done = sqlx::query(query)
            .bind(id.pid.as_str())
            .bind(id.eid.as_str())
            .bind(i64::from(savedisk))
            .execute(self.pool())
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Sets whether an experiment is behind a firewall; false if there is no such experiment.
    pub async fn set_firewalled(&self, id: &ExperimentId, firewalled: bool) -> sqlx::Result<bool> {
        let query = "UPDATE experiments SET firewalled = $3 WHERE pid = $1 AND eid = $2";
        let done = sqlx::query(query)
            .bind(id.pid.as_str())
            .bind(id.eid.as_str())
            .bind(i64::from(firewalled))
            .execute(self.pool())
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Sets what an experiment is to be at its next swapin, and leaves what is `None`; false, and
    /// nothing is changed, if it isn't swapped out, or there is none.
    pub async fn change_swapped(
        &self,
        id: &ExperimentId,
        firewalled: Option<bool>,
        nodes: Option<&[WantedNode]>,
    ) -> sqlx::Result<bool> {
        let mut changes = self.begin().await?;
        // Who wants to swap it in waits for this row.
        let done = sqlx::query(
            "UPDATE experiments SET firewalled = COALESCE(CAST($3 AS BIGINT), firewalled) \
             WHERE pid = $1 AND eid = $2 AND state = 'swapped'",
        )
        .bind(id.pid.as_str())
        .bind(id.eid.as_str())
        .bind(firewalled.map(i64::from))
        .execute(&mut *changes)
        .await?;
        if done.rows_affected() != 1 {
            return Ok(false);
        }
        if let Some(nodes) = nodes {
            sqlx::query("DELETE FROM experiment_nodes WHERE pid = $1 AND eid = $2")
                .bind(id.pid.as_str())
                .bind(id.eid.as_str())
                .execute(&mut *changes)
                .await?;
            add_nodes(&mut changes, id, nodes).await?;
        }
        changes.commit().await?;
        Ok(true)
    }

    /// Takes an experiment from one state to another; false if it isn't in the first.
    pub async fn move_experiment(
        &self,
        id: &ExperimentId,
        from: ExperimentState,
        to: ExperimentState,
    ) -> sqlx::Result<bool> {
        let done = sqlx::query(
            "UPDATE experiments SET state = $4 WHERE pid = $1 AND eid = $2 AND state = $3",
        )
        .bind(id.pid.as_str())
        .bind(id.eid.as_str())
        .bind(from.name())
        .bind(to.name())
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes who has swapped the experiment last.
    pub async fn set_swapper(&self, id: &ExperimentId, login: &Login) -> sqlx::Result<()> {
        sqlx::query("UPDATE experiments SET swapper = $3 WHERE pid = $1 AND eid = $2")
            .bind(id.pid.as_str())
            .bind(id.eid.as_str())
            .bind(login.as_str())
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// The nodes that an experiment asks for.
    pub async fn wanted_nodes(&self, id: &ExperimentId) -> sqlx::Result<Vec<WantedNode>> {
        let query = "SELECT * FROM experiment_nodes WHERE pid = $1 AND eid = $2 ORDER BY vname";
        let query = sqlx::query_as(query).bind(id.pid.as_str()).bind(id.eid.as_str());
        query.fetch_all(self.pool()).await
    }
}

/// Adds the nodes that an experiment asks for.
async fn add_nodes(
    changes: &mut Changes,
    id: &ExperimentId,
    nodes: &[WantedNode],
) -> sqlx::Result<()> {
    for node in nodes {
        sqlx::query(
            "INSERT INTO experiment_nodes (pid, eid, vname, erole, image_pid, image_name, \
             image_version) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(id.pid.as_str())
        .bind(id.eid.as_str())
        .bind(node.vname.as_str())
        .bind(node.erole.as_str())
        .bind(node.image.as_ref().map(|image| image.pid.as_str()))
        .bind(node.image.as_ref().map(|image| image.name.as_str()))
        .bind(node.image.as_ref().and_then(|image| image.version).map(i64::from))
        .execute(&mut **changes)
        .await?;
    }
    Ok(())
}
