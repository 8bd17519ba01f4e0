//! What a DHCP server lends.

use core::net::Ipv4Addr;
use core::time::Duration;

use super::options::{DOMAINS, Options, code};
use crate::cmdline::ip::{class_prefix, prefix_of};
use crate::net::name::DomainName;

/// The MTUs that are believed: 576 bytes every host must take (RFC 791), 9216 is the largest that
/// common switches pass.
const MTU: core::ops::RangeInclusive<u16> = 576..=9216;

/// What is taken for a lease without a time, which RFC 2131 doesn't allow.
const DEFAULT_TIME: Duration = Duration::from_hours(1);
/// Leases are not renewed more often, whatever the server says.
const SHORTEST: Duration = Duration::from_secs(1);

/// The most name servers that are kept.
pub const NAME_SERVERS: usize = 4;

/// An address for a time, and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The address.
    pub address: Ipv4Addr,
    /// The number of leading ones of the netmask.
    pub prefix: u8,
    /// Where what is not on the link goes.
    pub gateway: Option<Ipv4Addr>,
    /// Name servers, best first.
    pub name_servers: heapless::Vec<Ipv4Addr, NAME_SERVERS>,
    /// The domains for short names.
    pub search: heapless::Vec<DomainName, DOMAINS>,
    /// The node's name.
    pub host_name: Option<DomainName>,
    /// The MTU, in bytes; 576 to 9216.
    pub mtu: Option<u32>,
    /// The server that lends it.
    pub server: Ipv4Addr,
    /// The server for the next step of booting: the message's `siaddr`.
    pub next_server: Option<Ipv4Addr>,
    /// How long it may be used, from when it was asked for.
    pub time: Duration,
    /// When to ask the server for more time: T1, less than T2.
    pub renewal: Duration,
    /// When to ask any server: T2, less than the lease's time.
    pub rebinding: Duration,
}

impl Lease {
    /// Of an offer or acknowledgement of `address`.
    ///
    /// # Errors
    /// Why it can't be used.
    pub fn new(
        address: Ipv4Addr,
        next_server: Ipv4Addr,
        options: &Options<'_>,
    ) -> Result<Self, &'static str> {
        let server = options.address(code::SERVER).filter(|server| is_host(*server));
        let server = server.ok_or("it doesn't say which server it is of")?;
        let prefix = match options.address(code::MASK) {
            None => class_prefix(address),
            Some(mask) => prefix_of(mask).filter(|prefix| *prefix > 0).ok_or("a bad netmask")?,
        };
        if !is_host(address) || is_edge(address, prefix) {
            return Err("an address that is not one of a single machine");
        }
        let time = options.time(code::LEASE_TIME).unwrap_or(DEFAULT_TIME);
        let (renewal, rebinding) = times(options, time);
        let routers = options.addresses::<4>(code::ROUTER);
        let usable = |router: &Ipv4Addr| is_host(*router) && *router != address;
        Ok(Self {
            address,
            prefix,
            gateway: routers.into_iter().find(usable),
            name_servers: options
                .addresses::<NAME_SERVERS>(code::NAME_SERVERS)
                .into_iter()
                .filter(usable)
                .collect(),
            search: options.search(),
            host_name: options.name(code::HOST_NAME),
            mtu: options.short(code::MTU).filter(|mtu| MTU.contains(mtu)).map(u32::from),
            server,
            next_server: Some(next_server).filter(|server| is_host(*server)),
            time,
            renewal,
            rebinding,
        })
    }
}

/// T1 and T2 (RFC 2131 section 4.4.5).
fn times(options: &Options<'_>, time: Duration) -> (Duration, Duration) {
    if time == Duration::MAX {
        return (time, time);
    }
    let renewal = options.time(code::RENEWAL);
    let rebinding = options.time(code::REBINDING);
    let eighth = time.checked_div(8).unwrap_or_default();
    let usual_rebinding = time.saturating_sub(eighth);
    let rebinding = rebinding.filter(|rebinding| *rebinding < time).unwrap_or(usual_rebinding);
    let half = time.checked_div(2).unwrap_or_default().min(rebinding);
    let renewal = renewal.filter(|renewal| *renewal < rebinding).unwrap_or(half);
    (renewal.max(SHORTEST), rebinding.max(SHORTEST))
}

