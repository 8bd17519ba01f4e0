//! `ip=` and `BOOTIF=`: the words for the network that boot loaders know too.
//!
//! `ip=<client>:<server>:<gateway>:<netmask>:<hostname>:<device>:<autoconf>:<dns0>:<dns1>` is the
//! kernel's own parameter (its documentation, "Mounting the root filesystem via NFS"); Debian's
//! kernels are built without it. Server and hostname are not used, nor is what follows `dns1`.
//! `ip=dhcp` is the same as no word at all, `ip=off` means no network.

use core::fmt;
use core::net::Ipv4Addr;

/// The name of an interface.
pub type DeviceName = heapless::String<15>;

/// How the interface gets its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// Not at all: there is to be no network.
    Off,
    /// By DHCP, over this interface; if the name is empty it is to be chosen.
    Dhcp(DeviceName),
    /// From the command line.
    Static(Address),
}

/// A static address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The node's own address.
    pub client: Ipv4Addr,
    /// Where what is not on the link goes.
    pub gateway: Option<Ipv4Addr>,
    /// The number of leading ones of the netmask.
    pub prefix: u8,
    /// The interface; empty means to choose one.
    pub device: DeviceName,
    /// Name servers.
    pub name_servers: heapless::Vec<Ipv4Addr, 2>,
}

/// The address of a network interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac(pub [u8; 6]);

impl Addressing {
    /// Reads the value of `ip=`.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(value: &str) -> Result<Self, &'static str> {
        match value {
            "off" | "none" => return Ok(Self::Off),
            "dhcp" | "on" | "any" => return Ok(Self::Dhcp(DeviceName::new())),
            _ => {}
        }
        let mut fields = value.split(':');
        let mut field = || fields.next().unwrap_or_default();
        let (client, _server, gateway, netmask) = (field(), field(), field(), field());
        let (_hostname, name, autoconf) = (field(), field(), field());
        match autoconf {
            "dhcp" | "on" | "any" => Ok(Self::Dhcp(device(name)?)),
            "" | "off" | "none" | "static" => {
                let mut name_servers = heapless::Vec::new();
                for text in [field(), field()].into_iter().filter(|text| !text.is_empty()) {
                    let server = text.parse().map_err(|_| "a name server is no IPv4 address")?;
                    let _ = name_servers.push(server);
                }
                let (client, prefix) = client_and_prefix(client, netmask)?;
                let gateway = match gateway {
                    "" | "0.0.0.0" => None,
                    text => Some(text.parse().map_err(|_| "the gateway is no IPv4 address")?),
                };
                let device = device(name)?;
                Ok(Self::Static(Address { client, gateway, prefix, device, name_servers }))
            }
            _ => Err("must end with dhcp, off or nothing: other protocols are not known"),
        }
    }

    /// The interface that is named; empty if none is.
    pub fn device(&self) -> &str {
        match self {
            Self::Off => "",
            Self::Dhcp(device) => device,
            Self::Static(address) => &address.device,
        }
    }
}

fn client_and_prefix(client: &str, netmask: &str) -> Result<(Ipv4Addr, u8), &'static str> {
    let client: Ipv4Addr = client.parse().map_err(
        |_| "must be dhcp, off or a static address, <client>::<gateway>:<netmask>::<device>:off",
    )?;
    if client.is_unspecified() || client.is_multicast() || client.is_broadcast() {
        return Err("the client's address is not one of a single machine");
    }
    if netmask.is_empty() {
        return Ok((client, class_prefix(client)));
    }
    let mask = netmask.parse().map_err(|_| "the netmask is not one")?;
    Ok((client, prefix_of(mask).ok_or("the netmask has gaps")?))
}

/// The number of leading ones of a netmask, unless it has gaps.
pub fn prefix_of(mask: Ipv4Addr) -> Option<u8> {
    let bits = mask.to_bits();
    let ones = bits.leading_ones();
    (bits.count_ones() == ones).then_some(u8::try_from(ones).ok()?)
}

