//! Loading kernel modules: some always, the others for the devices that are there.
//!
//! The image brings drivers for much more than a machine has. [`index`] says which there are and
//! what devices each is for; [`devices`] says what is there. Drivers find new devices in turn (a
//! USB host controller a stick, an HBA its disks), so the search goes on until nothing new is
//! found. Disks and sticks may still come later: who waits for one calls [`rescan`].
//!
//! The kernel's own requests for modules go nowhere, as there is no modprobe in the image; what
//! drivers would ask for in this way stands in the index.

mod devices;
pub mod index;
mod loading;
mod pattern;

use alloc::boxed::Box;
use alloc::ffi::CString;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use imagezip_core::pipeline::Workers;
use rustix::io::Errno;
use rustix::system::finit_module;
use rustix_futex_sync::{Mutex, OnceLock};

use crate::event::now;
use crate::failure::Os;
use crate::file;
use crate::threads::{Processors, Threads};
use index::{Index, Load, Module, Turn};
use loading::Loading;

/// The index has some hundred lines for each of the larger drivers.
const INDEX_LIMIT: usize = 2 << 20;
/// More threads than this find nothing to do: modules wait for each other and for few devices.
const THREADS: usize = 8;
/// So many different devices are remembered; of the others, each look at them is as the first.
const SEEN: usize = 8192;

/// Where the modules and the devices are.
#[derive(Clone, Copy)]
struct Sources<'a> {
    /// The modules' directory.
    modules: &'a str,
    /// `/sys/bus`
    bus: &'a str,
    /// The number of the last event that the kernel told about its devices.
    events: &'a str,
}

const SYSTEM: Sources<'_> =
    Sources { modules: "/lib/modules", bus: "/sys/bus", events: "/sys/kernel/uevent_seqnum" };

/// Those of the running kernel.
static MODULES: OnceLock<Modules<'static>> = OnceLock::new();

/// Loads the drivers of watchdogs. They are first, so that a watchdog is armed when another driver
/// hangs the machine. `beat` is called for each module that is loaded, here and below.
pub fn load_watchdogs(threads: &dyn Threads, beat: &(dyn Fn() + Sync)) {
    system().load_turn(Turn::First, threads, beat);
}

/// Loads what is always loaded, and the drivers of all devices that are there.
///
/// A module that can't be loaded is logged; whether it was needed shows when its device, protocol
/// or file system is asked for.
pub fn load_present(threads: &dyn Threads, beat: &(dyn Fn() + Sync)) {
    let modules = system();
    modules.load_turn(Turn::Middle, threads, beat);
    modules.load_turn(Turn::Last, threads, beat);
    modules.report();
}

/// Loads the drivers of devices that have appeared since; how many modules that were. Costs next
/// to nothing if no device has come or gone, so it can be called again and again by who waits for
/// a disk or a network interface. Does nothing before [`load_present`].
pub fn rescan(beat: &(dyn Fn() + Sync)) -> usize {
    MODULES.get().map_or(0, |modules| modules.rescan(beat))
}

fn system() -> &'static Modules<'static> {
    MODULES.get_or_init(|| Modules::open(SYSTEM))
}

/// The modules of an image, and what is known of the machine's devices.
struct Modules<'a> {
    sources: Sources<'a>,
    index: &'a Index<'a>,
    loading: Loading<'a>,
    found: Mutex<Found>,
    start: Duration,
}

/// What the devices asked for.
struct Found {
    turn: Turn,
    /// The kernel's event number before the last search.
    events: Option<u64>,
    /// Sorted.
    modaliases: Vec<String>,
    /// Places in the index, sorted.
    modules: Vec<usize>,
}

impl Found {
    /// Takes note of a device; what it asks for if it is new.
    fn device(&mut self, modalias: &str, index: &Index<'_>) {
        let Err(at) = self.modaliases.binary_search_by(|known| known.as_str().cmp(modalias)) else {
            return;
        };
        if self.modaliases.len() < SEEN {
            self.modaliases.insert(at, modalias.to_string());
        }
        for place in index.matching(modalias) {
            if let Err(at) = self.modules.binary_search(&place) {
                self.modules.insert(at, place);
            }
        }
    }
}

