//! Which QEMU runs a guest: the installed one, or a newer one for devices that it lacks.

use crate::deb::Sources;
use crate::{command, paths};
use anyhow::{Context, Result, ensure};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The installed program.
pub const PROGRAM: &str = "qemu-system-x86_64";

/// Where newer versions of Debian 12's packages are.
const BACKPORTS: &str = "bookworm-backports";

/// Only one thread of a process fetches.
static FETCHING: Mutex<()> = Mutex::new(());

/// A QEMU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Where it finds its firmware, as arguments.
    pub arguments: Vec<OsString>,
}

impl Program {
    /// The installed one.
    pub fn installed() -> Self {
        Self { path: PROGRAM.into(), arguments: Vec::new() }
    }

    /// One that can emulate `device`: the installed one if it can, else the one of Debian's
    /// backports, unpacked into `target/qemu`. The libraries that it needs come with the installed
    /// one.
    pub fn with_device(device: &str) -> Result<Self> {
        let installed = Self::installed();
        if installed.has_device(device) {
            return Ok(installed);
        }
        let newer = Self::backport()
            .with_context(|| format!("the installed QEMU has no {device}, and no newer is had"))?;
        ensure!(newer.has_device(device), "{} has no {device} either", newer.path.display());
        Ok(newer)
    }

    /// Whether it can emulate `device`.
    pub fn has_device(&self, device: &str) -> bool {
        // Its exit status is 0 also for devices that it doesn't know.
        let help = format!("{device},help");
        command::stdout(Command::new(&self.path).args(&self.arguments).args(["-device", &help]))
            .is_ok_and(|text| text.starts_with(&format!("{device} options:")))
    }

    fn backport() -> Result<Self> {
        let _alone = FETCHING.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = paths::target().join("qemu");
        let sources = Sources::suite(BACKPORTS, &directory)?;
        let data = sources.fetch("qemu-system-data", &directory)?.root.join("usr/share/qemu");
        let program = sources.fetch("qemu-system-x86", &directory)?.root.join("usr/bin");
        let mut arguments = Vec::new();
        for firmware in [data, "/usr/share/qemu".into(), "/usr/share/seabios".into()] {
            arguments.extend([OsString::from("-L"), firmware.into()]);
        }
        Ok(Self { path: program.join(PROGRAM), arguments })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_has_no_devices() {
        let absent = Program { path: "/no/such/qemu".into(), arguments: Vec::new() };
        assert!(!absent.has_device("virtio-net-pci"));
    }
}
