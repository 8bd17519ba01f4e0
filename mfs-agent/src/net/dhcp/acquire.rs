//! How an address is got: DHCPDISCOVER, DHCPOFFER, DHCPREQUEST, DHCPACK.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::net::Ipv4Addr;
use core::time::Duration;

use smoltcp::wire::DhcpMessageType;

use super::lease::Lease;
use super::message::{Answer, Query};
use super::{Outgoing, Target, seconds};
use crate::cmdline::ip::Mac;
use crate::net::random::Random;

/// The first pause; each is twice the one before. The first packet after the link has come up is
/// lost on some cards (e1000), so it is short; RFC 2131 section 4.1 begins with four seconds.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause of a node that waits for its address. A switch's port with spanning tree may
/// take 50 seconds to forward packets, and the node should notice soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(16);
/// How often an offer is requested before it is given up.
const REQUESTS: u32 = 3;

/// A client without a lease.
pub struct Acquire {
    mac: Mac,
    random: Random,
    started: Duration,
    transaction: u32,
    /// The address to ask for, and no other.
    wanted: Option<Ipv4Addr>,
    longest_pause: Duration,
    pause: Duration,
    due: Duration,
    state: State,
    /// The server whose last offer led to nothing: another's is better, for one round.
    shunned: Option<Ipv4Addr>,
    /// How many messages were sent.
    pub sent: u32,
}

enum State {
    /// Waiting for an offer.
    Selecting,
    /// Waiting for the acknowledgement of an offer.
    Requesting {
        offer: Box<Lease>,
        attempts: u32,
        /// When it was first requested: from then on the lease counts.
        since: Duration,
    },
}

/// What a message of a server led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing.
    Nothing,
    /// An offer that is taken.
    Offered(Ipv4Addr),
    /// Something that people should know.
    Trouble(String),
    /// A lease, which counts from this time on.
    Acquired(Box<Lease>, Duration),
}

impl Acquire {
    /// A client that begins to ask at the time `now`.
    pub fn new(mac: Mac, mut random: Random, now: Duration) -> Self {
        Self {
            mac,
            transaction: random.number(),
            random,
            started: now,
            wanted: None,
            longest_pause: LONGEST_PAUSE,
            pause: FIRST_PAUSE,
            due: now,
            state: State::Selecting,
            shunned: None,
            sent: 0,
        }
    }

    /// A client that wants the address that it had, and has no hurry.
    pub fn again(mac: Mac, random: Random, now: Duration, wanted: Ipv4Addr) -> Self {
        let longest_pause = Duration::from_mins(1);
        Self { wanted: Some(wanted), longest_pause, ..Self::new(mac, random, now) }
    }

    /// When it wants to be asked again.
    pub fn due(&self) -> Duration {
        self.due
    }

    /// Whether it waits for a server to acknowledge its offer.
    pub fn is_requesting(&self) -> bool {
        matches!(self.state, State::Requesting { .. })
    }

    /// The link was away and is back: what was sent may be lost.
    pub fn hurry(&mut self, now: Duration) {
        self.pause = FIRST_PAUSE;
        self.due = now;
    }

    /// What is to be sent at the time `now`.
    pub fn poll(&mut self, now: Duration) -> Option<Outgoing> {
        if now < self.due {
            return None;
        }
        let (kind, wanted, server) = match &mut self.state {
            State::Requesting { attempts, offer, .. } if *attempts < REQUESTS => {
                *attempts = attempts.saturating_add(1);
                (DhcpMessageType::Request, Some(offer.address), Some(offer.server))
            }
            State::Requesting { .. } => {
                self.start_over(now);
                return None;
            }
            State::Selecting => (DhcpMessageType::Discover, self.wanted, None),
        };
        let transaction = self.transaction;
        let seconds = seconds(self.started, now);
        let client = Ipv4Addr::UNSPECIFIED;
        let query = Query { kind, transaction, seconds, client, wanted, server };
        self.wait(now);
        self.sent = self.sent.saturating_add(1);
        Some(Outgoing { message: query.message(self.mac), target: Target::All(client) })
    }

