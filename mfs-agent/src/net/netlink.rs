//! Requests to the kernel's routing netlink socket (rtnetlink(7)): each is acknowledged.

use core::net::Ipv4Addr;
use core::time::Duration;

use rustix::fd::OwnedFd;
use rustix::io::{Errno, Result};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

/// Bytes of `struct nlmsghdr`.
const HEADER: usize = 16;
/// `NLMSG_ERROR`, which an acknowledgement is too: error 0.
const ERROR: u16 = 2;
/// `NLM_F_REQUEST | NLM_F_ACK`
const REQUEST: u16 = 0x0001 | 0x0004;
/// `NLM_F_CREATE | NLM_F_REPLACE`
const CREATE: u16 = 0x0400 | 0x0100;
/// `NLM_F_CREATE | NLM_F_EXCL`
const CREATE_NEW: u16 = 0x0400 | 0x0200;
/// `RTM_NEWLINK`
const NEW_LINK: u16 = 16;
/// `RTM_DELLINK`
const DELETE_LINK: u16 = 17;
const AF_INET: u8 = 2;
/// `IFF_UP`
const UP: u32 = 1;

/// A request, as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request(heapless::Vec<u8, 128>);

impl Request {
    /// An interface comes up.
    pub fn up(index: u32) -> Self {
        Self::state(index, UP)
    }

    /// An interface goes down.
    pub fn down(index: u32) -> Self {
        Self::state(index, 0)
    }

    /// An interface gets an MTU, in bytes.
    pub fn mtu(index: u32, bytes: u32) -> Self {
        let mut request = Self::new(NEW_LINK, 0);
        request.interface(index, 0, 0);
        // IFLA_MTU
        request.attribute(4, &bytes.to_ne_bytes());
        request.finish()
    }

    /// There shall be an interface called `name` for the VLAN `id` of the interface `base`.
    pub fn add_vlan(name: &str, base: u32, id: u16) -> Self {
        let mut request = Self::new(NEW_LINK, CREATE_NEW);
        request.interface(0, 0, 0);
        // IFLA_IFNAME, IFLA_LINK
        request.attribute(3, name.as_bytes());
        request.attribute(5, &base.to_ne_bytes());
        // IFLA_LINKINFO holds two more: IFLA_INFO_KIND of 8 bytes, and IFLA_INFO_DATA, which holds
        // IFLA_VLAN_ID of 6 bytes.
        request.attribute_header(18, 8 + 4 + 8);
        request.attribute(1, b"vlan");
        request.attribute_header(2, 8);
        request.attribute(1, &id.to_ne_bytes());
        request.finish()
    }

    /// An interface that was added goes away.
    pub fn delete(index: u32) -> Self {
        let mut request = Self::new(DELETE_LINK, 0);
        request.interface(index, 0, 0);
        request.finish()
    }

    /// An interface gets an address.
    pub fn address(index: u32, address: Ipv4Addr, prefix: u8) -> Self {
        let mut request = Self::new(20, CREATE);
        // struct ifaddrmsg: family, prefix length, flags, scope, index
        request.put(&[AF_INET, prefix, 0, 0]);
        request.put(&index.to_ne_bytes());
        // IFA_LOCAL, IFA_ADDRESS, and IFA_BROADCAST where there is room for one
        request.attribute(2, &address.octets());
        request.attribute(1, &address.octets());
        if prefix <= 30 {
            let host = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
            let broadcast = Ipv4Addr::from_bits(address.to_bits() | host);
            request.attribute(4, &broadcast.octets());
        }
        request.finish()
    }

