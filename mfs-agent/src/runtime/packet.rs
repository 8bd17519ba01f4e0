//! Sockets of packet(7): rustix makes them, but their addresses are made here.

use core::ptr;

use mfs_agent::net::packet::PacketSockets;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::{Errno, Result};
use rustix::net::addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, bind, sendto, socket_with};

/// `AF_PACKET`
const FAMILY: u16 = 17;
/// `ETH_P_IP`
const IPV4: u16 = 0x0800;

/// `struct sockaddr_ll` of packet(7).
#[repr(C)]
struct LinkAddress {
    family: u16,
    /// In network order.
    protocol: u16,
    interface: i32,
    hardware: u16,
    packet: u8,
    address_length: u8,
    address: [u8; 8],
}

impl LinkAddress {
    /// All stations that get the IPv4 packets of an interface.
    fn everybody(interface: u32) -> Result<Self> {
        Ok(Self {
            family: FAMILY,
            protocol: IPV4.to_be(),
            interface: i32::try_from(interface).map_err(|_| Errno::NODEV)?,
            hardware: 0,
            packet: 0,
            address_length: 6,
            address: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0],
        })
    }
}

// SAFETY: the pointer is to a whole `sockaddr_ll`, initialised and without padding, that lives as
// long as the call; the length is its size.
unsafe impl SocketAddrArg for LinkAddress {
    unsafe fn with_sockaddr<R>(
        &self,
        f: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R,
    ) -> R {
        const LENGTH: SocketAddrLen = 20;
        const { assert!(size_of::<LinkAddress>() == 20) };
        f(ptr::from_ref(self).cast(), LENGTH)
    }
}

/// The kernel's packet sockets.
pub(crate) struct KernelPackets;

impl PacketSockets for KernelPackets {
    fn open(&self, interface: u32) -> Result<OwnedFd> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // Without a protocol the socket gets nothing, from no interface, before it is bound.
        let socket = socket_with(AddressFamily::PACKET, SocketType::DGRAM, flags, None)?;
        bind(&socket, &LinkAddress::everybody(interface)?)?;
        Ok(socket)
    }

    fn broadcast(&self, socket: BorrowedFd<'_>, interface: u32, packet: &[u8]) -> Result<()> {
        sendto(socket, packet, SendFlags::empty(), &LinkAddress::everybody(interface)?).map(drop)
    }
}
