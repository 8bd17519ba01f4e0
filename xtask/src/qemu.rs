//! QEMU guests: described by a [`Machine`], watched and controlled through a [`Running`].
//!
//! Emulation only (TCG): a `/dev/kvm` that can be opened does not mean that KVM works.
//! The CPU model `qemu64` boots fastest under TCG; richer ones make the kernel probe and
//! patch more. It has one CPU unless more are asked for, since the kernel was once seen to hang
//! early on two of them: a timer of the second one did not fire. `arat` lets the kernel
//! rely on each CPU's own timer.

pub mod console;
pub mod control;
pub mod exit;
pub mod firmware;
pub mod hardware;
pub mod network;
pub mod program;
pub mod running;

pub use console::Line;
pub use exit::Exit;
pub use firmware::{Boot, Firmware};
pub use program::Program;
pub use running::Running;

use crate::nfs::namespace::Namespace;
use crate::process::{Tied, tied_command};
use anyhow::{Context, Result};
use hardware::{Disk, Nic};
use network::LabNic;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The host's address as a guest with a network sees it. What listens on the host's
/// 127.0.0.1 answers here.
pub const HOST_ADDRESS: &str = "10.0.2.2";

/// The guest's address, for the kernel's `ip=` syntax. The second address is the host's.
pub const GUEST_IP: &str = "10.0.2.15::10.0.2.2:255.255.255.0";

/// What a kernel should be told under emulation: not to panic because the first timer interrupts
/// are late, as they are when the host has more to do ("IO-APIC + timer doesn't work").
pub const EMULATED: &str = "no_timer_check";

/// What every guest is told: log to the serial port, and reboot at once after a panic.
const COMMAND_LINE: &str = "console=ttyS0 panic=-1";

/// A guest to be started.
#[derive(Debug)]
pub struct Machine {
    program: Program,
    kernel: PathBuf,
    initramfs: PathBuf,
    command_line: String,
    log: PathBuf,
    memory_mib: u32,
    cpus: u32,
    disks: Vec<Disk>,
    network: bool,
    lab_nics: Vec<LabNic>,
    firmware: Firmware,
    boot: Boot,
    nics: Vec<Nic>,
    watchdog: Option<WatchdogAction>,
    extra: Vec<OsString>,
}

/// A virtio disk of a guest, backed by a raw file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drive {
    /// The file.
    pub path: PathBuf,
    /// The serial number that the guest sees; at most 20 characters.
    pub serial: String,
    /// What the guest may do to it.
    pub access: Access,
}

/// What a guest may do to a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads only: the disk says that it is write-protected, and the file is opened so.
    ReadOnly,
    /// Reads and writes.
    ReadWrite,
    /// Reads and writes; what is written is gone when the guest ends.
    Temporary,
}

/// What happens when the guest's watchdog (an i6300esb) is not fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchdogAction {
    /// The machine resets; as no guest is rebooted, it ends.
    Reset,
    /// The machine is turned off.
    PowerOff,
    /// The guest stops and can be looked at.
    Pause,
}

impl WatchdogAction {
    fn name(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::PowerOff => "poweroff",
            Self::Pause => "pause",
        }
    }
}

impl Machine {
    /// A guest with 256 MiB, one CPU, a network and no disk. All that it says goes to `log`.
    pub fn new(kernel: &Path, initramfs: &Path, log: &Path) -> Self {
        Self {
            program: Program::installed(),
            kernel: kernel.to_owned(),
            initramfs: initramfs.to_owned(),
            command_line: format!("{COMMAND_LINE} {EMULATED}"),
            log: log.to_owned(),
            memory_mib: 256,
            cpus: 1,
            disks: Vec::new(),
            network: true,
            lab_nics: Vec::new(),
            firmware: Firmware::default(),
            boot: Boot::Kernel,
            nics: Vec::new(),
            watchdog: None,
            extra: Vec::new(),
        }
    }

