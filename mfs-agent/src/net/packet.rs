//! Packets to and from an interface that has no address yet.

use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::Result;

/// What the agent needs of packet(7) sockets. The runtime has them: rustix knows no address of
/// theirs, and its trait for foreign addresses is unsafe to implement.
pub trait PacketSockets: Sync {
    /// A socket for the IPv4 packets of the interface with this number. Reading gives packets that
    /// begin with the IPv4 header; reading never waits.
    fn open(&self, interface: u32) -> Result<OwnedFd>;

    /// Sends an IPv4 packet to all stations on the interface's link.
    fn broadcast(&self, socket: BorrowedFd<'_>, interface: u32, packet: &[u8]) -> Result<()>;
}
