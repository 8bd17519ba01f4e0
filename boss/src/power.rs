//! Turns machines on and off, through drivers: programs that an operator installs in one directory
//! (`scripts/power/README.md` has the contract).
//!
//! A driver is run without a shell, sees nothing of our environment but `PATH`, and has a time
//! limit, after which it is killed with all that it started. Runs know nothing of each other:
//! whoever wants only one at a time for a machine has to see to it.

mod error;
mod machine;
mod process;

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::{PowerError, PowerErrorKind};
pub(crate) use machine::is_secret;
pub use machine::{Fault, Machine};

/// Whether a machine is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// It is on, or about to be, or not yet off: it may write.
    On,
    /// It is certainly off.
    Off,
}

/// What a driver can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The machine is on afterwards.
    On,
    /// The machine is off afterwards.
    Off,
    /// The machine's own system is asked to end.
    Shutdown,
    /// The machine was off and is on afterwards.
    Cycle,
    /// Is it on?
    Status,
    /// The next start, and only that, is from the network.
    Netboot,
    /// The next start, and only that, is from the disk.
    Diskboot,
}

impl Action {
    /// The driver's argument.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Shutdown => "shutdown",
            Self::Cycle => "cycle",
            Self::Status => "status",
            Self::Netboot => "netboot",
            Self::Diskboot => "diskboot",
        }
    }
}

/// How long a driver may take; by the contract it ends after 60 seconds by itself.
pub const LIMIT: Duration = Duration::from_secs(70);

/// Where drivers look for programs if nobody says anything else.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The installed drivers, and how they are run.
#[derive(Clone, Debug)]
pub struct Drivers {
    directory: PathBuf,
    path: OsString,
    limit: Duration,
}

impl Drivers {
    /// The drivers in a directory. A relative one is taken from where this process is.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), path: PATH.into(), limit: LIMIT }
    }

    /// Another `PATH` for them.
    #[must_use]
    pub fn path(self, path: impl Into<OsString>) -> Self {
        Self { path: path.into(), ..self }
    }

    /// Another time limit.
    #[must_use]
    pub fn limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Where they are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The names of those that are there.
    ///
    /// # Errors
    /// If the directory can't be read.
    pub fn installed(&self) -> std::io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let Ok(path) = entry.map(|entry| entry.path()) else { continue };
            // Through links, as a run of it would go.
            let runs = std::fs::metadata(&path)
                .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0);
            let name = path.file_name().and_then(|name| name.to_str());
            names.extend(name.filter(|name| runs && machine::is_driver(name)).map(str::to_owned));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Turns the machine on; it may be on already.
    pub async fn on(&self, machine: &Machine) -> Result<(), PowerError> {
        self.run(machine, Action::On).await.map(drop)
    }

    /// Turns the machine off; it may be off already. It certainly is off after an `Ok`. After an
    /// error nothing is known, and it may still write.
    pub async fn off(&self, machine: &Machine) -> Result<(), PowerError> {
        self.run(machine, Action::Off).await.map(drop)
    }

    /// Asks the machine's own system to end, and doesn't wait for it. `Misconfigured`, if there is no
    /// way to ask.
    pub async fn shutdown(&self, machine: &Machine) -> Result<(), PowerError> {
        self.run(machine, Action::Shutdown).await.map(drop)
    }

    /// Turns the machine off, if it is on, and on again. After an error it may be either.
    pub async fn cycle(&self, machine: &Machine) -> Result<(), PowerError> {
        self.run(machine, Action::Cycle).await.map(drop)
    }

    /// Lets the next start, and only that, be from the network, where the machine can be told so.
    pub async fn netboot(&self, machine: &Machine) -> Result<(), PowerError> {
        self.run(machine, Action::Netboot).await.map(drop)
    }

    /// Lets the next start, and only that, be from the disk, where the machine can be told so.
    pub async fn diskboot(&self, machine: &Machine) -> Result<(), PowerError> {
        self.run(machine, Action::Diskboot).await.map(drop)
    }

    /// Whether the machine is on.
    pub async fn status(&self, machine: &Machine) -> Result<Power, PowerError> {
        let said = self.run(machine, Action::Status).await?;
        match said.strip_suffix(b"\n").unwrap_or(&said) {
            b"on" => Ok(Power::On),
            b"off" => Ok(Power::Off),
            other => {
                let why = format!("said {:?}, neither on nor off", error::one_line(other));
                Err(PowerError::new(PowerErrorKind::Failed, machine, Action::Status, why))
            }
        }
    }

    /// What the driver wrote to its standard output, if it says that it has done it.
    async fn run(&self, machine: &Machine, action: Action) -> Result<Vec<u8>, PowerError> {
        let fail = |kind, why| PowerError::new(kind, machine, action, why);
        let ended =
            process::run(self, machine, action).await.map_err(|(kind, why)| fail(kind, why))?;
        match ended.status.code() {
            Some(0) => Ok(ended.output),
            code => Err(fail(PowerErrorKind::of_exit(code), ended.why())),
        }
    }
}

#[cfg(test)]
mod tests;
