//! Addresses of servers by their names (RFC 1034, RFC 1035): a stub resolver.

pub mod message;
pub mod transport;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use core::time::Duration;

use rustix::io::Result as OsResult;

use super::name::DomainName;
use super::random::Random;
use crate::event::{now, sleep};
use crate::failure::Os;
use message::Reply;

/// How long to wait for an answer at first; twice as long in each round.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// How long to wait for an answer at most.
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// The pause after a round in which all servers failed at once.
const PAUSE: Duration = Duration::from_millis(500);
/// Aliases that are followed, over all answers.
const ALIASES: usize = 8;

/// A way to a name server and back.
pub trait Transport {
    /// Sends a query, and gives the answer with the query's number. Waits up to `wait`.
    fn ask(
        &mut self,
        server: Ipv4Addr,
        query: &[u8],
        wait: Duration,
        how: How,
    ) -> OsResult<Vec<u8>>;
}

/// How a server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// By UDP.
    Datagram,
    /// By TCP, for answers that are too long for UDP.
    Stream,
}

/// The name servers and where to look.
#[derive(Clone, Copy, Debug)]
pub struct Resolver<'a> {
    /// The servers, best first.
    pub servers: &'a [Ipv4Addr],
    /// The domains for names without a dot.
    pub search: &'a [DomainName],
}

/// What the servers say of one name.
enum Verdict {
    Address(Ipv4Addr),
    /// This server knows no such name, or no address of it.
    Unknown(Ipv4Addr),
}

impl Resolver<'_> {
    /// The first address of a host. A name without a dot is looked up in the search domains and then
    /// as it is, another one the other way round; one with a dot at its end only as it is. `beat`
    /// is called for each query.
    ///
    /// # Errors
    /// In words: which server doesn't know which names, or how the servers fail to answer in `limit`.
    pub fn resolve(
        &self,
        host: &str,
        limit: Duration,
        transport: &mut dyn Transport,
        beat: &dyn Fn(),
    ) -> Result<Ipv4Addr, String> {
        let name = DomainName::new(host).ok_or_else(|| format!("{host} is no host's name"))?;
        if self.servers.is_empty() {
            return Err(format!(
                "{host} needs a name server, and none is known; let DHCP or ip= name one, or give \
                 the address of {host}"
            ));
        }
        let deadline = now().saturating_add(limit);
        let mut inquiry =
            Inquiry { servers: self.servers, deadline, transport, beat, random: Random::seeded() };
        let mut unknown: Vec<DomainName> = Vec::new();
        let mut last = None;
        for candidate in self.candidates(&name, host.ends_with('.')) {
            match inquiry.look_up(&candidate)? {
                Verdict::Address(address) => return Ok(address),
                Verdict::Unknown(server) => {
                    unknown.push(candidate);
                    last = Some(server);
                }
            }
        }
        let names: Vec<String> = unknown.iter().map(DomainName::to_string).collect();
        let server = last.map(|server| server.to_string()).unwrap_or_default();
        Err(format!("the name server {server} knows no address of {}", names.join(" or ")))
    }

    fn candidates(&self, name: &DomainName, absolute: bool) -> Vec<DomainName> {
        let mut names: Vec<_> = if absolute {
            Vec::new()
        } else {
            self.search.iter().filter_map(|domain| name.within(domain)).collect()
        };
        let at = if name.is_simple() { names.len() } else { 0 };
        names.insert(at, name.clone());
        names
    }
}

/// The search for the address of one host.
struct Inquiry<'a> {
    servers: &'a [Ipv4Addr],
    deadline: Duration,
    transport: &'a mut dyn Transport,
    beat: &'a dyn Fn(),
    random: Random,
}

impl Inquiry<'_> {
    /// Asks for a name, and for what it is an alias of.
    fn look_up(&mut self, name: &DomainName) -> Result<Verdict, String> {
        let mut name = name.clone();
        for _ in 0..ALIASES {
            let (server, reply) = self.ask(&name)?;
            match reply {
                Reply::Address(address) => return Ok(Verdict::Address(address)),
                Reply::Alias(other) => name = *other,
                _ => return Ok(Verdict::Unknown(server)),
            }
        }
        Err(format!("{name} is an alias of an alias, more than {ALIASES} times"))
    }

    /// Asks one server after the other, until one knows or says that there is no such name.
    fn ask(&mut self, name: &DomainName) -> Result<(Ipv4Addr, Reply), String> {
        let mut wait = FIRST_WAIT;
        loop {
            let mut failures = Vec::new();
            for server in self.servers {
                (self.beat)();
                match self.ask_one(*server, name, wait) {
                    Ok(reply) => return Ok((*server, reply)),
                    Err(why) => failures.push(format!("{server}: {why}")),
                }
            }
            if now() >= self.deadline {
                let failures = failures.join(", ");
                return Err(format!("no name server tells the address of {name} ({failures})"));
            }
            sleep(PAUSE);
            wait = wait.saturating_mul(2).min(LONGEST_WAIT);
        }
    }

    fn ask_one(
        &mut self,
        server: Ipv4Addr,
        name: &DomainName,
        wait: Duration,
    ) -> Result<Reply, String> {
        // The upper half: it is the better one of this generator.
        let id = u16::try_from(self.random.number() >> 16).unwrap_or(0);
        let query = message::query(id, name);
        let mut how = How::Datagram;
        loop {
            let answer = self.transport.ask(server, &query, wait, how);
            let answer = answer.map_err(|errno| Os(errno).to_string())?;
            match (message::parse(&answer, name), how) {
                (Reply::Truncated, How::Datagram) => how = How::Stream,
                (Reply::Truncated | Reply::Malformed, _) => return Err("a malformed answer".into()),
                (Reply::Failure(code), _) => return Err(format!("refuses, with code {code}")),
                (reply, _) => return Ok(reply),
            }
        }
    }
}

#[cfg(test)]
mod tests;
