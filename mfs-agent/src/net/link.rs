//! Network interfaces, by what /sys says of them (the kernel's
//! Documentation/ABI/testing/sysfs-class-net).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::cmdline::ip::Mac;
use crate::file;

/// Where interfaces are found.
#[derive(Clone, Copy, Debug)]
pub struct Links {
    class: &'static str,
    virtual_too: bool,
}

impl Links {
    /// The machine's network cards.
    pub const CARDS: Self = Self { class: "/sys/class/net", virtual_too: false };

    /// Also the ends of virtual cables, which stand for cards in tests.
    pub const CARDS_AND_VIRTUAL: Self = Self { virtual_too: true, ..Self::CARDS };

    /// The cards of a machine that isn't this one; `class` is its `/sys/class/net`.
    #[cfg(test)]
    pub(crate) const fn played(class: &'static str) -> Self {
        Self { class, virtual_too: false }
    }

    /// The Ethernet interfaces that there are now.
    pub fn list(&self) -> Vec<Link> {
        let names = file::list(self.class).unwrap_or_default();
        names.iter().filter_map(|name| Link::read(self.class, name)).collect()
    }

    /// The interface with this name.
    pub fn find(&self, name: &str) -> Option<Link> {
        Link::read(self.class, name)
    }

    /// The number of the loopback interface.
    pub fn loopback(&self) -> Option<u32> {
        let index = file::read_number(format!("{}/lo/ifindex", self.class)).ok()?;
        index.try_into().ok()
    }

    /// The interfaces that are meant.
    pub fn meant(&self, wish: &Wish<'_>) -> Vec<Link> {
        let mut links = self.list();
        links.retain(|link| wish.admits(link, self.virtual_too));
        links
    }
}

/// What the command line says about the interface.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// `BOOTIF=`: this interface and no other.
    pub mac: Option<Mac>,
    /// The device of `ip=`: this interface and no other, unless it's empty.
    pub device: &'a str,
}

impl Wish<'_> {
    /// Whether one interface is named.
    pub fn is_binding(&self) -> bool {
        self.mac.is_some() || !self.device.is_empty()
    }

    fn admits(&self, link: &Link, virtual_too: bool) -> bool {
        // Interfaces on top of others, and those below them, share the others' addresses.
        let cable = !link.stacked && (link.driver.is_some() || virtual_too);
        match (self.mac, self.device) {
            (Some(mac), _) => cable && link.mac == mac,
            (None, "") => cable,
            (None, device) => link.name == device,
        }
    }
}

impl fmt::Display for Wish<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.mac, self.device) {
            (Some(mac), _) => write!(f, "an interface with the address {mac} (BOOTIF=)"),
            (None, "") => f.write_str("a network interface"),
            (None, device) => write!(f, "an interface named {device} (ip=)"),
        }
    }
}

/// An Ethernet interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its name. It depends on the order in which drivers find their cards.
    pub name: String,
    /// Its number.
    pub index: u32,
    /// Its hardware address.
    pub mac: Mac,
    /// Its driver, if it is a device of its own.
    pub driver: Option<String>,
    stacked: bool,
    class: &'static str,
}

impl Link {
    fn read(class: &'static str, name: &str) -> Option<Self> {
        /// `ARPHRD_ETHER`
        const ETHERNET: u64 = 1;
        let directory = format!("{class}/{name}");
        let kind = file::read_number(format!("{directory}/type")).ok()?;
        let index = file::read_number(format!("{directory}/ifindex")).ok()?;
        let mac = file::read_text(format!("{directory}/address")).ok()?;
        let mac = Mac::parse(&mac, ':')?;
        let stacked = file::list(&*directory)
            .is_ok_and(|names| names.iter().any(|n| n == "master" || n.starts_with("lower_")));
        let (name, index) = (name.to_string(), u32::try_from(index).ok()?);
        let driver = driver(&directory);
        (kind == ETHERNET).then_some(Self { name, index, mac, driver, stacked, class })
    }

    /// Whether there is a carrier. There is none as long as the interface is down.
    pub fn has_carrier(&self) -> bool {
        // Reading fails while the interface is down.
        self.number("carrier") == Some(1)
    }

    /// Whether the interface is up.
    pub fn is_up(&self) -> bool {
        let flags = file::read_text(self.attribute("flags")).ok();
        let flags = flags.and_then(|text| u32::from_str_radix(text.strip_prefix("0x")?, 16).ok());
        // IFF_UP
        flags.is_some_and(|flags| flags & 1 != 0)
    }

