//! One exchange with one server: connect, send, read to the end, each within its time.
//!
//! Allocates nothing and takes no lock, so that it works after a panic in whatever thread.

use core::fmt;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::sockopt::socket_error;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, bind, connect, recv,
    send, shutdown, socket_with,
};

use crate::event::{now, timespec};
use crate::failure::Os;

/// The longest wait without a sign of life.
const BEAT: Duration = Duration::from_secs(1);

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To be connected.
    pub connect: Duration,
    /// A whole exchange: to be connected, to send, and to have the whole reply.
    pub attempt: Duration,
    /// The pause after all of boss' addresses have been tried in vain. It doubles each time, up
    /// to [`Limits::longest_pause`].
    pub pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl Limits {
    /// What is right on a real network: a lost SYN is sent again after one second and after three
    /// (RFC 6298, section 2), and a boss whose nodes all boot at once takes its time.
    pub const DEFAULT: Self = Self {
        connect: Duration::from_secs(4),
        attempt: Duration::from_secs(15),
        pause: Duration::from_millis(500),
        longest_pause: Duration::from_secs(5),
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Why there is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not connected.
    Connect(Errno),
    /// The request was not taken.
    Send(Errno),
    /// The connection broke before the end of the reply, which may mean that the request was not
    /// read.
    Receive(Errno),
    /// The reply has no end within the time.
    Slow,
    /// The reply is longer than so many bytes.
    TooLong(usize),
    /// `REDIRECT=` to something that is not the address of a server.
    Redirect,
    /// More `REDIRECT=` after each other than are followed.
    Redirects,
    /// The request was not tried: no time was left, or the run has ended.
    NotTried,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(errno) => write!(f, "cannot connect: {}", Os(*errno)),
            Self::Send(errno) => write!(f, "cannot send: {}", Os(*errno)),
            Self::Receive(errno) => write!(f, "the reply broke off: {}", Os(*errno)),
            Self::Slow => f.write_str("no whole reply in time"),
            Self::TooLong(limit) => write!(f, "the reply is longer than {limit} bytes"),
            Self::Redirect => f.write_str("it names another server that cannot be found"),
            Self::Redirects => f.write_str("servers name each other in a circle"),
            Self::NotTried => f.write_str("not tried: there was no time left"),
        }
    }
}

/// A moment that waiting has to end at.
#[derive(Clone, Copy)]
pub(super) struct Deadline(Duration);

impl Deadline {
    pub(super) fn after(time: Duration) -> Self {
        Self(now().saturating_add(time))
    }

    pub(super) fn or_before(self, time: Duration) -> Self {
        Self(self.0.min(now().saturating_add(time)))
    }

    /// The time until then; `None` if it is over.
    pub(super) fn left(self) -> Option<Duration> {
        self.0.checked_sub(now()).filter(|left| !left.is_zero())
    }

    /// Does nothing for `time`, or until the deadline if that comes first.
    pub(super) fn pause(self, time: Duration, beat: &dyn Fn()) {
        let end = self.or_before(time);
        while let Some(left) = end.left() {
            crate::event::sleep(left.min(BEAT));
            beat();
        }
    }
}

/// Sends `request` to `server` and reads the reply into `room`; its length. `source` is the address
/// to ask from, if not the one that the system chooses. `beat` is called at least about every second.
pub(super) fn exchange(
    source: Option<Ipv4Addr>,
    server: SocketAddrV4,
    request: &[u8],
    room: &mut [u8],
    limits: &Limits,
    deadline: Deadline,
    beat: &dyn Fn(),
) -> Result<usize, Fault> {
    let deadline = deadline.or_before(limits.attempt);
    let socket = connected(source, server, deadline.or_before(limits.connect), beat)?;
    // The server reads once, so all of it has to arrive at once: one call, one segment.
    match send(&socket, request, SendFlags::NOSIGNAL) {
        Ok(count) if count == request.len() => {}
        Ok(_) => return Err(Fault::Send(Errno::MSGSIZE)),
        Err(errno) => return Err(Fault::Send(errno)),
    }
    // Some requests have no other end.
    shutdown(&socket, Shutdown::Write).map_err(Fault::Send)?;
    receive(&socket, room, deadline, beat)
}