fn device(name: &str) -> Result<DeviceName, &'static str> {
    if name.contains('/') || name.starts_with('.') {
        return Err("the device is not the name of one");
    }
    name.try_into().map_err(|_| "the device's name is too long")
}

/// The netmask of an address without one, by its class, as the kernel does it.
pub(crate) fn class_prefix(address: Ipv4Addr) -> u8 {
    match address.octets() {
        [0..=127, ..] => 8,
        [128..=191, ..] => 16,
        _ => 24,
    }
}

impl Mac {
    /// Reads six bytes in hexadecimal with `separator` between them.
    pub fn parse(text: &str, separator: char) -> Option<Self> {
        let mut bytes = [0; 6];
        let mut parts = text.split(separator);
        for byte in &mut bytes {
            let part = parts.next()?;
            if part.len() != 2 || !part.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            *byte = u8::from_str_radix(part, 16).ok()?;
        }
        parts.next().is_none().then_some(Self(bytes))
    }

    /// Reads the value of `BOOTIF=`: the hardware type, 01 for Ethernet, and the address.
    pub fn from_bootif(value: &str) -> Option<Self> {
        let address = value.strip_prefix("01-").or_else(|| value.strip_prefix("01:"))?;
        Self::parse(address, '-').or_else(|| Self::parse(address, ':'))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(value: &str) -> Address {
        match Addressing::parse(value) {
            Ok(Addressing::Static(address)) => address,
            other => panic!("{value}: {other:?}"),
        }
    }

    #[test]
    fn a_static_address() {
        let long = "10.0.2.15:10.0.2.2:10.0.2.2:255.255.255.0::eth0:off:10.0.2.3::10.0.2.4";
        let (address, short) = (address(long), address("172.16.0.1"));
        assert_eq!(address.client, Ipv4Addr::new(10, 0, 2, 15));
        assert_eq!(address.gateway, Some(Ipv4Addr::new(10, 0, 2, 2)));
        assert_eq!(address.prefix, 24);
        assert_eq!(address.device, "eth0");
        assert_eq!((short.prefix, short.gateway, short.device.as_str()), (16, None, ""));
        assert_eq!(address.name_servers.as_slice(), [Ipv4Addr::new(10, 0, 2, 3)]);
    }

    #[test]
    fn other_ways_to_an_address() {
        let dhcp = |name: &str| Ok(Addressing::Dhcp(name.try_into().unwrap()));
        assert_eq!(Addressing::parse("dhcp"), dhcp(""));
        assert_eq!(Addressing::parse("on"), dhcp(""));
        assert_eq!(Addressing::parse(":::::eth1:dhcp"), dhcp("eth1"));
        assert_eq!(Addressing::parse("10.0.2.15::::::dhcp"), dhcp(""));
        assert_eq!(Addressing::parse("off"), Ok(Addressing::Off));
    }

    #[test]
    fn what_is_no_address() {
        for bad in [
            "",
            ":::::eth0:rarp",
            "10.0.2.15:::::../x:dhcp",
            "10.0.2.15::::::off:ns1",
            "10.0.2.256",
            "0.0.0.0",
            "224.0.0.1",
            "10.0.2.15:::255.0.255.0",
            "10.0.2.15:::24",
            "10.0.2.15::gw",
            "10.0.2.15:::::../../etc",
            "10.0.2.15:::::a123456789012345",
        ] {
            assert!(Addressing::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn boot_interfaces() {
        let mac = Mac([0x52, 0x54, 0, 0x12, 0x34, 0xff]);
        assert_eq!(Mac::from_bootif("01-52-54-00-12-34-ff"), Some(mac));
        assert_eq!(Mac::from_bootif("01:52:54:00:12:34:FF"), Some(mac));
        for bad in [
            "",
            "52-54-00-12-34-ff",
            "01-52-54-00-12-34",
            "01-52-54-00-12-34-ff-0",
            "01-+2-54-00-12-34-ff",
        ] {
            assert_eq!(Mac::from_bootif(bad), None, "{bad}");
        }
        assert_eq!(std::format!("{mac}"), "52:54:00:12:34:ff");
    }
}
