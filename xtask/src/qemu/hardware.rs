//! Disks and network cards of a guest, for tests of the drivers.

use super::{Access, Drive};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write;
use std::process::Command;

/// What a disk is attached to. Every kind has one controller, whatever the number of disks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bus {
    /// `virtio_blk`: vda.
    Virtio,
    /// SATA behind an ICH9: sda. At most six.
    Ahci,
    /// nvme0n1.
    Nvme,
    /// `virtio_scsi`: sda.
    VirtioScsi,
    /// LSI's `MegaRAID` SAS 2108, `megaraid_sas`: sda.
    Megasas,
    /// VMware's paravirtual SCSI: sda.
    Pvscsi,
    /// A stick behind an xHCI: sda.
    Usb,
}

/// A disk on some bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    drive: Drive,
    bus: Bus,
    sector_size: u32,
    wwn: Option<u64>,
    removable: bool,
    read_limit: Option<u32>,
}

impl From<Drive> for Disk {
    /// A virtio disk with sectors of 512 bytes.
    fn from(drive: Drive) -> Self {
        Self {
            drive,
            bus: Bus::Virtio,
            sector_size: 512,
            wwn: None,
            removable: false,
            read_limit: None,
        }
    }
}

impl Disk {
    /// Attaches it to another bus.
    #[must_use]
    pub fn on(mut self, bus: Bus) -> Self {
        self.bus = bus;
        self
    }

    /// Gives it logical and physical sectors of this size in bytes: 512 or 4096.
    #[must_use]
    pub fn sector_size(mut self, bytes: u32) -> Self {
        self.sector_size = bytes;
        self
    }

    /// Gives it a world wide name, if it is on a bus that has them: SATA and SCSI.
    #[must_use]
    pub fn wwn(mut self, name: u64) -> Self {
        self.wwn = Some(name);
        self
    }

    /// Lets its medium be taken out, if it is on a bus of SCSI or USB.
    #[must_use]
    pub fn removable(mut self) -> Self {
        self.removable = true;
        self
    }

    /// Lets so many bytes be read in a second: a disk of its time, for who wants to watch.
    #[must_use]
    pub fn read_limit(mut self, bytes: u32) -> Self {
        self.read_limit = Some(bytes);
        self
    }

    fn arguments(&self, index: usize, unit: usize, boots: bool, command: &mut Command) {
        let access = match self.drive.access {
            Access::ReadOnly => "readonly=on",
            Access::ReadWrite => "readonly=off",
            Access::Temporary => "snapshot=on",
        };
        // A comma separates QEMU's options; in a file name it is written twice.
        let mut option = OsString::from(format!("if=none,id=disk{index},format=raw,"));
        if let Some(bytes) = self.read_limit {
            option.push(format!("throttling.bps-read={bytes},"));
        }
        option.push(format!("cache=unsafe,{access},file="));
        option.push(self.drive.path.to_string_lossy().replace(',', ",,"));
        command.arg("-drive").arg(option);

        let device = match self.bus {
            Bus::Virtio => "virtio-blk-pci".to_owned(),
            Bus::Nvme => "nvme".to_owned(),
            Bus::Ahci => format!("ide-hd,bus=ahci.{unit}"),
            Bus::VirtioScsi => format!("scsi-hd,bus=virtio-scsi.0,scsi-id={unit}"),
            Bus::Megasas => format!("scsi-hd,bus=megasas.0,scsi-id={unit}"),
            Bus::Pvscsi => format!("scsi-hd,bus=pvscsi.0,scsi-id={unit}"),
            Bus::Usb => "usb-storage,bus=xhci.0".to_owned(),
        };
        let mut device = format!("{device},drive=disk{index},serial={}", self.drive.serial);
        // Writing to a String cannot fail.
        if self.sector_size != 512 {
            let size = self.sector_size;
            let _ = write!(device, ",logical_block_size={size},physical_block_size={size}");
        }
        let has_wwn = matches!(self.bus, Bus::Ahci | Bus::VirtioScsi | Bus::Megasas | Bus::Pvscsi);
        if let Some(wwn) = self.wwn.filter(|_| has_wwn) {
            let _ = write!(device, ",wwn={wwn:#x}");
        }
        let has_media = matches!(self.bus, Bus::VirtioScsi | Bus::Megasas | Bus::Pvscsi | Bus::Usb);
        if self.removable && has_media {
            device += ",removable=on";
        }
        if boots {
            device += ",bootindex=0";
        }
        command.args(["-device", &device]);
    }
}

