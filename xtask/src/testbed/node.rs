//! Nodes: machines that boss can turn on.

use std::fs;

use anyhow::{Context, Result};

use super::Testbed;
use crate::lab::{BRIDGE, Lab};
use crate::qemu::hardware::Disk;
use crate::qemu::{Boot, Firmware, Machine};

/// A node that boots from the network, and its disk.
#[derive(Debug)]
pub struct NodeSpec {
    /// Its name.
    pub node_id: &'static str,
    /// The last part of its address and of its card's.
    pub number: u8,
    /// Its disk.
    pub disk: Disk,
    /// What the MFS calls that, such as `vda`.
    pub disk_name: &'static str,
    /// The disk's serial number.
    pub serial: String,
    /// The disk's size in bytes.
    pub bytes: u64,
}

impl NodeSpec {
    /// Its card.
    pub fn mac(&self) -> String {
        format!("52:54:00:77:01:{:02x}", self.number)
    }

    /// Writes the command that starts it, and tells boss of it.
    pub(super) fn install(&self, testbed: &Testbed, lab: &Lab) -> Result<()> {
        let nodes = testbed.directory().join("nodes");
        let file = |what: &str| nodes.join(format!("{}.{what}", self.node_id));
        let nic = lab.guest_nic(BRIDGE, "virtio-net-pci", &self.mac())?;
        let machine =
            Machine::from_network(Firmware::Bios, Boot::Pxe, &testbed.console(self.node_id))
                .lab_nic(nic)
                .cpus(2)
                .disk(self.disk.clone());
        let command = machine.unwatched(&file("monitor"))?;
        let lines: Option<Vec<_>> = command.iter().map(|argument| argument.to_str()).collect();
        let lines = lines.context("an argument is not UTF-8")?.join("\n");
        fs::write(file("command"), lines + "\n")?;

        let settings = [("COMMAND_FILE", "command"), ("PIDFILE", "pid"), ("MONITOR", "monitor")];
        let settings: Vec<_> =
            settings.map(|(key, what)| format!("{key}={}", file(what).display())).into();
        let (mac, ip) = (self.mac(), format!("10.77.0.{}", self.number));
        let mut arguments = vec!["node", "add", self.node_id, "--mac", &mac, "--ip", &ip];
        arguments.extend(["--power-driver", "qemu"]);
        for setting in &settings {
            arguments.extend(["--power", setting]);
        }
        testbed.boss(&arguments)?;
        let bytes = self.bytes.to_string();
        testbed.boss(&[
            "node",
            "disk",
            "set",
            self.node_id,
            self.disk_name,
            "--boots",
            "--bytes",
            &bytes,
            "--sector-size",
            "512",
            "--serial",
            &self.serial,
        ])?;
        Ok(())
    }
}
