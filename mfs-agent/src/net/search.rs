//! The search for the interface of the control network.
//!
//! The order of the kernel's names means nothing, so all interfaces that are meant are brought up
//! and watched: drivers may still be finding cards, links take seconds to come up, and a switch's
//! port may forward nothing for 50 seconds after that (spanning tree). What is not chosen is left
//! as it was found.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::dhcp::acquire::{Acquire, Outcome};
use super::dhcp::lease::Lease;
use super::dhcp::{BUFFER, Target, frame};
use super::link::{Link, Links, Wish};
use super::netlink::{Netlink, Request};
use super::packet::PacketSockets;
use super::random::Random;
use super::{Environment, network};
use crate::cmdline::NetworkWords;
use crate::event::{now, timespec};
use crate::failure::{Os, Result};

/// How often interfaces and carriers are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How often devices without drivers are looked for, and what failed is tried again.
const SCAN: Duration = Duration::from_secs(1);
/// Packets that are read from one interface in a row.
const BURST: usize = 16;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// An interface with a carrier.
    Carrier,
    /// An interface on which a DHCP server lends an address.
    Lease,
}

/// What was found.
pub struct Found {
    /// The network card.
    pub card: Link,
    /// The interface to use: the card's, or that of the VLAN on it.
    pub link: Link,
    /// The lease and since when it counts, if that was the goal.
    pub lease: Option<(Box<Lease>, Duration)>,
}

/// An interface that may be the one.
struct Candidate {
    card: Link,
    /// The interface to use, when it is up.
    link: Option<Link>,
    /// It was brought up here.
    raised: bool,
    carrier: bool,
    dhcp: Option<Session>,
    /// What went wrong last.
    trouble: Option<String>,
}

struct Session {
    socket: OwnedFd,
    client: Acquire,
}

/// The search.
pub struct Search<'a> {
    words: &'a NetworkWords,
    wish: Wish<'a>,
    goal: Goal,
    netlink: &'a Netlink,
    links: Links,
    packets: &'static dyn PacketSockets,
    random: Random,
    candidates: Vec<Candidate>,
}

impl<'a> Search<'a> {
    /// A search for `goal` on the interfaces that are meant by `wish`.
    pub fn new(
        words: &'a NetworkWords,
        wish: Wish<'a>,
        goal: Goal,
        netlink: &'a Netlink,
        environment: &Environment<'_>,
    ) -> Self {
        Self {
            words,
            wish,
            goal,
            netlink,
            links: environment.links,
            packets: environment.packets,
            random: Random::seeded(),
            candidates: Vec::new(),
        }
    }

    /// Searches up to the limit of the command line.
    ///
    /// # Errors
    /// `Network`, with all interfaces and how far they came.
    pub fn run(mut self, environment: &Environment<'_>) -> Result<Found> {
        let start = now();
        let mut scan = start;
        let found = loop {
            if now() >= scan {
                (environment.rescan)();
                self.retry()?;
                scan = now().saturating_add(SCAN);
            }
            self.take_in()?;
            self.watch_links();
            if let Some(found) = self.look() {
                break found;
            }
            if now().saturating_sub(start) > self.words.limit {
                return Err(self.failure());
            }
            self.wait();
            environment.progress.beat();
        };
        self.leave_others(&found);
        Ok(found)
    }

    /// Takes in interfaces that are new, and forgets those that are gone.
    fn take_in(&mut self) -> Result<()> {
        let links = self.links.meant(&self.wish);
        self.candidates.retain(|candidate| links.iter().any(|l| l.index == candidate.card.index));
        for card in links {
            if self.candidates.iter().any(|candidate| candidate.card.index == card.index) {
                continue;
            }
            log::info!("{card}: found");
            let mut candidate = Candidate::new(card);
            self.prepare(&mut candidate)?;
            self.candidates.push(candidate);
        }
        Ok(())
    }

    /// Tries again what failed.
    fn retry(&mut self) -> Result<()> {
        let mut candidates = core::mem::take(&mut self.candidates);
        let mut waiting = candidates.iter_mut().filter(|candidate| candidate.link.is_none());
        let result = waiting.try_for_each(|candidate| self.prepare(candidate));
        self.candidates = candidates;
        result
    }

