//! Making an image of a node's disk.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::request::{enter, find, leave_if_failed, new_run};
use super::{Job, Kind};
use crate::db::experiments::{ExperimentState, Reservation};
use crate::db::swaps::{NewSwap, Run, Swap};
use crate::error::{ErrorKind, Result};
use crate::image::{Capture, Description, Images, Made};
use crate::layout::Place;
use crate::names::{Gid, ImageId, Login, NodeId};
use crate::server::Boss;

/// An image that is to be made of a node's disk. This is what the data base keeps of it, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captured {
    /// What it is called; it becomes the next version.
    pub image: String,
    /// The group in whose directory it is.
    pub gid: Gid,
    /// The slice, or 0 for the whole disk.
    pub load_partition: u8,
    /// The slice that boots.
    pub boot_partition: u8,
    /// Whether all projects may use it.
    pub global: bool,
}

/// What a swap is about: the image of a load or a capture, else what nodes run.
pub fn about(swap: &Swap) -> String {
    let of: Option<Captured> = match swap.kind {
        Kind::Capture => serde_json::from_str(&swap.command).ok(),
        _ => None,
    };
    of.map_or_else(|| swap.command.clone(), |of| of.image)
}

/// Has a node make an image of its disk; the number of the swap. The node goes on afterwards.
///
/// # Errors
/// `NotFound`: no such node, or nobody has it; `Conflict`: its experiment is in another swap;
/// `Invalid`: slices that no image can have.
pub async fn capture(boss: &Boss, node_id: &NodeId, of: &Captured, by: &Login) -> Result<i64> {
    let reservation = boss.db.reservation_of(node_id).await?;
    let reservation = reservation.ok_or_else(|| {
        ErrorKind::NotFound.because(format_args!(
            "{node_id} is no node of an experiment; the list of nodes (boss node list) says who has which"
        ))
    })?;
    let id = reservation.experiment.clone();
    let experiment = find(boss, &id).await?;
    let (from, to) = (ExperimentState::Active, ExperimentState::Activating);
    enter(boss, &experiment, from, to).await?;
    let begun = begin(boss, &reservation, of, by, &experiment.swapper).await;
    leave_if_failed(boss, &id, begun, to, from).await
}

async fn begin(
    boss: &Boss,
    reservation: &Reservation,
    of: &Captured,
    by: &Login,
    swapper: &Login,
) -> Result<i64> {
    let capture = of.capture(reservation.node_id.clone(), reservation.vname.clone(), swapper)?;
    capture.description.check().map_err(|error| ErrorKind::Invalid.because(error))?;
    let images = Images::new(&boss.config, &boss.db);
    let place = images.prepare_capture(&capture).await?;
    let minutes = |name| async move {
        let value = super::request::sitevar(boss, name).await?;
        value.trim().parse::<u32>().map_err(|_| {
            ErrorKind::Invalid.because(format_args!("the site variable {name} is {value:?}"))
        })
    };
    let mut run = new_run(boss, reservation, &place, Job::Capture).await?;
    run.limits[1] = minutes("images/create/maxwait").await?.saturating_mul(60);
    run.limits[2] = minutes("images/create/idlewait").await?.saturating_mul(60);
    let swap = NewSwap {
        kind: Kind::Capture,
        experiment: reservation.experiment.clone(),
        fail: true,
        command: serde_json::to_string(of)?,
        requested_by: by.clone(),
        runs: vec![run],
    };
    let id = boss.db.add_swap(&swap).await?;
    boss.wake.notify_one();
    Ok(id)
}

impl Captured {
    fn capture(
        &self,
        node_id: NodeId,
        vname: crate::names::Vname,
        creator: &Login,
    ) -> Result<Capture> {
        let image: ImageId =
            self.image.parse().map_err(|error| ErrorKind::Invalid.because(error))?;
        let description = Description {
            gid: self.gid.clone(),
            creator: creator.clone(),
            load_partition: self.load_partition,
            load_length: 1,
            boot_partition: self.boot_partition,
            global: self.global,
        };
        Ok(Capture { image, description, node_id, vname })
    }
}

/// Makes what the node has left the next version of the image.
pub(super) async fn publish(boss: &Boss, swap: &Swap, run: &Run) -> Result<Made> {
    let of: Captured = serde_json::from_str(&swap.command)?;
    let experiment = find(boss, &swap.experiment()).await?;
    let capture = of.capture(run.node_id.clone(), run.vname.clone(), &experiment.swapper)?;
    let images = Images::new(&boss.config, &boss.db);
    Ok(images.publish_captured(&staging(boss, run)?, &capture).await?)
}

/// Removes what a capture that came to nothing has left.
pub(super) async fn abandon(boss: &Boss, run: &Run) -> Result<()> {
    let place = staging(boss, run)?;
    Ok(Images::new(&boss.config, &boss.db).abandon_capture(&place).await?)
}

fn staging(boss: &Boss, run: &Run) -> Result<Place> {
    let node = Path::new(&run.directory);
    let here = boss.layout.here(node);
    let here = here.ok_or_else(|| ErrorKind::Failed.because("the run has no directory"))?;
    Ok(Place { here, node: node.to_owned() })
}
