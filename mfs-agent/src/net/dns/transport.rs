//! Queries by UDP and TCP.

use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::io::{Errno, Result};
use rustix::net::sockopt::socket_error;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
};

use super::{How, Transport};
use crate::event::{now, timespec};

const PORT: u16 = 53;
/// What servers send by UDP to who doesn't say that it takes more (RFC 1035 section 4.2.1), and
/// some, for those that send more.
const DATAGRAM: usize = 1500;

/// The kernel's sockets. Each query is from a port of its own, and connected sockets take nothing
/// from others than the server.
pub struct UdpAndTcp;

impl Transport for UdpAndTcp {
    fn ask(&mut self, server: Ipv4Addr, query: &[u8], wait: Duration, how: How) -> Result<Vec<u8>> {
        let deadline = now().saturating_add(wait);
        match how {
            How::Datagram => Socket::connect(server, SocketType::DGRAM, deadline)?.datagrams(query),
            How::Stream => Socket::connect(server, SocketType::STREAM, deadline)?.stream(query),
        }
    }
}

struct Socket {
    socket: OwnedFd,
    deadline: Duration,
}

impl Socket {
    fn connect(server: Ipv4Addr, kind: SocketType, deadline: Duration) -> Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::INET, kind, flags, None)?;
        let connected = connect(&socket, &SocketAddrV4::new(server, PORT));
        let socket = Self { socket, deadline };
        match connected {
            Err(Errno::INPROGRESS) => {
                socket.wait(PollFlags::OUT)?;
                socket_error(&socket.socket)??;
            }
            result => result?,
        }
        Ok(socket)
    }

    /// Waits until the socket is ready for something.
    fn wait(&self, what: PollFlags) -> Result<()> {
        loop {
            let left = self.deadline.saturating_sub(now());
            if left.is_zero() {
                return Err(Errno::TIMEDOUT);
            }
            match poll(&mut [PollFd::new(&self.socket, what)], Some(&timespec(left))) {
                Ok(0) | Err(Errno::INTR) => {}
                result => return result.map(drop),
            }
        }
    }

    fn receive(&self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            self.wait(PollFlags::IN)?;
            match recv(&self.socket, &mut *buffer, RecvFlags::empty()) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                result => return result.map(|(length, _)| length),
            }
        }
    }

    fn datagrams(&self, query: &[u8]) -> Result<Vec<u8>> {
        send(&self.socket, query, SendFlags::empty())?;
        let mut buffer = vec![0; DATAGRAM];
        loop {
            let length = self.receive(&mut buffer)?;
            // What has another number is late or forged.
            if let Some(answer) = buffer.get(..length)
                && has_number_of(answer, query)
            {
                return Ok(answer.to_vec());
            }
        }
    }

    /// RFC 1035 section 4.2.2: each message has its length before it.
    fn stream(&self, query: &[u8]) -> Result<Vec<u8>> {
        let length = u16::try_from(query.len()).map_err(|_| Errno::MSGSIZE)?;
        let mut message = length.to_be_bytes().to_vec();
        message.extend_from_slice(query);
        // It is far shorter than the room that a new connection has.
        if send(&self.socket, &message, SendFlags::NOSIGNAL)? != message.len() {
            return Err(Errno::IO);
        }
        let mut length = [0; 2];
        self.fill(&mut length)?;
        let mut answer = vec![0; u16::from_be_bytes(length).into()];
        self.fill(&mut answer)?;
        if has_number_of(&answer, query) { Ok(answer) } else { Err(Errno::PROTO) }
    }

    fn fill(&self, mut buffer: &mut [u8]) -> Result<()> {
        while !buffer.is_empty() {
            match self.receive(buffer)? {
                0 => return Err(Errno::CONNRESET),
                count => buffer = buffer.get_mut(count..).unwrap_or_default(),
            }
        }
        Ok(())
    }
}

fn has_number_of(answer: &[u8], query: &[u8]) -> bool {
    answer.first_chunk::<2>() == query.first_chunk::<2>()
}
