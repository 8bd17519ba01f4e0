//! A guest's firmware, and what it starts.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const OVMF: &str = "/usr/share/OVMF";

/// The firmware. See [`crate::apt::LAB`] for the packages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Firmware {
    /// SeaBIOS.
    #[default]
    Bios,
    /// UEFI (OVMF) that starts anything.
    Uefi,
    /// UEFI that starts only what is signed with Debian's test key ([`crate::mfs::uki::snakeoil`]).
    SecureBoot,
}

/// What the firmware starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Boot {
    /// The kernel that QEMU puts into memory.
    #[default]
    Kernel,
    /// The boot loader of the first disk.
    Disk,
    /// What DHCP and TFTP offer to the first network card. A BIOS guest has iPXE as its option
    /// ROM; a UEFI guest has none and uses the firmware's own PXE.
    Pxe,
    /// What DHCP and HTTP offer to the first network card. UEFI only: PXE is turned off in the
    /// firmware, which would try it first.
    Http,
}

impl Boot {
    /// Whether it comes from the network.
    pub fn is_network(self) -> bool {
        matches!(self, Self::Pxe | Self::Http)
    }
}

impl Firmware {
    /// Whether it is UEFI.
    pub fn is_uefi(self) -> bool {
        self != Self::Bios
    }

    /// Gives the guest variables of its own, as they are after the firmware's installation.
    pub(super) fn prepare(self, log: &Path) -> Result<()> {
        let name = match self {
            Self::Bios => return Ok(()),
            Self::Uefi => "OVMF_VARS_4M.fd",
            Self::SecureBoot => "OVMF_VARS_4M.snakeoil.fd",
        };
        let (from, to) = (Path::new(OVMF).join(name), variables(log));
        fs::copy(&from, &to)
            .map(drop)
            .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
    }

    pub(super) fn arguments(self, boot: Boot, log: &Path, command: &mut Command) {
        let code = match self {
            Self::Bios => {
                // Without graphics, what BIOS and boot loaders say comes to the serial port.
                let graphics = if boot == Boot::Kernel { "" } else { ",graphics=off" };
                command.args(["-machine", &format!("pc,accel=tcg{graphics}")]);
                return;
            }
            Self::Uefi => {
                command.args(["-machine", "q35,accel=tcg"]);
                "OVMF_CODE_4M.fd"
            }
            Self::SecureBoot => {
                // Only system management mode may write to the variables, so that no program can
                // replace the keys in them.
                command.args(["-machine", "q35,accel=tcg,smm=on"]);
                command.args(["-global", "driver=cfi.pflash01,property=secure,value=on"]);
                command.args(["-global", "ICH9-LPC.disable_s3=1"]);
                "OVMF_CODE_4M.secboot.fd"
            }
        };
        let drive = |unit: u8, mode: &str, file: &Path| {
            let file = file.to_string_lossy().replace(',', ",,");
            format!("if=pflash,format=raw,unit={unit},{mode},file={file}")
        };
        command.args(["-drive", &drive(0, "readonly=on", &Path::new(OVMF).join(code))]);
        command.args(["-drive", &drive(1, "cache=unsafe", &variables(log))]);
        // Later versions boot from no network without a source of random numbers.
        command.args(["-device", "virtio-rng-pci"]);
        let pxe4 = if boot == Boot::Http { "n" } else { "y" };
        for (setting, value) in [("IPv4PXESupport", pxe4), ("IPv6PXESupport", "n")] {
            let setting = format!("name=opt/org.tianocore/{setting},string={value}");
            command.args(["-fw_cfg", &setting]);
        }
    }
}

/// The file with the variables of the guest that logs to `log`.
fn variables(log: &Path) -> PathBuf {
    log.with_extension("efivars")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command;

    #[test]
    fn each_firmware_has_its_flash() {
        let line = |firmware: Firmware, boot| {
            let mut command = Command::new("qemu");
            firmware.arguments(boot, Path::new("/d/console.log"), &mut command);
            command::line(&command)
        };
        assert_eq!(line(Firmware::Bios, Boot::Kernel), "qemu -machine pc,accel=tcg");
        assert!(!line(Firmware::Bios, Boot::Pxe).contains("pflash"));
        let uefi = line(Firmware::Uefi, Boot::Pxe);
        assert!(uefi.contains("OVMF_CODE_4M.fd") && uefi.contains("file=/d/console.efivars"));
        assert!(uefi.contains("IPv4PXESupport,string=y"));
        let secure = line(Firmware::SecureBoot, Boot::Http);
        assert!(secure.contains("secboot.fd") && secure.contains("smm=on"), "{secure}");
        assert!(secure.contains("IPv4PXESupport,string=n"));
    }
}
