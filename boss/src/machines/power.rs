//! Turning machines on and off by hand.

use clap::ValueEnum;

use super::Machines;
use crate::error::{ErrorKind, Result};
use crate::names::NodeId;
use crate::power::{Machine, Power};

/// What somebody wants of a machine's power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Wanted {
    /// It is on afterwards
    On,
    /// It is off afterwards
    Off,
    /// It was off and is on afterwards
    Cycle,
    /// Is it on?
    Status,
}

/// How a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Powered(pub Power);

impl Powered {
    /// In a word.
    pub const fn name(self) -> &'static str {
        match self.0 {
            Power::On => "on",
            Power::Off => "off",
        }
    }
}

impl Machines<'_> {
    /// Turns a machine on or off by its driver, or asks whether it is on.
    ///
    /// # Errors
    /// `Refused`, `NotFound`; `Conflict`: it has no driver, somebody else is at it, or it is being
    /// swapped and not forced; `Invalid`: its settings make no sense; `Failed`: the driver failed.
    pub async fn power(&self, node_id: &NodeId, wanted: Wanted, force: bool) -> Result<Powered> {
        let node = self.find(node_id).await?;
        if node.power_driver.is_empty() {
            let why = format!(
                "{node_id} has no power driver; change it to have one (boss node set --power-driver)"
            );
            return Err(ErrorKind::Conflict.because(why));
        }
        if wanted != Wanted::Status
            && !force
            && let Some(run) = self.boss.db.run_of_node(node_id).await?
        {
            let why = format!(
                "{node_id} is in swap {0}, which turns it on and off itself; first cancel that (boss \
                 exp cancel {0}), or say that you don't care (--force)",
                run.swap_id
            );
            return Err(ErrorKind::Conflict.because(why));
        }
        let machine = Machine::new(node_id.clone(), &node.power_driver, node.power_settings)
            .map_err(|fault| ErrorKind::Invalid.because(fault))?;
        // Drivers know nothing of each other.
        let Some(_alone) = self.boss.jobs.alone(&format!("power {node_id}")) else {
            let why = format!("somebody else turns {node_id} on or off just now; try again");
            return Err(ErrorKind::Conflict.because(why));
        };
        let drivers = &self.boss.power;
        let done = match wanted {
            Wanted::On => drivers.on(&machine).await.map(|()| Power::On),
            Wanted::Off => drivers.off(&machine).await.map(|()| Power::Off),
            Wanted::Cycle => drivers.cycle(&machine).await.map(|()| Power::On),
            Wanted::Status => drivers.status(&machine).await,
        };
        Ok(Powered(done?))
    }
}
