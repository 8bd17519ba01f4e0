//! Network interfaces, by what /sys says of them.

use alloc::format;
use alloc::string::{String, ToString};

use crate::cmdline::ip::Mac;
use crate::file;

const CLASS: &str = "/sys/class/net";

/// What the command line says about the interface.
pub struct Wish<'a> {
    /// `BOOTIF=`: this interface and no other.
    pub mac: Option<Mac>,
    /// The device of `ip=`: this interface and no other, unless it's empty.
    pub device: &'a str,
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// Its number.
    pub index: u32,
    /// Its hardware address, as the kernel shows it.
    pub mac_text: String,
    class: String,
}

/// The interface that is meant: the one with the address of `BOOTIF=`, else the one that `ip=`
/// names, else the first that is not the loopback.
///
/// # Errors
/// There is none; in words, with what there is.
pub fn choose(wish: &Wish<'_>) -> Result<Link, String> {
    choose_in(CLASS, wish)
}

fn choose_in(class: &str, wish: &Wish<'_>) -> Result<Link, String> {
    let mut seen = String::new();
    for name in file::list(class).unwrap_or_default() {
        let Some(link) = Link::read(class, &name) else { continue };
        let mac = Mac::parse(&link.mac_text, ':');
        let meant = match (wish.mac, wish.device) {
            (Some(wanted), _) => mac == Some(wanted),
            (None, "") => true,
            (None, device) => name == device,
        };
        if meant {
            return Ok(link);
        }
        seen = format!("{seen} {name}({})", link.mac_text);
    }
    let seen = if seen.is_empty() { " none" } else { &seen };
    Err(match (wish.mac, wish.device) {
        (Some(mac), _) => format!("no interface has the address {mac}; there are:{seen}"),
        (None, "") => "there is no interface but the loopback; is its driver in the image?".into(),
        (None, device) => format!("no interface is named {device}; there are:{seen}"),
    })
}

impl Link {
    /// The interface with this name, unless it's not one for a network cable.
    fn read(class: &str, name: &str) -> Option<Self> {
        /// `ARPHRD_ETHER`
        const ETHERNET: u64 = 1;
        let directory = format!("{class}/{name}");
        let kind = file::read_number(format!("{directory}/type")).ok()?;
        let index = file::read_number(format!("{directory}/ifindex")).ok()?;
        let mac_text = file::read_text(format!("{directory}/address")).ok()?;
        let index = u32::try_from(index).ok()?;
        let link = Self { name: name.to_string(), index, mac_text, class: class.to_string() };
        (kind == ETHERNET).then_some(link)
    }

    /// Whether there is a carrier.
    ///
    /// # Errors
    /// There is none; in words.
    pub fn carrier(&self) -> Result<(), String> {
        match file::read_number(format!("{}/{}/carrier", self.class, self.name)) {
            Ok(1) => Ok(()),
            // Reading fails while the interface is still coming up.
            _ => Err("the cable or the switch's port gives no link".to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn class(links: &[(&str, u32, &str)]) -> tempfile::TempDir {
        let class = tempfile::tempdir().unwrap();
        for (index, (name, kind, mac)) in links.iter().enumerate() {
            let link = class.path().join(name);
            fs::create_dir(&link).unwrap();
            fs::write(link.join("type"), format!("{kind}\n")).unwrap();
            fs::write(link.join("ifindex"), format!("{}\n", index + 1)).unwrap();
            fs::write(link.join("address"), format!("{mac}\n")).unwrap();
            fs::write(link.join("carrier"), "1\n").unwrap();
        }
        class
    }

    #[test]
    fn the_interface_that_is_meant_and_no_other() {
        let class = class(&[
            ("lo", 772, "00:00:00:00:00:00"),
            ("eth0", 1, "52:54:00:00:00:01"),
            ("eth1", 1, "52:54:00:00:00:02"),
        ]);
        let class = class.path().to_str().unwrap();
        let name = |mac: Option<u8>, device| {
            let mac = mac.map(|last| Mac([0x52, 0x54, 0, 0, 0, last]));
            choose_in(class, &Wish { mac, device }).map(|link| link.name)
        };
        assert_eq!(name(None, ""), Ok("eth0".into()));
        assert_eq!(name(None, "eth1"), Ok("eth1".into()));
        assert_eq!(name(Some(2), "eth0"), Ok("eth1".into()));
        let why = name(Some(3), "").unwrap_err();
        assert!(why.contains("52:54:00:00:00:03"), "{why}");
        assert!(why.contains("eth0(52:54:00:00:00:01) eth1("), "{why}");
        assert!(name(None, "eth2").is_err());
        assert!(name(None, "lo").is_err());
        assert!(choose_in(class, &Wish { mac: None, device: "" }).unwrap().carrier().is_ok());
    }
}