    /// Brings an interface up. What fails is tried again later, but a wrong MTU stays wrong.
    fn prepare(&self, candidate: &mut Candidate) -> Result<()> {
        if let Some(mtu) = self.words.mtu
            && let Err(errno) = self.netlink.ask(&Request::mtu(candidate.card.index, mtu))
        {
            let text = format!("doesn't take mfs.mtu={mtu}: {}", Os(errno));
            if self.wish.is_binding() {
                return Err(network(format_args!("{} {text}", candidate.card)));
            }
            candidate.complain(text);
            return Ok(());
        }
        match self.raise(candidate) {
            Ok(link) => {
                candidate.link = Some(link);
                candidate.trouble = None;
            }
            Err(text) => candidate.complain(text),
        }
        Ok(())
    }

    fn raise(&self, candidate: &mut Candidate) -> core::result::Result<Link, String> {
        let card = &candidate.card;
        if !card.is_up() {
            self.ask(&Request::up(card.index), "cannot be brought up")?;
            candidate.raised = true;
        }
        let Some(id) = self.words.vlan else { return Ok(card.clone()) };
        let name = vlan_name(card, id);
        self.ask(&Request::add_vlan(&name, card.index, id), &format!("gets no VLAN {id}"))?;
        let link = self.links.find(&name).ok_or_else(|| format!("gets no interface {name}"))?;
        self.ask(&Request::up(link.index), &format!("its VLAN {id} cannot be brought up"))?;
        Ok(link)
    }

    fn ask(&self, request: &Request, failed: &str) -> core::result::Result<(), String> {
        self.netlink.ask(request).map_err(|errno| {
            let hint = match (errno, self.words.vlan) {
                (Errno::OPNOTSUPP, Some(_)) => " (is the module 8021q in the image?)",
                (Errno::NOENT, _) => " (is its firmware in the image?)",
                _ => "",
            };
            format!("{failed}: {}{hint}", Os(errno))
        })
    }

    fn watch_links(&mut self) {
        for candidate in &mut self.candidates {
            let Some(link) = &candidate.link else { continue };
            let carrier = link.has_carrier();
            if carrier == candidate.carrier {
                continue;
            }
            candidate.carrier = carrier;
            log::info!("{}: {}", link.name, if carrier { "link" } else { "no link any more" });
            if let Some(session) = &mut candidate.dhcp {
                session.client.hurry(now());
            } else if carrier && self.goal == Goal::Lease {
                match self.packets.open(link.index) {
                    Ok(socket) => {
                        let random = Random::new(u64::from(self.random.number()).wrapping_add(1));
                        let client = Acquire::new(link.mac, random, now());
                        candidate.dhcp = Some(Session { socket, client });
                    }
                    Err(errno) => candidate.complain(format!("no packet socket: {}", Os(errno))),
                }
            }
        }
    }

    /// Looks whether the goal is reached.
    fn look(&mut self) -> Option<Found> {
        match self.goal {
            Goal::Carrier => {
                let candidate = self.candidates.iter().find(|candidate| candidate.carrier)?;
                candidate.found(None)
            }
            Goal::Lease => {
                // One that has an offer goes on alone: a second lease would only be taken to be
                // thrown away. What the others get meanwhile stays in their sockets.
                let requesting = self.candidates.iter_mut().find(|c| c.is_requesting());
                if let Some(candidate) = requesting {
                    return candidate.talk(self.packets);
                }
                for candidate in &mut self.candidates {
                    if let Some(found) = candidate.talk(self.packets) {
                        return Some(found);
                    }
                    if candidate.is_requesting() {
                        break;
                    }
                }
                None
            }
        }
    }

    /// Waits for a packet, or until somebody has something to send, or until it's time to look.
    fn wait(&self) {
        let alone = self.candidates.iter().any(Candidate::is_requesting);
        let sessions = self.candidates.iter().filter(|c| !alone || c.is_requesting());
        let sessions: Vec<&Session> = sessions.filter_map(|c| c.dhcp.as_ref()).collect();
        let until_due = sessions.iter().map(|session| session.client.due().saturating_sub(now()));
        let timeout =
            timespec(until_due.min().unwrap_or(LOOK).clamp(Duration::from_millis(1), LOOK));
        let mut sockets: Vec<_> =
            sessions.iter().map(|session| PollFd::new(&session.socket, PollFlags::IN)).collect();
        // Whatever went wrong, the next round looks at everything.
        let _ = poll(&mut sockets, Some(&timeout));
    }