    /// Takes a message of a server.
    pub fn receive(&mut self, now: Duration, message: &[u8]) -> Outcome {
        let answer = match Answer::parse(message, self.mac, self.transaction) {
            Ok(Some(answer)) => answer,
            Ok(None) => return Outcome::Nothing,
            Err(why) => return Outcome::Trouble(format!("a DHCP server's answer has {why}")),
        };
        match (answer, &mut self.state) {
            (Answer::Offer(offer), State::Selecting) => self.select(now, offer),
            (Answer::Acknowledgement(mut lease), State::Requesting { offer, since, .. }) => {
                if lease.server != offer.server {
                    return Outcome::Nothing;
                }
                if lease.address != offer.address {
                    let (given, offered) = (lease.address, offer.address);
                    let server = offer.server;
                    self.start_over(now);
                    return Outcome::Trouble(format!(
                        "the DHCP server {server} offered {offered} and gives {given}"
                    ));
                }
                // RFC 2131 lets servers leave it out of acknowledgements.
                lease.next_server = lease.next_server.or(offer.next_server);
                Outcome::Acquired(Box::new(lease), *since)
            }
            (Answer::Refusal { server, text }, State::Requesting { offer, .. }) => {
                if server.is_some_and(|server| server != offer.server) {
                    return Outcome::Nothing;
                }
                let (server, address) = (offer.server, offer.address);
                self.start_over(now);
                Outcome::Trouble(format!(
                    "the DHCP server {server} offered {address} and refuses it (DHCPNAK): {text}"
                ))
            }
            _ => Outcome::Nothing,
        }
    }

    fn select(&mut self, now: Duration, offer: Lease) -> Outcome {
        if self.shunned == Some(offer.server) {
            return Outcome::Nothing;
        }
        if let Some(wanted) = self.wanted
            && wanted != offer.address
        {
            let Lease { server, address, .. } = offer;
            return Outcome::Trouble(format!(
                "the DHCP server {server} offers {address} instead of {wanted}"
            ));
        }
        let address = offer.address;
        self.state = State::Requesting { offer: Box::new(offer), attempts: 0, since: now };
        self.hurry(now);
        Outcome::Offered(address)
    }

    /// Goes back to the beginning after an offer that led to nothing.
    fn start_over(&mut self, now: Duration) {
        if let State::Requesting { offer, .. } = &self.state {
            self.shunned = Some(offer.server);
        }
        self.state = State::Selecting;
        self.transaction = self.random.number();
        // The pauses go on growing, so that a server that always refuses isn't flooded.
        self.due = now.saturating_add(self.random.about(FIRST_PAUSE));
    }