    /// What is not on the link goes to `gateway`, which is on the link whatever its address.
    pub fn default_route(index: u32, gateway: Ipv4Addr) -> Self {
        /// `RTNH_F_ONLINK`
        const ON_LINK: u32 = 4;
        let mut request = Self::new(24, CREATE);
        // struct rtmsg: family, lengths of destination and source, type of service, table
        // (RT_TABLE_MAIN), protocol (RTPROT_BOOT), scope, type (RTN_UNICAST), flags
        request.put(&[AF_INET, 0, 0, 0, 254, 3, 0, 1]);
        request.put(&ON_LINK.to_ne_bytes());
        // RTA_GATEWAY, RTA_OIF
        request.attribute(5, &gateway.octets());
        request.attribute(4, &index.to_ne_bytes());
        request.finish()
    }

    fn state(index: u32, flags: u32) -> Self {
        let mut request = Self::new(NEW_LINK, 0);
        request.interface(index, flags, UP);
        request.finish()
    }

    /// `struct ifinfomsg`: family, padding, type, index, flags, mask of the flags to change.
    fn interface(&mut self, index: u32, flags: u32, mask: u32) {
        self.put(&[0; 4]);
        self.put(&index.to_ne_bytes());
        self.put(&flags.to_ne_bytes());
        self.put(&mask.to_ne_bytes());
    }

    fn new(kind: u16, flags: u16) -> Self {
        let mut request = Self(heapless::Vec::new());
        request.put(&[0; 4]);
        request.put(&kind.to_ne_bytes());
        request.put(&(REQUEST | flags).to_ne_bytes());
        // Number of the request: there is never more than one under way.
        request.put(&1_u32.to_ne_bytes());
        // Sender: the kernel fills it in.
        request.put(&[0; 4]);
        request
    }

    /// `struct rtattr` and its value, up to a multiple of four bytes.
    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.attribute_header(kind, u16::try_from(value.len()).unwrap_or(0));
        self.put(value);
        while !self.0.len().is_multiple_of(4) {
            self.put(&[0]);
        }
    }

    fn attribute_header(&mut self, kind: u16, length: u16) {
        self.put(&length.saturating_add(4).to_ne_bytes());
        self.put(&kind.to_ne_bytes());
    }

    fn put(&mut self, bytes: &[u8]) {
        // The longest request has 84 bytes of the 128.
        let _ = self.0.extend_from_slice(bytes);
    }

    fn finish(mut self) -> Self {
        let length = u32::try_from(self.0.len()).unwrap_or(0);
        if let Some(field) = self.0.first_chunk_mut() {
            *field = length.to_ne_bytes();
        }
        self
    }
}

/// The kernel's answer in a datagram: `None` if there is none in it.
fn answer(mut datagram: &[u8]) -> Option<Result<()>> {
    // Each message begins with its length and kind; the next begins at a multiple of four.
    while let Some((header, _)) = datagram.split_first_chunk::<HEADER>() {
        let [l0, l1, l2, l3, k0, k1, ..] = *header;
        let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).ok()?;
        if length < HEADER {
            return None;
        }
        if u16::from_ne_bytes([k0, k1]) == ERROR {
            let code = datagram.get(HEADER..length)?.first_chunk()?;
            return Some(match i32::from_ne_bytes(*code) {
                0 => Ok(()),
                code => Err(Errno::from_raw_os_error(code.checked_neg()?)),
            });
        }
        datagram = datagram.get(length.checked_next_multiple_of(4)?..).unwrap_or_default();
    }
    None
}

/// A socket for requests.
pub struct Netlink(OwnedFd);

impl Netlink {
    /// Opens one.
    pub fn open() -> Result<Self> {
        // NETLINK_ROUTE is protocol 0, which rustix has no name for.
        let socket =
            socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        rustix::net::bind(&socket, &netlink::SocketAddrNetlink::new(0, 0))?;
        set_socket_timeout(&socket, Timeout::Recv, Some(Duration::from_secs(5)))?;
        Ok(Self(socket))
    }

