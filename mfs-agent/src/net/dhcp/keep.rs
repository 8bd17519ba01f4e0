//! How a lease is kept (RFC 2131 section 4.4.5), for as long as the run takes.
//!
//! RFC 2131 has a client stop using its address when the lease runs out or the server takes it
//! back. This client doesn't: the address is in use by the mount through which the node's disk is
//! being saved, the file server exports to this address only, and a node that changed it would lose
//! the only copy of somebody's work to a DHCP server that is down for an hour. It is an error in
//! the log, which everybody who looks for a doubled address will find; the node asks on and on for
//! its old address; and it is gone with the end of the run. Control networks bind addresses to
//! cards, so that no other machine gets it in the meantime.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::net::Ipv4Addr;
use core::time::Duration;

use smoltcp::wire::DhcpMessageType;

use super::acquire::{Acquire, Outcome};
use super::lease::Lease;
use super::message::{Answer, Query};
use super::{Outgoing, Target, seconds};
use crate::cmdline::ip::Mac;
use crate::net::random::Random;

/// The shortest pause between two requests for more time. RFC 2131 has a minute; leases of some
/// minutes would then end after two lost packets.
const SHORTEST_PAUSE: Duration = Duration::from_secs(10);

/// A client with a lease.
pub struct Keep {
    mac: Mac,
    random: Random,
    lease: Box<Lease>,
    /// When the lease was asked for.
    since: Duration,
    state: State,
}

enum State {
    /// The lease is good; at `due` more time is asked for.
    Held { transaction: u32, asked: Option<Duration>, due: Duration },
    /// The lease ran out or was taken back. The address is used all the same.
    Lost(Box<Acquire>),
}

/// What happened to the lease.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// There is more time.
    Renewed {
        /// The server that gave it.
        server: Ipv4Addr,
        /// How much, from now on.
        time: Duration,
    },
    /// The lease is lost, or not to be had again; why.
    Lost(String),
}

impl Keep {
    /// A client with a lease that counts from `since`.
    pub fn new(mac: Mac, mut random: Random, lease: Box<Lease>, since: Duration) -> Self {
        let due = since.saturating_add(lease.renewal);
        let state = State::Held { transaction: random.number(), asked: None, due };
        Self { mac, random, lease, since, state }
    }

    /// When it wants to be asked again; the highest duration if never.
    pub fn due(&self) -> Duration {
        match &self.state {
            State::Held { due, .. } => *due,
            State::Lost(client) => client.due(),
        }
    }

    /// What is to be sent at the time `now`, and what has happened.
    pub fn poll(&mut self, now: Duration) -> (Option<Outgoing>, Option<Change>) {
        let end = self.since.saturating_add(self.lease.time);
        let rebinding = self.since.saturating_add(self.lease.rebinding);
        let address = self.lease.address;
        match &mut self.state {
            State::Lost(client) => (client.poll(now), None),
            State::Held { due, .. } if now < *due => (None, None),
            State::Held { .. } if now >= end => {
                let server = self.lease.server;
                let text = format!("the lease of {address} has run out; {server} doesn't answer");
                (None, Some(self.lose(now, text)))
            }
            State::Held { transaction, asked, due } => {
                let renewing = now < rebinding;
                let deadline = if renewing { rebinding } else { end };
                let half = deadline.saturating_sub(now).checked_div(2).unwrap_or_default();
                let pause = self.random.about(half.max(SHORTEST_PAUSE));
                // The next time is not missed by a long pause.
                *due = now.saturating_add(pause).min(deadline);
                let query = Query {
                    kind: DhcpMessageType::Request,
                    transaction: *transaction,
                    seconds: seconds(*asked.get_or_insert(now), now),
                    client: address,
                    // The address is in the client's field, and no server is named (section 4.3.2).
                    wanted: None,
                    server: None,
                };
                let target =
                    if renewing { Target::Server(self.lease.server) } else { Target::All(address) };
                (Some(Outgoing { message: query.message(self.mac), target }), None)
            }
        }
    }

    /// Takes a message of a server.
    pub fn receive(&mut self, now: Duration, message: &[u8]) -> Option<Change> {
        let (transaction, asked) = match &mut self.state {
            State::Held { transaction, asked, .. } => (*transaction, (*asked)?),
            State::Lost(client) => {
                return match client.receive(now, message) {
                    Outcome::Acquired(lease, since) => Some(self.hold(lease, since)),
                    Outcome::Trouble(text) => Some(Change::Lost(text)),
                    Outcome::Nothing | Outcome::Offered(_) => None,
                };
            }
        };
        let address = self.lease.address;
        match Answer::parse(message, self.mac, transaction) {
            Ok(Some(Answer::Acknowledgement(lease))) if lease.address == address => {
                Some(self.hold(Box::new(lease), asked))
            }
            Ok(Some(Answer::Acknowledgement(lease))) => {
                let Lease { server, address: other, .. } = lease;
                let text = format!("{server} gives {other} instead of {address}");
                Some(self.lose(now, text))
            }
            Ok(Some(Answer::Refusal { server, text })) => {
                let server = server.unwrap_or(self.lease.server);
                let text = format!("{server} takes {address} back (DHCPNAK): {text}");
                Some(self.lose(now, text))
            }
            Ok(Some(Answer::Offer(_)) | None) => None,
            Err(why) => Some(Change::Lost(format!("a DHCP server's answer has {why}"))),
        }
    }

    /// The time counts from the first request for it: that is what the server may have answered.
    fn hold(&mut self, lease: Box<Lease>, since: Duration) -> Change {
        let change = Change::Renewed { server: lease.server, time: lease.time };
        *self = Self::new(self.mac, self.random.clone(), lease, since);
        change
    }