    /// A guest that boots from the first card that [`Machine::lab_nic`] gives it; the command line
    /// comes from there, too.
    pub fn from_network(firmware: Firmware, boot: Boot, log: &Path) -> Self {
        Self { boot, ..Self::new(Path::new(""), Path::new(""), log).firmware(firmware) }
    }

    /// A guest that boots from its first disk; the command line comes from there, too.
    pub fn from_disk(firmware: Firmware, log: &Path) -> Self {
        Self::from_network(firmware, Boot::Disk, log)
    }

    /// Another firmware than SeaBIOS.
    #[must_use]
    pub fn firmware(mut self, firmware: Firmware) -> Self {
        self.firmware = firmware;
        self
    }

    /// Adds a card of a lab; the first one replaces QEMU's own network. The guest must be started
    /// [inside](Machine::start_inside) the lab's namespace.
    #[must_use]
    pub fn lab_nic(mut self, nic: LabNic) -> Self {
        self.network = false;
        self.lab_nics.push(nic);
        self
    }

    /// Adds words to the kernel's command line.
    #[must_use]
    pub fn append(mut self, words: &str) -> Self {
        self.command_line.push(' ');
        self.command_line.push_str(words);
        self
    }

    /// Adds a virtio disk. The guest finds them as vda, vdb … in this order.
    #[must_use]
    pub fn drive(self, drive: Drive) -> Self {
        self.disk(Disk::from(drive))
    }