/// Whether the address can be that of a machine on a network.
fn is_host(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    // 0.0.0.0/8 is "this network", 240.0.0.0/4 is reserved and holds the broadcast address.
    first != 0 && first < 240 && !address.is_loopback() && !address.is_multicast()
}

/// Whether it is the first or the last address of its network, which are the network's own.
fn is_edge(address: Ipv4Addr, prefix: u8) -> bool {
    let host = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
    // A network of two (RFC 3021) or one has none.
    host > 1 && [0, host].contains(&(address.to_bits() & host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    const SERVER: &[u8] = &[54, 4, 10, 0, 0, 1];

    fn lease(address: [u8; 4], options: &[&[u8]]) -> Result<Lease, &'static str> {
        let mut message = vec![0; 240];
        message.extend(options.concat());
        Lease::new(address.into(), Ipv4Addr::UNSPECIFIED, &Options::of(&message))
    }

    fn seconds(code: u8, seconds: u32) -> [u8; 6] {
        let [a, b, c, d] = seconds.to_be_bytes();
        [code, 4, a, b, c, d]
    }

    #[test]
    fn what_a_node_can_use() {
        let mask = &[1, 4, 255, 255, 255, 0];
        assert!(lease([10, 0, 0, 7], &[SERVER, mask]).is_ok());
        assert_eq!(lease([10, 0, 0, 7], &[SERVER]).unwrap().prefix, 8);
        assert!(lease([10, 0, 0, 7], &[mask]).is_err());
        for bad in [
            [0, 0, 0, 0],
            [127, 0, 0, 1],
            [224, 0, 0, 1],
            [255, 255, 255, 255],
            [10, 0, 0, 0],
            [10, 0, 0, 255],
        ] {
            assert!(lease(bad, &[SERVER, mask]).is_err(), "{bad:?}");
        }
        for mask in [[1, 4, 0, 0, 0, 0], [1, 4, 255, 0, 255, 0]] {
            assert!(lease([10, 0, 0, 7], &[SERVER, &mask]).is_err());
        }
        assert!(lease([10, 0, 0, 0], &[SERVER, &[1, 4, 255, 255, 255, 254]]).is_ok());
        let mtu = |bytes| lease([10, 0, 0, 7], &[SERVER, &[26, 2], bytes]).unwrap().mtu;
        assert_eq!((mtu(&[5, 120]), mtu(&[0, 68]), mtu(&[255, 255])), (Some(1400), None, None));
    }

    #[test]
    fn routers_and_name_servers_that_are_none() {
        let routers = &[3, 12, 0, 0, 0, 0, 10, 0, 0, 7, 10, 0, 0, 254];
        let servers = &[6, 8, 127, 0, 0, 53, 10, 0, 0, 2];
        let lease = lease([10, 0, 0, 7], &[SERVER, routers, servers]).unwrap();
        assert_eq!(lease.gateway, Some(Ipv4Addr::new(10, 0, 0, 254)));
        assert_eq!(lease.name_servers, [Ipv4Addr::new(10, 0, 0, 2)]);
    }

    #[test]
    fn times_are_in_order() {
        let of = |time, t1, t2| {
            let times = [seconds(51, time), seconds(58, t1), seconds(59, t2)];
            let lease = lease([10, 0, 0, 7], &[SERVER, times.as_flattened()]).unwrap();
            assert!(lease.renewal <= lease.rebinding);
            (lease.renewal.as_secs(), lease.rebinding.as_secs())
        };
        assert_eq!(of(120, 2, 100), (2, 100));
        assert_eq!(of(120, 100, 50), (50, 50));
        assert_eq!(of(120, 130, 140), (60, 105));
        assert_eq!(of(1, 0, 0), (1, 1));
        assert_eq!(of(u32::MAX, 5, 6), (Duration::MAX.as_secs(), Duration::MAX.as_secs()));
        let none = lease([10, 0, 0, 7], &[SERVER]).unwrap();
        assert_eq!((none.time, none.renewal), (DEFAULT_TIME, DEFAULT_TIME / 2));
    }
}
