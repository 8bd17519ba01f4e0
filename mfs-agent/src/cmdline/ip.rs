//! `ip=` and `BOOTIF=`: the words for the network that boot loaders know too.
//!
//! `ip=<client>:<server>:<gateway>:<netmask>:<hostname>:<device>:<autoconf>` is the kernel's own
//! parameter (its documentation, "Mounting the root filesystem via NFS"); Debian's kernels are
//! built without it. Server and hostname are not used, what follows `autoconf` neither.

use core::fmt;
use core::net::Ipv4Addr;

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
    pub device: heapless::String<15>,
}

/// The address of a network interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac(pub [u8; 6]);

impl Address {
    /// Reads the value of `ip=`.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(value: &str) -> Result<Self, &'static str> {
        let mut fields = value.split(':');
        let mut field = || fields.next().unwrap_or_default();
        let (client, _server, gateway, netmask) = (field(), field(), field(), field());
        let (_hostname, device, autoconf) = (field(), field(), field());
        if !matches!(autoconf, "" | "off" | "none" | "static")
            || client.parse::<Ipv4Addr>().is_err()
        {
            return Err("must be a static address, <client>::<gateway>:<netmask>::<device>:off");
        }
        let client: Ipv4Addr = client.parse().map_err(|_| "the client must be an IPv4 address")?;
        if client.is_unspecified() || client.is_multicast() || client.is_broadcast() {
            return Err("the client's address is not one of a single machine");
        }
        let gateway = match gateway {
            "" | "0.0.0.0" => None,
            text => Some(text.parse().map_err(|_| "the gateway must be an IPv4 address")?),
        };
        let prefix = match netmask {
            "" => class_prefix(client),
            text => {
                let mask: Ipv4Addr = text.parse().map_err(|_| "the netmask is not one")?;
                let bits = mask.to_bits();
                let ones = bits.leading_ones();
                if bits.count_ones() != ones {
                    return Err("the netmask has gaps");
                }
                u8::try_from(ones).unwrap_or(32)
            }
        };
        if device.contains('/') || device.starts_with('.') {
            return Err("the device is not the name of one");
        }
        let device = device.try_into().map_err(|_| "the device's name is too long")?;
        Ok(Self { client, gateway, prefix, device })
    }
}

/// The netmask of an address without one, by its class, as the kernel does it.
fn class_prefix(address: Ipv4Addr) -> u8 {
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

    #[test]
    fn a_static_address() {
        let address =
            Address::parse("10.0.2.15:10.0.2.2:10.0.2.2:255.255.255.0::eth0:off").unwrap();
        assert_eq!(address.client, Ipv4Addr::new(10, 0, 2, 15));
        assert_eq!(address.gateway, Some(Ipv4Addr::new(10, 0, 2, 2)));
        assert_eq!(address.prefix, 24);
        assert_eq!(address.device, "eth0");
        let short = Address::parse("172.16.0.1").unwrap();
        assert_eq!((short.prefix, short.gateway, short.device.as_str()), (16, None, ""));
        // What iPXE writes, with name servers behind.
        assert!(Address::parse("10.0.2.15::10.0.2.2:255.255.255.0:::none:10.0.2.3").is_ok());
    }

    #[test]
    fn what_is_no_static_address() {
        for bad in [
            "",
            "dhcp",
            "on",
            ":::::eth0:dhcp",
            "10.0.2.15::::::dhcp",
            "10.0.2.256",
            "0.0.0.0",
            "224.0.0.1",
            "10.0.2.15:::255.0.255.0",
            "10.0.2.15:::24",
            "10.0.2.15::gw",
            "10.0.2.15:::::../../etc",
            "10.0.2.15:::::a123456789012345",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad}");
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