    fn lose(&mut self, now: Duration, text: String) -> Change {
        let random = Random::new(self.random.number().into());
        let client = Acquire::again(self.mac, random, now, self.lease.address);
        self.state = State::Lost(Box::new(client));
        Change::Lost(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::dhcp::message::tests::{MAC, answer};
    use crate::net::dhcp::options::Options;
    use DhcpMessageType::{Ack, Nak, Offer};
    use alloc::vec::Vec;

    const ADDRESS: [u8; 4] = [10, 0, 0, 7];
    const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const START: Duration = Duration::from_secs(5000);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// With a lease of 800 seconds: T1 is 400, T2 is 700.
    fn keep() -> Keep {
        let mut bytes = std::vec![0; 240];
        bytes.extend([54, 4, 10, 0, 0, 1, 51, 4, 0, 0, 3, 32]);
        let next = Ipv4Addr::UNSPECIFIED;
        let lease = Lease::new(ADDRESS.into(), next, &Options::of(&bytes)).unwrap();
        Keep::new(MAC, Random::new(3), Box::new(lease), START)
    }

    fn next(keep: &mut Keep) -> (Duration, Outgoing) {
        for _ in 0..4 {
            let now = keep.due();
            if let (Some(outgoing), _) = keep.poll(now) {
                return (now - START, outgoing);
            }
        }
        panic!("nothing is sent");
    }

    fn ack(message: &[u8]) -> Vec<u8> {
        answer(message, Ack, ADDRESS, &[51, 4, 0, 0, 3, 32])
    }

    #[test]
    fn a_renewal() {
        let mut keep = keep();
        assert_eq!(keep.poll(START + seconds(399)), (None, None));
        let (when, Outgoing { message, target }) = next(&mut keep);
        assert_eq!((when, target), (seconds(400), Target::Server(SERVER)));
        assert_eq!(message[12..16], ADDRESS);
        assert_eq!(message[10], 0, "the answer may be sent to the address");
        assert_eq!(Options::of(&message).get(50), None);
        assert_eq!(Options::of(&message).get(54), None);
        let renewed = Change::Renewed { server: SERVER, time: seconds(800) };
        assert_eq!(keep.receive(START + seconds(401), &ack(&message)), Some(renewed));
        assert_eq!(keep.due(), START + seconds(800), "it counts from the request");
    }

    #[test]
    fn all_are_asked_at_last() {
        let mut keep = keep();
        let mut times = Vec::new();
        let (when, message) = loop {
            let (when, outgoing) = next(&mut keep);
            match outgoing.target {
                Target::Server(_) => times.push(when),
                Target::All(source) => {
                    assert_eq!(source, Ipv4Addr::from(ADDRESS));
                    break (when, outgoing.message);
                }
            }
        };
        assert!((3..10).contains(&times.len()), "{times:?}");
        assert!(times.is_sorted());
        assert_eq!(when, seconds(700));
        assert!(matches!(keep.receive(START + when, &ack(&message)), Some(Change::Renewed { .. })));
        assert_eq!(keep.due(), START + seconds(400 + 400), "since the first request");
    }

    #[test]
    fn nobody_answers_and_then_somebody_does() {
        let mut keep = keep();
        let lost = loop {
            if let (_, Some(change)) = keep.poll(keep.due()) {
                break change;
            }
        };
        assert!(matches!(lost, Change::Lost(text) if text.contains("10.0.0.7 has run out")));
        let now = keep.due();
        assert_eq!(now, START + seconds(800));
        let mut last = now;
        for _ in 0..20 {
            let (_, discover) = next(&mut keep);
            assert_eq!(Options::of(&discover.message).byte(53), Some(1));
            assert!(keep.due() - last < seconds(70));
            last = keep.due();
        }
        let (when, discover) = next(&mut keep);
        let now = START + when;
        let other = answer(&discover.message, Offer, [10, 0, 0, 8], &[]);
        assert!(matches!(keep.receive(now, &other), Some(Change::Lost(_))));
        assert_eq!(keep.receive(now, &answer(&discover.message, Offer, ADDRESS, &[])), None);
        let (when, request) = next(&mut keep);
        let renewed = keep.receive(START + when, &ack(&request.message));
        assert!(matches!(renewed, Some(Change::Renewed { .. })));
        assert_eq!(keep.due(), START + when + seconds(400));
    }

    #[test]
    fn a_lease_that_is_taken_back() {
        for (kind, address) in [(Nak, [0; 4]), (Ack, [10, 0, 0, 9])] {
            let mut keep = keep();
            let (when, request) = next(&mut keep);
            let now = START + when;
            let change = keep.receive(now, &answer(&request.message, kind, address, &[]));
            assert!(matches!(change, Some(Change::Lost(_))), "{change:?}");
            let (_, discover) = next(&mut keep);
            assert_eq!(Options::of(&discover.message).address(50), Some(ADDRESS.into()));
        }
    }

    #[test]
    fn what_nobody_asked_for() {
        let mut keep = keep();
        let nak = answer(&[0; 240], Nak, [0; 4], &[]);
        assert_eq!(keep.receive(START, &nak), None);
        let (when, request) = next(&mut keep);
        let mut nak = answer(&request.message, Nak, [0; 4], &[]);
        nak[4] ^= 1;
        assert_eq!(keep.receive(START + when, &nak), None);
    }

    #[test]
    fn a_lease_for_ever() {
        let mut keep = keep();
        keep.lease.time = Duration::MAX;
        keep.lease.renewal = Duration::MAX;
        let mut keep = Keep::new(MAC, Random::new(1), keep.lease, START);
        assert_eq!(keep.due(), Duration::MAX);
        assert_eq!(keep.poll(seconds(1 << 40)), (None, None));
    }
}
