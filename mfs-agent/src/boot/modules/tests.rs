use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::vec::Vec;

use super::*;
use crate::threads::StdThreads;

/// A machine's directories. The module files are none, so the kernel of this machine takes none,
/// but each is asked for: `beat` counts.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new(index: &str) -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(machine.0.path().join("modules")).unwrap();
        fs::write(machine.0.path().join("modules/index"), index).unwrap();
        machine.event(1);
        machine
    }

    fn event(&self, number: u64) {
        fs::write(self.0.path().join("uevent_seqnum"), format!("{number}\n")).unwrap();
    }

    fn device(&self, bus: &str, name: &str, modalias: &str) {
        let directory = self.0.path().join("bus").join(bus).join("devices").join(name);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("modalias"), format!("{modalias}\n")).unwrap();
    }

    fn with<T>(&self, test: impl FnOnce(&Modules<'_>) -> T) -> T {
        let path = |name: &str| self.0.path().join(name).to_str().unwrap().to_string();
        let (modules, bus, events) = (path("modules"), path("bus"), path("uevent_seqnum"));
        // The index is kept for ever, so its sources are too.
        let sources = Sources { modules: modules.leak(), bus: bus.leak(), events: events.leak() };
        test(&Modules::open(sources))
    }
}

const INDEX: &str = "\
module watchdog dependency middle
module i6300esb always first watchdog
module lpc_ich hardware first
alias pci:v00008086d00002918*
module nfs always middle
module e1000e hardware middle
alias pci:v00008086d000010D3sv*sd*bc*sc*i*
module tg3 hardware middle
alias pci:v000014E4*
module scsi_mod dependency middle
module ahci hardware middle scsi_mod
alias pci:v*d*sv*sd*bc01sc06i01*
module sd_mod hardware middle scsi_mod
alias scsi:t-0x00*
module xhci_pci hardware last
alias pci:v*d*sv*sd*bc0Csc03i30*
";

#[test]
fn what_is_there_decides() {
    let machine = Machine::new(INDEX);
    machine.device("pci", "0000:00:02.0", "pci:v00008086d000010D3sv00001AF4sd00001100bc02sc00i00");
    machine.device("pci", "0000:00:03.0", "pci:v00001B36d0000000Dsv00001AF4sd00001100bc0Csc03i30");
    machine.device("pci", "0000:00:04.0", "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01");
    machine.device("platform", "serial8250", "platform:serial8250");
    fs::create_dir_all(machine.0.path().join("bus/pci/devices/0000:00:05.0")).unwrap();
    let beats = AtomicUsize::new(0);
    let beat = || {
        beats.fetch_add(1, Ordering::Relaxed);
    };
    machine.with(|modules| {
        let beats_of = |work: &dyn Fn()| {
            let before = beats.load(Ordering::Relaxed);
            work();
            beats.load(Ordering::Relaxed) - before
        };
        let names = |modules: &Modules<'_>| -> Vec<String> {
            let found = modules.found.lock();
            found.modules.iter().map(|place| modules.index.modules()[*place].name.into()).collect()
        };
        // watchdog, i6300esb
        assert_eq!(beats_of(&|| modules.load_turn(Turn::First, &StdThreads, &beat)), 2);
        // nfs, e1000e, scsi_mod, ahci
        assert_eq!(beats_of(&|| modules.load_turn(Turn::Middle, &StdThreads, &beat)), 4);
        // xhci_pci
        assert_eq!(beats_of(&|| modules.load_turn(Turn::Last, &StdThreads, &beat)), 1);
        assert_eq!(names(modules), ["e1000e", "ahci", "xhci_pci"]);
        modules.report();

        machine.device("scsi", "0:0:0:0", "scsi:t-0x00");
        let rescan = || {
            modules.rescan(&beat);
        };
        // Nothing has happened, says the kernel, so nobody looks.
        assert_eq!(beats_of(&rescan), 0);
        machine.event(2);
        assert_eq!(beats_of(&rescan), 1);
        machine.device("scsi", "0:0:1:0", "scsi:t-0x00");
        machine.event(3);
        assert_eq!(beats_of(&rescan), 0);
        assert_eq!(names(modules), ["e1000e", "ahci", "sd_mod", "xhci_pci"]);
    });
}

#[test]
fn a_machine_without_modules_or_devices_boots() {
    let machine = Machine::new("");
    fs::remove_file(machine.0.path().join("modules/index")).unwrap();
    machine.with(|modules| {
        modules.load_turn(Turn::Last, &StdThreads, &|| ());
        assert_eq!(modules.rescan(&|| ()), 0);
        modules.report();
    });
}