    /// Adds a disk of any kind. Those of one kind are found in this order.
    #[must_use]
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disks.push(disk);
        self
    }

    /// Writes all that the guest says to another file.
    #[must_use]
    pub fn log_to(mut self, log: &Path) -> Self {
        log.clone_into(&mut self.log);
        self
    }

    /// Adds a network card; the one that every guest has without this is left out then.
    #[must_use]
    pub fn nic(mut self, nic: Nic) -> Self {
        self.nics.push(nic);
        self
    }

    /// Memory, in MiB.
    #[must_use]
    pub fn memory(mut self, mib: u32) -> Self {
        self.memory_mib = mib;
        self
    }

    /// Number of CPUs.
    #[must_use]
    pub fn cpus(mut self, cpus: u32) -> Self {
        self.cpus = cpus;
        self
    }

    /// Leaves the network card out.
    #[must_use]
    pub fn without_network(mut self) -> Self {
        self.network = false;
        self
    }

    /// Adds a watchdog card.
    #[must_use]
    pub fn watchdog(mut self, action: WatchdogAction) -> Self {
        self.watchdog = Some(action);
        self
    }

    /// Adds an argument for QEMU as it is.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.extra.push(argument.into());
        self
    }

    /// Uses another QEMU than the installed one.
    #[must_use]
    pub fn program(mut self, program: Program) -> Self {
        self.program = program;
        self
    }

    /// Starts the guest.
    pub fn start(&self) -> Result<Running> {
        self.start_with(tied_command(&self.program.path.to_string_lossy()))
    }

    /// Starts the guest in a network of its own, where it meets the servers that run there.
    pub fn start_inside(&self, namespace: &Namespace) -> Result<Running> {
        self.start_with(namespace.command(&self.program.path.to_string_lossy()))
    }

    /// The command line, an argument each, for somebody else who starts the guest and does not watch
    /// it: what it says is added to the log, its monitor is a socket.
    ///
    /// # Errors
    /// If the firmware's files can't be made.
    pub fn unwatched(&self, monitor: &Path) -> Result<Vec<OsString>> {
        self.firmware.prepare(&self.log)?;
        let mut command = Command::new(&self.program.path);
        let console = format!("file,id=serial,append=on,path={}", self.log.display());
        let monitor = format!("unix:{},server=on,wait=off", monitor.display());
        self.arguments(&mut command, &["-chardev", &console, "-monitor", &monitor]);
        let arguments = command.get_args().map(OsStr::to_owned);
        Ok(std::iter::once(command.get_program().to_owned()).chain(arguments).collect())
    }

    fn start_with(&self, mut command: Command) -> Result<Running> {
        self.firmware.prepare(&self.log)?;
        // Control over standard input and output; the serial port, with QEMU's own complaints,
        // over standard error. No socket is left behind and none has to be waited for.
        let control = ["-chardev", "stdio,id=control,signal=off", "-mon", "control,mode=control"];
        let console = ["-chardev", "file,id=serial,path=/dev/stderr"];
        self.arguments(&mut command, &[control.as_slice(), &console].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let qemu = Tied::start(command)?;
        Running::attach(qemu, &self.log)
            .with_context(|| format!("cannot start a guest; see {}", self.log.display()))
    }

    /// `ends`: where control and the serial port, `serial`, go.
    fn arguments(&self, command: &mut Command, ends: &[&str]) {
        command.args(&self.program.arguments);
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        self.firmware.arguments(self.boot, &self.log, command);
        command.args(["-cpu", "qemu64,+arat"]);
        command.args(["-smp", &self.cpus.to_string(), "-m", &format!("{}M", self.memory_mib)]);
        command.args(ends).args(["-serial", "chardev:serial"]);
        if self.boot == Boot::Kernel {
            command.arg("-kernel").arg(&self.kernel).arg("-initrd").arg(&self.initramfs);
            command.args(["-append", &self.command_line]);
        }
        hardware::add_disks(&self.disks, self.boot == Boot::Disk, command);
        hardware::add_nics(&self.nics, command);
        if self.network && self.nics.is_empty() {
            // Without an option ROM: nothing boots from the network here.
            command.args(["-netdev", "user,id=net0"]);
            command.args(["-device", "virtio-net-pci,netdev=net0,romfile="]);
        }
        for (index, nic) in self.lab_nics.iter().enumerate() {
            let boots = index == 0 && self.boot.is_network();
            nic.arguments(index, boots && !self.firmware.is_uefi(), boots, command);
        }
        if let Some(action) = self.watchdog {
            command.args(["-device", "i6300esb"]);
            command.args(["-action", &format!("watchdog={}", action.name())]);
        }
        command.args(&self.extra);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command;

    #[test]
    fn the_arguments_say_what_was_asked_for() {
        let machine = Machine::new(Path::new("k"), Path::new("i"), Path::new("log"))
            .append("mfs.job=swapout")
            .memory(128)
            .watchdog(WatchdogAction::PowerOff)
            .drive(Drive {
                path: "a,b.img".into(),
                serial: "NODE1".into(),
                access: Access::ReadOnly,
            });
        let mut command = Command::new(program::PROGRAM);
        machine.arguments(&mut command, &[]);
        let line = command::line(&command);
        for part in [
            "accel=tcg",
            "-m 128M",
            "-append 'console=ttyS0 panic=-1 no_timer_check mfs.job=swapout'",
            "readonly=on,file=a,,b.img",
            "serial=NODE1",
            "-device i6300esb -action watchdog=poweroff",
        ] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
        assert!(!line.contains("kvm"));
    }

    #[test]
    fn a_disk_that_boots_needs_no_kernel() {
        let drive = |name: &str| Drive {
            path: name.into(),
            serial: name.to_uppercase(),
            access: Access::ReadWrite,
        };
        let machine = Machine::from_disk(Firmware::Bios, Path::new("log"))
            .drive(drive("a"))
            .drive(drive("b"));
        let mut command = Command::new(program::PROGRAM);
        machine.arguments(&mut command, &[]);
        let line = command::line(&command);
        assert!(!line.contains("-kernel") && !line.contains("-append"), "{line}");
        assert!(line.contains("drive=disk0,serial=A,bootindex=0 "), "{line}");
        assert_eq!(line.matches("bootindex").count(), 1, "{line}");
    }
}