fn connected(
    source: Option<Ipv4Addr>,
    server: SocketAddrV4,
    deadline: Deadline,
    beat: &dyn Fn(),
) -> Result<OwnedFd, Fault> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)
        .map_err(Fault::Connect)?;
    if let Some(source) = source {
        bind(&socket, &SocketAddrV4::new(source, 0)).map_err(Fault::Connect)?;
    }
    match connect(&socket, &server) {
        Ok(()) => return Ok(socket),
        Err(Errno::INPROGRESS | Errno::INTR) => {}
        Err(errno) => return Err(Fault::Connect(errno)),
    }
    if !wait(&socket, PollFlags::OUT, deadline, beat).map_err(Fault::Connect)? {
        return Err(Fault::Connect(Errno::TIMEDOUT));
    }
    broken(&socket).map_err(Fault::Connect)?;
    Ok(socket)
}

fn receive(
    socket: &OwnedFd,
    room: &mut [u8],
    deadline: Deadline,
    beat: &dyn Fn(),
) -> Result<usize, Fault> {
    let limit = room.len();
    let mut length = 0_usize;
    loop {
        // Also asked when all is there already: one byte at a time has no end otherwise.
        if deadline.left().is_none() {
            return Err(Fault::Slow);
        }
        let mut excess = [0_u8; 1];
        let free = match room.get_mut(length..) {
            Some(free) if !free.is_empty() => free,
            _ => excess.as_mut_slice(),
        };
        match recv(socket, free, RecvFlags::empty()) {
            Ok((_, 0)) => {
                // A connection that was reset after the server had closed it ends in the same
                // way, but then the request was not read.
                broken(socket).map_err(Fault::Receive)?;
                return Ok(length);
            }
            Ok(_) if length == limit => return Err(Fault::TooLong(limit)),
            Ok((_, count)) => length = length.saturating_add(count),
            Err(Errno::AGAIN) => {
                if !wait(socket, PollFlags::IN, deadline, beat).map_err(Fault::Receive)? {
                    return Err(Fault::Slow);
                }
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Fault::Receive(errno)),
        }
    }
}

/// Waits for the socket to be ready; whether it became that before the deadline.
fn wait(
    socket: &OwnedFd,
    flags: PollFlags,
    deadline: Deadline,
    beat: &dyn Fn(),
) -> Result<bool, Errno> {
    while let Some(left) = deadline.left() {
        let timeout = timespec(left.min(BEAT));
        match poll(&mut [PollFd::new(socket, flags)], Some(&timeout)) {
            Ok(0) | Err(Errno::INTR) => beat(),
            Ok(_) => return Ok(true),
            Err(errno) => return Err(errno),
        }
    }
    Ok(false)
}

fn broken(socket: &OwnedFd) -> Result<(), Errno> {
    socket_error(socket).and_then(|state| state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;
    use std::net::TcpListener;

    const LIMIT: Duration = Duration::from_secs(10);

    fn listener() -> (TcpListener, SocketAddrV4) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
    }

    #[test]
    fn a_server_that_was_gone_before_the_request_came_has_not_answered() {
        let (listener, address) = listener();
        let deadline = Deadline::after(LIMIT);
        let socket = connected(None, address, deadline, &|| {}).unwrap();
        drop(listener.accept().unwrap());
        // The end of the connection is there before the request goes, and then the reset.
        assert_eq!(wait(&socket, PollFlags::IN, deadline, &|| {}), Ok(true));
        send(&socket, b"VERSION=25 startstatus 0 ", SendFlags::NOSIGNAL).unwrap();
        assert_eq!(wait(&socket, PollFlags::empty(), deadline, &|| {}), Ok(true));
        let reply = receive(&socket, &mut [0; 100], deadline, &|| {});
        assert!(matches!(reply, Err(Fault::Receive(_))), "{reply:?}");
    }

    #[test]
    fn a_reply_as_long_as_the_room_is_not_too_long() {
        let (listener, address) = listener();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..2 {
                    let (mut stream, _) = listener.accept().unwrap();
                    std::io::Read::read_to_end(&mut stream, &mut std::vec::Vec::new()).unwrap();
                    std::io::Write::write_all(&mut stream, b"12345").unwrap();
                }
            });
            let ask = |room: &mut [u8]| {
                let deadline = Deadline::after(LIMIT);
                exchange(None, address, b"x ", room, &Limits::DEFAULT, deadline, &|| {})
            };
            assert_eq!(ask(&mut [0; 5]), Ok(5));
            assert_eq!(ask(&mut [0; 4]), Err(Fault::TooLong(4)));
        });
    }
}
