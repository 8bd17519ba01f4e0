//! Network cards of guests in a network of ours ([`crate::lab`]).

use std::process::Command;

/// A network card whose other side is in a lab. The first one of a guest is what it boots from,
/// if it boots from the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabNic {
    tap: String,
    netdev: String,
    model: String,
    mac: String,
    options: String,
}

impl LabNic {
    /// A card of a QEMU model, such as `virtio-net-pci`, on a tap that is there.
    pub fn on_tap(tap: &str, model: &str, mac: &str) -> Self {
        let netdev = format!("tap,ifname={tap},script=no,downscript=no");
        Self::with_netdev(tap, netdev, model, mac)
    }

    /// A card on a QEMU network (without its `id=`) that ends at a tap.
    pub(crate) fn with_netdev(tap: &str, netdev: String, model: &str, mac: &str) -> Self {
        let (tap, model, mac) = (tap.into(), model.into(), mac.into());
        Self { tap, netdev, model, mac, options: String::new() }
    }

    /// The name of the tap, the port of a bridge.
    pub fn tap(&self) -> &str {
        &self.tap
    }

    /// The card's address.
    pub fn mac(&self) -> &str {
        &self.mac
    }

    /// Adds a property of the QEMU device, such as `host_mtu=9000`.
    #[must_use]
    pub fn property(mut self, property: &str) -> Self {
        self.options.push(',');
        self.options.push_str(property);
        self
    }

    /// The arguments of card `index`, `net<index>` for QMP's `set_link`. With `rom` the card has
    /// QEMU's option ROM, which is iPXE.
    pub(super) fn arguments(&self, index: usize, rom: bool, boots: bool, command: &mut Command) {
        let Self { tap: _, netdev, model, mac, options } = self;
        let netdev = format!("{netdev},id=net{index}");
        let rom = if rom { "" } else { ",romfile=" };
        let boot = if boots { ",bootindex=0" } else { "" };
        let device = format!("{model},netdev=net{index},mac={mac}{rom}{boot}{options}");
        command.args(["-netdev", &netdev, "-device", &device]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command;

    #[test]
    fn a_card_has_its_rom_only_where_it_is_wanted() {
        let nic = LabNic::on_tap("tap0", "e1000e", "52:54:00:77:00:01").property("x=y");
        let line = |rom, boots| {
            let mut command = Command::new("qemu");
            nic.arguments(0, rom, boots, &mut command);
            command::line(&command)
        };
        assert_eq!(
            line(true, true),
            "qemu -netdev tap,ifname=tap0,script=no,downscript=no,id=net0 \
             -device e1000e,netdev=net0,mac=52:54:00:77:00:01,bootindex=0,x=y"
        );
        assert!(line(false, false).contains(",romfile=,x=y"));
    }
}