impl<'a> Modules<'a> {
    /// Reads the index. It is kept as long as the program runs.
    fn open(sources: Sources<'a>) -> Self {
        let path = format!("{}/index", sources.modules);
        let content = file::open(&path).and_then(|file| file::read_all(file, INDEX_LIMIT));
        let text = content.and_then(|bytes| String::from_utf8(bytes).map_err(|_| Errno::ILSEQ));
        let text = text.unwrap_or_else(|errno| {
            log::error!("cannot read {path}, so no module is loaded: {}", Os(errno));
            String::new()
        });
        let mut warn = |warning: core::fmt::Arguments<'_>| log::warn!("{path}: {warning}");
        let index = Index::parse(Box::leak(text.into_boxed_str()), &mut warn);
        let index: &'a Index<'a> = Box::leak(Box::new(index));
        let found =
            Found { turn: Turn::First, events: None, modaliases: Vec::new(), modules: Vec::new() };
        let (loading, found) = (Loading::new(index.modules()), Mutex::new(found));
        Self { sources, index, loading, found, start: now() }
    }

    /// Loads the modules up to this turn, until the devices ask for no other one.
    fn load_turn(&self, turn: Turn, threads: &dyn Threads, beat: &(dyn Fn() + Sync)) {
        let mut found = self.found.lock();
        found.turn = turn;
        let modules = self.index.modules().iter().enumerate();
        let always = modules.filter(|(_, module)| module.load == Load::Always);
        let mut new = self
            .loading
            .want(always.filter(|(_, module)| module.turn <= turn).map(|(place, _)| place));
        let processors = Processors::new(threads).count();
        // Each round but the last loads a module that none before it did.
        loop {
            new = new.saturating_add(self.search(&mut found));
            if new == 0 {
                return;
            }
            let count = processors.min(new).min(THREADS);
            threads.scope(count, &|_| self.loading.work(&|module| self.load(module, beat)));
            new = 0;
        }
    }

    fn rescan(&self, beat: &(dyn Fn() + Sync)) -> usize {
        let mut found = self.found.lock();
        let events = self.events();
        if events.is_some() && events == found.events {
            return 0;
        }
        let before = self.loading.loaded();
        while self.search(&mut found) > 0 {
            self.loading.work(&|module| {
                log::info!("new hardware: loading {}", module.name);
                self.load(module, beat)
            });
        }
        self.loading.loaded().saturating_sub(before)
    }

    /// Asks for the modules of devices that are new, and of those whose turn has come; how many
    /// modules that are.
    fn search(&self, found: &mut Found) -> usize {
        // Read before: what comes during the search is then new for the next one.
        found.events = self.events();
        devices::modaliases(self.sources.bus, &mut |modalias| found.device(modalias, self.index));
        let turn = found.turn;
        let due = |place: &&usize| {
            self.index.modules().get(**place).is_some_and(|module| module.turn <= turn)
        };
        self.loading.want(found.modules.iter().filter(due).copied())
    }

    fn events(&self) -> Option<u64> {
        file::read_number(self.sources.events).ok()
    }

    /// Whether the kernel has the module now.
    fn load(&self, module: &Module<'_>, beat: &dyn Fn()) -> bool {
        let result = load_file(&format!("{}/{}.ko", self.sources.modules, module.name), module);
        beat();
        match result {
            Ok(()) | Err(Errno::EXIST) => true,
            Err(errno) => {
                log::warn!("module {}: {}", module.name, Os(errno));
                false
            }
        }
    }

    fn report(&self) {
        let time = now().saturating_sub(self.start);
        let (loaded, all) = (self.loading.loaded(), self.index.modules().len());
        let mut names = String::new();
        for place in &self.found.lock().modules {
            if let Some(module) = self.index.modules().get(*place) {
                names.push(' ');
                names.push_str(module.name);
            }
        }
        let names = if names.is_empty() { " nothing" } else { &names };
        log::info!(
            "{loaded} of {all} modules loaded in {} ms; for what is here:{names}",
            time.as_millis()
        );
    }
}

/// The kernel reads the file itself, so that it is in memory only once.
fn load_file(path: &str, module: &Module<'_>) -> Result<(), Errno> {
    let file = file::open(path)?;
    let parameters = CString::new(module.parameters).map_err(|_| Errno::INVAL)?;
    finit_module(file, &parameters, 0)
}

#[cfg(test)]
mod tests;
