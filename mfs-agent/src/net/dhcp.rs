//! A DHCP client (RFC 2131): how an interface gets its address, and keeps it.
//!
//! [`acquire`] and [`keep`] are state machines without sockets and clocks: they are given the time
//! and the messages of servers, and say what to send and when they want to be asked again.

pub mod acquire;
pub mod frame;
pub mod keep;
pub mod lease;
pub mod message;
pub mod options;
pub mod renewal;

use alloc::vec::Vec;
use core::time::Duration;

/// The longest packet that is read, in bytes; longer ones are no answers.
pub const BUFFER: usize = 2048;

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The message.
    pub message: Vec<u8>,
    /// For whom.
    pub target: Target,
}

/// For whom a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// All servers on the link, from this address.
    All(core::net::Ipv4Addr),
    /// One server, which may be behind routers.
    Server(core::net::Ipv4Addr),
}

/// The whole seconds from `start` to `now`, as far as the field of a message goes.
fn seconds(start: Duration, now: Duration) -> u16 {
    now.saturating_sub(start).as_secs().try_into().unwrap_or(u16::MAX)
}