    /// The MTU in bytes.
    pub fn mtu(&self) -> Option<u32> {
        self.number("mtu")?.try_into().ok()
    }

    /// The speed in Mbit/s. A card without a link has none, nor has one that is emulated.
    pub fn speed(&self) -> Option<u32> {
        self.number("speed")?.try_into().ok()
    }

    fn number(&self, attribute: &str) -> Option<u64> {
        file::read_number(self.attribute(attribute)).ok()
    }

    fn attribute(&self, attribute: &str) -> String {
        format!("{}/{}/{attribute}", self.class, self.name)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let driver = self.driver.as_deref().unwrap_or("virtual");
        write!(f, "{} ({}, {driver})", self.name, self.mac)
    }
}

/// The driver of an interface that is a device: of a bus, not made by software.
fn driver(directory: &str) -> Option<String> {
    let device = format!("{directory}/device");
    file::list(&*device).ok()?;
    let target = rustix::fs::readlink(format!("{device}/driver"), Vec::new()).ok();
    let name = target.as_deref().and_then(|target| target.to_str().ok()).unwrap_or_default();
    Some(name.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("?").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::boxed::Box;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    fn add(class: &Path, name: &str, kind: u32, mac: &str) {
        let index = class.read_dir().unwrap().count() + 1;
        let link = class.join(name);
        fs::create_dir(&link).unwrap();
        fs::write(link.join("type"), format!("{kind}\n")).unwrap();
        fs::write(link.join("ifindex"), format!("{index}\n")).unwrap();
        fs::write(link.join("address"), format!("{mac}\n")).unwrap();
        fs::write(link.join("carrier"), "1\n").unwrap();
        fs::write(link.join("flags"), "0x1003\n").unwrap();
        fs::write(link.join("mtu"), "1500\n").unwrap();
    }

    fn add_card(class: &Path, name: &str, mac: &str) {
        add(class, name, 1, mac);
        fs::create_dir(class.join(name).join("device")).unwrap();
        symlink("../../bus/pci/drivers/e1000", class.join(name).join("device/driver")).unwrap();
    }

    #[test]
    fn the_interfaces_that_are_meant_and_no_others() {
        let directory = tempfile::tempdir().unwrap();
        let class = directory.path();
        add(class, "lo", 772, "00:00:00:00:00:00");
        add_card(class, "eth0", "52:54:00:00:00:01");
        add_card(class, "eth1", "52:54:00:00:00:02");
        add(class, "dummy0", 1, "52:54:00:00:00:05");
        // On top of eth1, with its address; and a part of a bond.
        add(class, "eth1.7", 1, "52:54:00:00:00:02");
        fs::write(class.join("eth1.7/lower_eth1"), "").unwrap();
        add_card(class, "eth2", "52:54:00:00:00:06");
        fs::write(class.join("eth2/master"), "").unwrap();
        add_card(class, "ib0", "80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:00:00:01");

        let class: &'static str = Box::leak(class.to_str().unwrap().to_string().into_boxed_str());
        let names = |virtual_too, mac: Option<u8>, device| {
            let mac = mac.map(|last| Mac([0x52, 0x54, 0, 0, 0, last]));
            let links = Links { class, virtual_too }.meant(&Wish { mac, device });
            links.into_iter().map(|link| link.name).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(false, None, ""), "eth0 eth1");
        assert_eq!(names(true, None, ""), "dummy0 eth0 eth1");
        assert_eq!(names(false, None, "eth1"), "eth1");
        assert_eq!(names(false, None, "eth1.7"), "eth1.7");
        assert_eq!(names(false, Some(2), "eth0"), "eth1");
        assert_eq!(names(false, Some(5), ""), "");
        assert_eq!(names(false, Some(3), ""), "");
        assert_eq!(names(false, None, "lo"), "");

        let link = Links::played(class).find("eth0").unwrap();
        assert_eq!(link.to_string(), "eth0 (52:54:00:00:00:01, e1000)");
        assert!(link.has_carrier() && link.is_up());
        assert_eq!(link.mtu(), Some(1500));
        fs::write(Path::new(class).join("eth0/carrier"), "0\n").unwrap();
        fs::write(Path::new(class).join("eth0/flags"), "0x1002\n").unwrap();
        assert!(!link.has_carrier() && !link.is_up());
    }
}
