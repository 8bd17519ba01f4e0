//! The thread that keeps the lease.
//!
//! It is nobody's to wait for: it takes no lock but the log's, and its signs of life are no
//! progress of the run. Once the interface has its address, an ordinary UDP socket does: answers
//! come to that address or are broadcast, and the kernel checks them.

use alloc::boxed::Box;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::{Errno, Result};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto, socket_with,
};
use smoltcp::wire::{DHCP_CLIENT_PORT, DHCP_SERVER_PORT};

use super::keep::{Change, Keep};
use super::{BUFFER, Outgoing, Target, frame};
use crate::event::{now, sleep, timespec};
use crate::failure::Os;
use crate::net::link::Link;
use crate::net::packet::PacketSockets;
use crate::threads::Threads;

/// The pause after an error that may pass.
const PAUSE: Duration = Duration::from_secs(10);

/// The lease of an interface.
pub struct Renewal {
    /// The interface.
    pub link: Link,
    /// The lease.
    pub keep: Keep,
    /// For messages to all servers.
    pub packets: &'static dyn PacketSockets,
}

impl Renewal {
    /// Starts the thread, which ends with the program.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(self, threads: &dyn Threads) -> Result<()> {
        threads.start(Box::new(move || self.run())).map(drop)
    }

    fn run(mut self) {
        let name = self.link.name.clone();
        let socket = loop {
            match open() {
                Ok(socket) => break socket,
                Err(errno) => {
                    log::warn!("{name}: no socket to renew the lease with: {}", Os(errno));
                    sleep(PAUSE);
                }
            }
        };
        let mut buffer = [0; BUFFER];
        while self.keep.due() < Duration::MAX {
            let (outgoing, change) = self.keep.poll(now());
            self.tell(change);
            if let Some(outgoing) = outgoing
                && let Err(errno) = self.send(&socket, &outgoing)
            {
                log::warn!("{name}: cannot ask to renew the lease: {}", Os(errno));
            }
            let length = match receive(&socket, &mut buffer, self.keep.due()) {
                Ok(length) => length,
                Err(Errno::INTR | Errno::AGAIN) => continue,
                // An earlier message reached nobody; the next will be sent when it is due.
                Err(errno) => {
                    log::debug!("{name}: {}", Os(errno));
                    continue;
                }
            };
            let change = self.keep.receive(now(), buffer.get(..length).unwrap_or_default());
            self.tell(change);
        }
    }

    fn tell(&self, change: Option<Change>) {
        let name = &self.link.name;
        match change {
            None => {}
            Some(Change::Renewed { server, time }) => {
                let seconds = time.as_secs();
                log::info!("{name}: lease renewed by {server} (DHCPACK) for {seconds} s");
            }
            Some(Change::Lost(why)) => {
                log::error!("{name}: {why}; the address is used until the end of the run");
            }
        }
    }

    fn send(&self, socket: &OwnedFd, outgoing: &Outgoing) -> Result<()> {
        let message = &outgoing.message[..];
        match outgoing.target {
            Target::Server(server) => {
                let to = SocketAddrV4::new(server, DHCP_SERVER_PORT);
                sendto(socket, message, SendFlags::empty(), &to).map(drop)
            }
            Target::All(source) => {
                let index = self.link.index;
                let packet = frame::broadcast(message, source).ok_or(Errno::MSGSIZE)?;
                let socket = self.packets.open(index)?;
                self.packets.broadcast(socket.as_fd(), index, &packet)
            }
        }
    }
}

fn open() -> Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, DHCP_CLIENT_PORT))?;
    Ok(socket)
}

/// Waits for a message until `deadline`; `AGAIN` if there is none.
fn receive(socket: &OwnedFd, buffer: &mut [u8], deadline: Duration) -> Result<usize> {
    let timeout = timespec(deadline.saturating_sub(now()));
    let mut sockets = [PollFd::new(socket, PollFlags::IN)];
    if poll(&mut sockets, Some(&timeout))? == 0 {
        return Err(Errno::AGAIN);
    }
    recv(socket, buffer, RecvFlags::empty()).map(|(length, _)| length)
}