    /// Sends a request and waits for the answer. What is there already is fine.
    pub fn ask(&self, request: &Request) -> Result<()> {
        send(&self.0, &request.0, SendFlags::empty())?;
        let mut buffer = [0_u8; 4096];
        // Nothing else is subscribed to, so the answer is among the first datagrams.
        for _ in 0..8 {
            let (length, _) = recv(&self.0, &mut buffer, RecvFlags::empty())?;
            match answer(buffer.get(..length).unwrap_or_default()) {
                None => {}
                Some(Err(Errno::EXIST)) => return Ok(()),
                Some(result) => return result,
            }
        }
        Err(Errno::PROTO)
    }
}

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // The vectors are written out by hand from the structures in rtnetlink(7).

    #[test]
    fn up() {
        let bytes = [
            32, 0, 0, 0, 16, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, // header
            0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0,
        ];
        assert_eq!(Request::up(2).0, bytes);
    }

    #[test]
    fn down() {
        let bytes = [0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
        assert_eq!(Request::down(2).0[16..], bytes);
    }

    #[test]
    fn mtu() {
        let bytes = [
            40, 0, 0, 0, 16, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, // header
            0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
            8, 0, 4, 0, 120, 5, 0, 0,
        ];
        assert_eq!(Request::mtu(2, 1400).0, bytes);
    }

    #[test]
    fn vlans() {
        let bytes = [
            76, 0, 0, 0, 16, 0, 5, 6, 1, 0, 0, 0, 0, 0, 0, 0, // header
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
            10, 0, 3, 0, b'e', b't', b'h', b'0', b'.', b'7', 0, 0, // its name
            8, 0, 5, 0, 2, 0, 0, 0, // its base
            24, 0, 18, 0, 8, 0, 1, 0, b'v', b'l', b'a', b'n', // its kind
            12, 0, 2, 0, 6, 0, 1, 0, 7, 0, 0, 0,
        ];
        assert_eq!(Request::add_vlan("eth0.7", 2, 7).0, bytes);
        assert!(Request::add_vlan("123456789012345", 2, 4094).0.len() <= 84);
        let bytes = [
            32, 0, 0, 0, 17, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, // header
            0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(Request::delete(9).0, bytes);
    }

    #[test]
    fn address() {
        let bytes = [
            48, 0, 0, 0, 20, 0, 5, 5, 1, 0, 0, 0, 0, 0, 0, 0, // header
            2, 24, 0, 0, 2, 0, 0, 0, //
            8, 0, 2, 0, 10, 0, 2, 15, 8, 0, 1, 0, 10, 0, 2, 15, 8, 0, 4, 0, 10, 0, 2, 255,
        ];
        assert_eq!(Request::address(2, Ipv4Addr::new(10, 0, 2, 15), 24).0, bytes);
        assert_eq!(Request::address(2, Ipv4Addr::new(10, 0, 2, 15), 32).0.len(), 40);
    }

    #[test]
    fn default_route() {
        let bytes = [
            44, 0, 0, 0, 24, 0, 5, 5, 1, 0, 0, 0, 0, 0, 0, 0, // header
            2, 0, 0, 0, 254, 3, 0, 1, 4, 0, 0, 0, //
            8, 0, 5, 0, 10, 0, 2, 2, 8, 0, 4, 0, 2, 0, 0, 0,
        ];
        assert_eq!(Request::default_route(2, Ipv4Addr::new(10, 0, 2, 2)).0, bytes);
    }

    #[test]
    fn answers() {
        let good = [20, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(answer(&good), Some(Ok(())));
        let mut bad = good;
        bad[16..].copy_from_slice(&(-1_i32).to_le_bytes());
        assert_eq!(answer(&bad), Some(Err(Errno::PERM)));
        // Another message, of a length that is not a multiple of four, before it.
        let other = [17, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0];
        assert_eq!(answer(&[other, bad].concat()), Some(Err(Errno::PERM)));
        assert_eq!(answer(&other), None);
        assert_eq!(answer(&good[..18]), None);
        assert_eq!(answer(&[0; 64]), None);
    }

    proptest! {
        #[test]
        fn any_answer_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = answer(&bytes);
        }
    }
}