    /// Leaves the other interfaces as they were found.
    fn leave_others(&self, found: &Found) {
        for candidate in self.candidates.iter().filter(|c| c.card.index != found.card.index) {
            let requests = [
                candidate
                    .link
                    .as_ref()
                    .filter(|link| link.index != candidate.card.index)
                    .map(|link| Request::delete(link.index)),
                candidate.raised.then(|| Request::down(candidate.card.index)),
            ];
            for request in requests.iter().flatten() {
                if let Err(errno) = self.netlink.ask(request) {
                    log::warn!("{}: cannot be put down again: {}", candidate.card, Os(errno));
                }
            }
        }
    }

    fn failure(&self) -> crate::failure::Failure {
        let seconds = self.words.limit.as_secs();
        let list = |texts: Vec<String>| {
            if texts.is_empty() { "none".to_string() } else { texts.join("; ") }
        };
        if self.candidates.is_empty() {
            let there = list(self.links.list().iter().map(Link::to_string).collect());
            return network(format_args!(
                "no {} after {seconds} s; there are: {there}; is its driver in the image?",
                self.wish.to_string().trim_start_matches("an ").trim_start_matches("a "),
            ));
        }
        let what = match self.goal {
            Goal::Carrier => "no interface with a link",
            Goal::Lease => "no address by DHCP",
        };
        let tried = list(self.candidates.iter().map(Candidate::state).collect());
        network(format_args!(
            "{what} after {seconds} s: {tried}; look at the cables, the switch's port (VLAN, \
             spanning tree) and the DHCP server, or raise mfs.netwait="
        ))
    }
}

impl Candidate {
    fn new(card: Link) -> Self {
        Self { card, link: None, raised: false, carrier: false, dhcp: None, trouble: None }
    }

    fn complain(&mut self, text: String) {
        if self.trouble.as_ref() != Some(&text) {
            log::warn!("{}: {text}", self.card);
            self.trouble = Some(text);
        }
    }

    fn is_requesting(&self) -> bool {
        self.dhcp.as_ref().is_some_and(|session| session.client.is_requesting())
    }

    fn found(&self, lease: Option<(Box<Lease>, Duration)>) -> Option<Found> {
        Some(Found { card: self.card.clone(), link: self.link.clone()?, lease })
    }

    /// Reads what there is to read, and sends what is due.
    fn talk(&mut self, packets: &dyn PacketSockets) -> Option<Found> {
        let link = self.link.clone()?;
        let mut buffer = [0; BUFFER];
        for _ in 0..BURST {
            let session = self.dhcp.as_mut()?;
            let Ok((length, whole)) = recv(&session.socket, &mut buffer, RecvFlags::TRUNC) else {
                break;
            };
            let packet = buffer.get(..length).filter(|_| whole == length).unwrap_or_default();
            let Some(message) = frame::message(packet) else { continue };
            match session.client.receive(now(), message) {
                Outcome::Nothing => {}
                Outcome::Offered(address) => {
                    log::info!("{}: {address} is offered (DHCPOFFER)", link.name);
                }
                Outcome::Trouble(text) => self.complain(text),
                Outcome::Acquired(lease, since) => return self.found(Some((lease, since))),
            }
        }
        let session = self.dhcp.as_mut()?;
        if self.carrier
            && let Some(outgoing) = session.client.poll(now())
            && let Target::All(source) = outgoing.target
            && let Some(packet) = frame::broadcast(&outgoing.message, source)
            && let Err(errno) = packets.broadcast(session.socket.as_fd(), link.index, &packet)
        {
            self.complain(format!("cannot send: {}", Os(errno)));
        }
        None
    }

    /// How far it came.
    fn state(&self) -> String {
        let link = match (&self.link, self.carrier, &self.dhcp) {
            (None, ..) => "not up".to_string(),
            (_, false, _) => "no link".to_string(),
            (_, true, None) => "link".to_string(),
            (_, true, Some(session)) => {
                format!("link, {} messages sent and no lease", session.client.sent)
            }
        };
        let trouble = self.trouble.as_ref().map(|text| format!(" ({text})")).unwrap_or_default();
        format!("{} {link}{trouble}", self.card)
    }
}

/// The name of a card's VLAN interface, which the kernel allows 15 bytes.
fn vlan_name(card: &Link, id: u16) -> String {
    let name = format!("{}.{id}", card.name);
    if name.len() > 15 { format!("v{}.{id}", card.index) } else { name }
}
