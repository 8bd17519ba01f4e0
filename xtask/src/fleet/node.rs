//! One simulated node: its power, and what is known of it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::SystemTime;

use anyhow::{Context, Result};
use boss::boot::Mac;
use boss::config::Config;
use boss::layout::Layout;
use boss::names::{ExperimentId, NodeId, Vname};

use super::life::Life;
use super::power::Answer;
use super::record::{Did, Event, Samples};
use super::{Behaviour, Pace, Plan, mfs};

/// The project of all simulated nodes.
pub(super) const PROJECT: &str = "fleet";
/// What a node's thread needs: the agent is made for small stacks, too.
const STACK: usize = 256 << 10;

/// What is the same for all nodes.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub(super) pace: Pace,
    pub(super) layout: Layout,
    /// Where boot scripts are.
    pub(super) http: SocketAddr,
    pub(super) samples: Samples,
    power_port: AtomicU16,
}

impl Surroundings {
    pub(super) fn new(pace: Pace, config: &Config) -> Self {
        let http = SocketAddr::new(IpAddr::V4(config.address), config.listen.http.port());
        let (layout, samples) = (Layout::new(config), Samples::default());
        Self { pace, layout, http, samples, power_port: AtomicU16::new(0) }
    }
}

/// A simulated node. Its power is boss' to turn on and off, through the driver; tests may, too.
#[derive(Debug)]
pub struct SimNode {
    node_id: NodeId,
    vname: Vname,
    experiment: ExperimentId,
    mac: Mac,
    address: Ipv4Addr,
    pub(super) around: Arc<Surroundings>,
    power: Mutex<Power>,
    events: Mutex<Vec<Event>>,
    /// How often it was in the middle of its work.
    pub(super) interrupted: AtomicU32,
}

#[derive(Debug, Default)]
struct Power {
    behaviour: Behaviour,
    /// How often its driver has failed since it behaves like that.
    failures: u32,
    life: Option<Arc<Life>>,
    /// Of earlier lives.
    late_writes: u64,
}

impl SimNode {
    pub(super) fn new(plan: &Plan, index: usize, around: &Arc<Surroundings>) -> Result<Self> {
        let (experiment, number) = (index / plan.per_experiment, index % plan.per_experiment + 1);
        let eid = format!("exp{:04}", experiment + 1);
        let (high, low) = (u8::try_from(index / 250 + 1)?, u8::try_from(index % 250 + 1)?);
        Ok(Self {
            node_id: format!("pc{}", index + 1).parse()?,
            vname: format!("node{number}").parse()?,
            experiment: format!("{PROJECT}/{eid}").parse()?,
            mac: format!("52:54:00:{:02x}:{high:02x}:{low:02x}", plan.network).parse()?,
            address: Ipv4Addr::new(127, plan.network, high, low),
            around: Arc::clone(around),
            power: Mutex::default(),
            events: Mutex::default(),
            interrupted: AtomicU32::new(0),
        })
    }

    /// The machine's name.
    pub fn node_id(&self) -> &NodeId {
        &self.node_id
    }

    /// Its name in its experiment.
    pub fn vname(&self) -> &Vname {
        &self.vname
    }

    /// Its experiment.
    pub fn experiment(&self) -> &ExperimentId {
        &self.experiment
    }

    /// The address of its card.
    pub fn mac(&self) -> Mac {
        self.mac
    }

    /// Its address on the control network.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// What it does from its next boot on.
    pub fn behave(&self, behaviour: Behaviour) {
        let mut power = self.lock();
        (power.behaviour, power.failures) = (behaviour, 0);
        self.interrupted.store(0, Ordering::Relaxed);
    }

    /// What it does.
    pub fn behaviour(&self) -> Behaviour {
        self.lock().behaviour
    }

    /// What controls its power works again; the node is good.
    pub fn mend(&self) {
        let mut power = self.lock();
        if power.behaviour == Behaviour::PowerUnreachable {
            power.behaviour = Behaviour::Good;
        }
    }

    /// Whether it is on, so that it could write.
    pub fn is_on(&self) -> bool {
        self.lock().life.is_some()
    }

    /// Since when it is off; `None` if it is on or never was.
    pub fn off_since(&self) -> Option<SystemTime> {
        let off = !self.is_on();
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let last = events.iter().rev().find(|event| matches!(event.did, Did::Off { .. }));
        last.filter(|_| off).map(|event| event.time)
    }

    /// All that happened to it, in order.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets what happened.
    pub fn forget(&self) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Its directory of files, as boss sees it.
    pub fn swapinfo(&self) -> PathBuf {
        let path = format!("/proj/{}/exp/{}/swapinfo", self.experiment.pid, self.experiment.eid);
        self.around.layout.here(path.as_ref()).unwrap_or_default()
    }