/// The disks in this order, and the controllers that they are attached to. `boots`: whether the
/// machine boots from the first one.
pub(super) fn add_disks(disks: &[Disk], boots: bool, command: &mut Command) {
    let buses: BTreeSet<Bus> = disks.iter().map(|disk| disk.bus).collect();
    for bus in buses {
        let controller = match bus {
            Bus::Virtio | Bus::Nvme => continue,
            Bus::Ahci => "ich9-ahci,id=ahci",
            Bus::VirtioScsi => "virtio-scsi-pci,id=virtio-scsi",
            Bus::Megasas => "megasas-gen2,id=megasas",
            Bus::Pvscsi => "pvscsi,id=pvscsi",
            Bus::Usb => "qemu-xhci,id=xhci",
        };
        command.args(["-device", controller]);
    }
    for (index, disk) in disks.iter().enumerate() {
        let unit = disks[..index].iter().filter(|other| other.bus == disk.bus).count();
        disk.arguments(index, unit, boots && index == 0, command);
    }
}

/// A network card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NicModel {
    /// `virtio_net`
    Virtio,
    /// Intel 82540EM.
    E1000,
    /// Intel 82574L.
    E1000e,
    /// Intel 82576, from QEMU 8.0 on.
    Igb,
    /// VMware's.
    Vmxnet3,
}

impl NicModel {
    /// QEMU's name of the device.
    pub fn device(self) -> &'static str {
        match self {
            Self::Virtio => "virtio-net-pci",
            Self::E1000 => "e1000",
            Self::E1000e => "e1000e",
            Self::Igb => "igb",
            Self::Vmxnet3 => "vmxnet3",
        }
    }

    /// The kernel's name of the driver.
    pub fn module(self) -> &'static str {
        match self {
            Self::Virtio => "virtio_net",
            _ => self.device(),
        }
    }
}

/// A network card with an address of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nic {
    /// The kind.
    pub model: NicModel,
    /// The hardware address.
    pub mac: [u8; 6],
}

impl Nic {
    /// The word of the boot loader that names this card, `BOOTIF=01-…`.
    pub fn boot_word(&self) -> String {
        let mac = self.mac.map(|byte| format!("{byte:02x}")).join("-");
        format!("BOOTIF=01-{mac}")
    }
}

/// The cards in this order, each in a user network of its own. Without option ROMs: nothing boots
/// from the network here.
pub(super) fn add_nics(nics: &[Nic], command: &mut Command) {
    for (index, nic) in nics.iter().enumerate() {
        let mac = nic.mac.map(|byte| format!("{byte:02x}")).join(":");
        let device = nic.model.device();
        command.args(["-netdev", &format!("user,id=net{index}")]);
        command.args(["-device", &format!("{device},netdev=net{index},mac={mac},romfile=")]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::program::PROGRAM;
    use super::*;
    use crate::command;

    fn drive(name: &str) -> Drive {
        let serial = name.to_uppercase();
        Drive { path: format!("{name},1.img").into(), serial, access: Access::ReadOnly }
    }

    #[test]
    fn each_bus_has_its_controller_once() {
        let disks = [
            Disk::from(drive("a")).on(Bus::Ahci).wwn(0x5000_0000_0000_0001),
            Disk::from(drive("b")).on(Bus::Nvme).sector_size(4096).wwn(1),
            Disk::from(drive("c")).on(Bus::Ahci),
            Disk::from(drive("d")),
            Disk::from(drive("e")).on(Bus::Usb),
        ];
        let mut command = Command::new(PROGRAM);
        add_disks(&disks, false, &mut command);
        let line = command::line(&command);
        for part in [
            "-device ide-hd,bus=ahci.0,drive=disk0,serial=A,wwn=0x5000000000000001 ",
            "readonly=on,file=b,,1.img -device nvme,drive=disk1,serial=B,\
             logical_block_size=4096,physical_block_size=4096 ",
            "-device ide-hd,bus=ahci.1,drive=disk2,serial=C ",
            "-device virtio-blk-pci,drive=disk3,serial=D ",
            "-device usb-storage,bus=xhci.0,drive=disk4,serial=E",
        ] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
        assert_eq!(line.matches("ich9-ahci").count(), 1, "{line}");
    }

    #[test]
    fn cards_have_addresses() {
        let nic = Nic { model: NicModel::E1000e, mac: [0x52, 0x54, 0, 0, 0xab, 1] };
        let mut command = Command::new(PROGRAM);
        add_nics(&[nic], &mut command);
        let line = command::line(&command);
        let device = "-device e1000e,netdev=net0,mac=52:54:00:00:ab:01,romfile=";
        assert!(line.contains(device), "{line}");
        assert_eq!(nic.boot_word(), "BOOTIF=01-52-54-00-00-ab-01");
    }
}