    /// Puts off the next message.
    fn wait(&mut self, now: Duration) {
        let selecting = matches!(self.state, State::Selecting);
        if selecting && self.pause > FIRST_PAUSE {
            self.shunned = None;
        }
        self.due = now.saturating_add(self.random.about(self.pause));
        self.pause = self.pause.saturating_mul(2).min(self.longest_pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::dhcp::message::tests::{MAC, answer};
    use crate::net::dhcp::options::Options;
    use DhcpMessageType::{Ack, Nak, Offer};

    const ADDRESS: [u8; 4] = [10, 0, 0, 7];

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn client() -> Acquire {
        Acquire::new(MAC, Random::new(7), at(100.0))
    }

    /// The next message, when it is due.
    fn next(client: &mut Acquire) -> (Duration, alloc::vec::Vec<u8>) {
        loop {
            let due = client.due();
            if let Some(outgoing) = client.poll(due) {
                assert_eq!(outgoing.target, Target::All(Ipv4Addr::UNSPECIFIED));
                return (due, outgoing.message);
            }
        }
    }

    fn kind(message: &[u8]) -> DhcpMessageType {
        Options::of(message).byte(53).unwrap().into()
    }

    /// A client with an offer, its request, and when that was made.
    fn requesting() -> (Acquire, alloc::vec::Vec<u8>, Duration) {
        let mut client = client();
        let (now, discover) = next(&mut client);
        let offer = answer(&discover, Offer, ADDRESS, &[]);
        assert_eq!(client.receive(now, &offer), Outcome::Offered(ADDRESS.into()));
        let (now, request) = next(&mut client);
        (client, request, now)
    }

    #[test]
    fn an_address_at_once() {
        let (mut client, request, now) = requesting();
        assert_eq!((kind(&request), now), (DhcpMessageType::Request, at(100.0)));
        let options = Options::of(&request);
        assert_eq!(options.address(50), Some(ADDRESS.into()));
        assert_eq!(options.address(54), Some([10, 0, 0, 1].into()));
        let later = at(100.5);
        let Outcome::Acquired(lease, since) =
            client.receive(later, &answer(&request, Ack, ADDRESS, &[]))
        else {
            panic!("no lease")
        };
        assert_eq!((lease.address, since), (ADDRESS.into(), now));
    }

    #[test]
    fn pauses_grow_up_to_sixteen_seconds() {
        let mut client = client();
        let (mut last, first) = next(&mut client);
        for expected in [1.0, 2.0, 4.0, 8.0, 16.0, 16.0, 16.0] {
            let (now, message) = next(&mut client);
            let pause = (now - last).as_secs_f64();
            assert!((expected * 0.87..expected * 1.13).contains(&pause), "{expected} {pause}");
            assert_eq!(message[4..8], first[4..8], "a late answer still counts");
            last = now;
        }
        assert!(client.poll(last).is_none());
        client.hurry(last);
        assert!(client.poll(last).is_some());
        assert!(client.due() - last < at(1.2));
    }

    #[test]
    fn an_offer_that_is_never_acknowledged() {
        let (mut client, request, _) = requesting();
        let offer_again = answer(&request, Offer, [10, 0, 0, 8], &[]);
        assert_eq!(client.receive(client.due(), &offer_again), Outcome::Nothing);
        for _ in 1..REQUESTS {
            assert_eq!(kind(&next(&mut client).1), DhcpMessageType::Request);
        }
        let (now, discover) = next(&mut client);
        assert_eq!(kind(&discover), DhcpMessageType::Discover);
        assert_ne!(discover[4..8], request[4..8]);
        assert!(now < at(110.0), "{now:?}");
        // Its offers count again if no other server has any.
        let again = answer(&discover, Offer, ADDRESS, &[]);
        let mut taken = client.receive(now, &again);
        if taken == Outcome::Nothing {
            let (now, discover) = next(&mut client);
            taken = client.receive(now, &answer(&discover, Offer, ADDRESS, &[]));
        }
        assert_eq!(taken, Outcome::Offered(ADDRESS.into()));
    }

    #[test]
    fn refusals() {
        let (mut client, request, now) = requesting();
        let mut other = answer(&request, Nak, [0; 4], &[]);
        // The server's address is right after the kind.
        other[245] = 99;
        assert_eq!(client.receive(now, &other), Outcome::Nothing);
        let outcome = client.receive(now, &answer(&request, Nak, [0; 4], b"\x38\x04gone"));
        let Outcome::Trouble(text) = outcome else { panic!("{outcome:?}") };
        assert!(text.contains("10.0.0.1") && text.ends_with("gone"), "{text}");
        let (again, discover) = next(&mut client);
        assert_eq!(kind(&discover), DhcpMessageType::Discover);
        assert!(again > now, "a server that refuses is not flooded");
        // Late answers to what was before don't count.
        assert_eq!(client.receive(now, &answer(&request, Ack, ADDRESS, &[])), Outcome::Nothing);
    }

    #[test]
    fn another_address_than_offered() {
        let (mut client, request, now) = requesting();
        let ack = answer(&request, Ack, [10, 0, 0, 9], &[]);
        assert!(matches!(client.receive(now, &ack), Outcome::Trouble(_)));
        assert!(!client.is_requesting());
    }

    #[test]
    fn the_same_address_again_or_none() {
        let mut client = Acquire::again(MAC, Random::new(1), at(0.0), ADDRESS.into());
        let (now, discover) = next(&mut client);
        assert_eq!(Options::of(&discover).address(50), Some(ADDRESS.into()));
        let other = answer(&discover, Offer, [10, 0, 0, 9], &[]);
        assert!(matches!(client.receive(now, &other), Outcome::Trouble(_)));
        let same = answer(&discover, Offer, ADDRESS, &[]);
        assert_eq!(client.receive(now, &same), Outcome::Offered(ADDRESS.into()));
    }
}