    /// Turns it on, with its own system running from its disk.
    pub fn turn_on_from_disk(&self) {
        let mut power = self.lock();
        if power.life.is_none() {
            let life = Arc::new(Life::new());
            life.run_own_system();
            power.life = Some(life);
            self.note(Did::On);
        }
    }

    /// Turns it on; it boots from the network, as its power driver has it do.
    ///
    /// # Errors
    /// If this machine has no room for another thread.
    pub fn turn_on(self: &Arc<Self>) -> Result<()> {
        let mut power = self.lock();
        if power.life.is_some() {
            return Ok(());
        }
        self.note(Did::On);
        power.life = Some(self.start()?);
        Ok(())
    }

    /// Turns it off. It writes nothing from the moment that this returns.
    pub fn turn_off(&self) {
        let mut power = self.lock();
        if let Some(life) = power.life.take() {
            let at_work = life.end();
            power.late_writes += life.late_writes();
            self.note(Did::Off { at_work });
        }
    }

    /// Its power button is pressed for a moment: its own system ends, if it runs and listens.
    fn shut_down(&self) {
        let mut power = self.lock();
        let listens = power.behaviour != Behaviour::IgnoresShutdown;
        let Some(life) = power.life.take_if(|life| listens && life.runs_own_system()) else {
            return;
        };
        life.end();
        self.note(Did::Off { at_work: false });
    }

    /// It starts again by itself, in the middle of this life.
    pub(super) fn restart(self: &Arc<Self>, life: &Arc<Life>) -> Result<()> {
        let mut power = self.lock();
        if power.life.as_ref().is_some_and(|current| Arc::ptr_eq(current, life)) {
            life.end();
            self.note(Did::Restarted);
            power.life = Some(self.start()?);
        }
        Ok(())
    }

    fn start(self: &Arc<Self>) -> Result<Arc<Life>> {
        let life = Arc::new(Life::new());
        let (node, its) = (Arc::clone(self), Arc::clone(&life));
        thread::Builder::new()
            .name(self.node_id.to_string())
            .stack_size(STACK)
            .spawn(move || mfs::live(&node, &its))
            .context("no thread for a simulated node")?;
        Ok(life)
    }

    /// What the driver asks for.
    pub(super) fn power(self: &Arc<Self>, action: &str) -> Answer {
        if let Some(failure) = self.power_failure(action) {
            self.note(Did::PowerFailed(action.to_owned()));
            return failure;
        }
        let done = match action {
            "on" => self.turn_on(),
            "off" => {
                self.turn_off();
                Ok(())
            }
            "shutdown" => {
                self.shut_down();
                Ok(())
            }
            "cycle" => {
                self.turn_off();
                self.turn_on()
            }
            "status" => {
                let on = if self.is_on() { "on" } else { "off" };
                return Answer::End(0, on.to_owned());
            }
            // They boot from the network anyway.
            "netboot" | "diskboot" => Ok(()),
            _ => return Answer::End(2, format!("{action} is no action")),
        };
        match done {
            Ok(()) => Answer::End(0, String::new()),
            Err(error) => Answer::End(1, format!("{error:#}")),
        }
    }

    fn power_failure(&self, action: &str) -> Option<Answer> {
        let mut power = self.lock();
        let failures = power.failures;
        match power.behaviour {
            Behaviour::PowerUnreachable => {
                Some(Answer::End(3, "the simulated controller does not answer".to_owned()))
            }
            Behaviour::PowerStuck(times) if action == "off" && failures < times => {
                power.failures += 1;
                Some(Answer::End(1, "it is still on".to_owned()))
            }
            Behaviour::DriverHangs(times) if action == "off" && failures < times => {
                power.failures += 1;
                Some(Answer::Hang)
            }
            _ => None,
        }
    }

    pub(super) fn set_power_port(&self, port: u16) {
        self.around.power_port.store(port, Ordering::Relaxed);
    }

    pub(super) fn power_port(&self) -> u16 {
        self.around.power_port.load(Ordering::Relaxed)
    }

    /// What was written although it was off.
    pub(super) fn written_after_off(&self) -> Vec<PathBuf> {
        let mut late = Vec::new();
        if self.lock().late_writes > 0 {
            late.push(self.swapinfo());
        }
        let Some(off) = self.off_since() else { return late };
        for suffix in ["status", "ndz", "sig", "meta", "ndz.tmp", "sig.tmp", "meta.tmp"] {
            let path = self.swapinfo().join(format!("{}-swap.{suffix}", self.vname));
            let modified = path.symlink_metadata().and_then(|metadata| metadata.modified());
            // The kernel's time of files is a little behind, never ahead.
            if modified.is_ok_and(|modified| modified > off) {
                late.push(path);
            }
        }
        late
    }

    pub(super) fn note(&self, did: Did) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(Event::now(did));
    }

    fn lock(&self) -> MutexGuard<'_, Power> {
        self.power.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
