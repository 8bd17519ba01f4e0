//! Finding boss, and asking until there is an answer.

use alloc::boxed::Box;
use alloc::string::String;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;

use super::commands::Boss;
use super::key::Key;
use super::reply::Verdict;
use super::request::{Request, VERSION};
use super::transport::{Deadline, Fault, Limits, exchange};
use crate::failure::{FailureKind, Result};

/// Where tmcd listens; the second is for firewalls that don't let the first through.
pub const PORTS: [u16; 2] = [7777, 14447];
/// The most servers that are tried.
const SERVERS: usize = 8;
/// How often a server may name another one.
const REDIRECTS: usize = 5;
/// How often all servers are asked when one gives an answer, but not one to rely on. With the
/// pauses between, that is as long as boss' data base may take to start again.
const ROUNDS: usize = 5;

/// Finds the address of a server by its name.
pub type Resolver = Box<dyn Fn(&str) -> Option<Ipv4Addr> + Send + Sync>;

/// What is known of boss. Threads may share it.
pub struct Client {
    servers: heapless::Vec<Ipv4Addr, SERVERS>,
    ports: heapless::Vec<u16, 2>,
    version: u16,
    key: Option<Key>,
    limits: Limits,
    resolver: Option<Resolver>,
    source: Option<Ipv4Addr>,
    /// Which of [`Client::endpoint`] has answered before.
    known: AtomicUsize,
    /// Whether it has said something that only boss says. To take a report says nothing: whoever
    /// closes a connection at once does that too.
    trusted: AtomicBool,
    up: AtomicBool,
    closed: AtomicBool,
}

/// Why there is no answer: which server it was about, and what it did.
pub(super) struct Silence {
    pub(super) server: SocketAddrV4,
    pub(super) why: Why,
}

impl Silence {
    /// Whether `fault` tells more. What a server has said is worth more than that another one is
    /// silent, and that the time is over says nothing of the server.
    fn is_told_by(&self, fault: Fault, deadline: Deadline) -> bool {
        match self.why {
            Why::Bad(_) => false,
            Why::Fault(Fault::NotTried) => true,
            Why::Fault(_) => fault != Fault::NotTried && deadline.left().is_some(),
        }
    }
}

pub(super) enum Why {
    Fault(Fault),
    Bad(String),
}

/// How a question is asked.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) limit: Duration,
    pub(super) beat: &'a dyn Fn(),
    /// Whether it is asked although the run has ended.
    pub(super) last_words: bool,
}

impl Client {
    /// A client of the first of `candidates` that answers, at `port` or else at [`PORTS`].
    ///
    /// # Errors
    /// `Boss`: there is no candidate that is the address of a single machine.
    pub fn new(candidates: &[Ipv4Addr], port: Option<u16>) -> Result<Self> {
        let mut servers = heapless::Vec::new();
        for candidate in candidates.iter().copied().filter(|address| is_one_machine(*address)) {
            // The usual candidates are often the same machine.
            if !servers.contains(&candidate) && servers.push(candidate).is_err() {
                log::warn!("boss: only the first {SERVERS} candidates are asked");
                break;
            }
        }
        if servers.is_empty() {
            return Err(FailureKind::Boss.because(
                "boss: no address to ask at; give it by mfs.boss=, or a name server by DHCP",
            ));
        }
        let mut ports = heapless::Vec::new();
        match port {
            Some(port) => ports.extend([port]),
            None => ports.extend(PORTS),
        }
        Ok(Self {
            servers,
            ports,
            version: VERSION,
            key: None,
            limits: Limits::DEFAULT,
            resolver: None,
            source: None,
            known: AtomicUsize::new(0),
            trusted: AtomicBool::new(false),
            up: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        })
    }

    /// The same client with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same client, which asks in another version of the protocol. The replies of all versions
    /// are understood.
    #[must_use]
    pub fn with_version(mut self, version: u16) -> Self {
        self.version = version;
        self
    }

    /// The same client, which says in each request that it is the run that boss gave `key` to.
    #[must_use]
    pub fn with_key(mut self, key: Option<Key>) -> Self {
        self.key = key;
        self
    }

    /// The same client, which finds servers that boss names (`REDIRECT=`) by `resolver`. Without
    /// one only addresses are followed.
    #[must_use]
    pub fn with_resolver(mut self, resolver: Resolver) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// The same client, which asks from this address of the machine. Boss knows a node by its address
    /// on the control network, and a machine can have others that lead there.
    #[must_use]
    pub fn with_source(mut self, source: Ipv4Addr) -> Self {
        self.source = Some(source);
        self
    }

    /// The commands, each with up to `limit` to be answered. `beat` is called at least about
    /// every second while one waits, but for what the resolver takes.
    ///
    /// Anybody may take a report, so ask something first: whoever has an answer is boss, and all
    /// that follows goes there.
    pub fn boss<'a>(&'a self, limit: Duration, beat: &'a dyn Fn()) -> Boss<'a> {
        Boss::new(self, Call { limit, beat, last_words: false })
    }

    /// The commands for who reports the end of the run; nobody else's are sent from now on, so
    /// that boss doesn't hear of progress after the end.
    pub(super) fn close<'a>(&'a self, limit: Duration, beat: &'a dyn Fn()) -> Boss<'a> {
        self.closed.store(true, Ordering::Relaxed);
        Boss::new(self, Call { limit, beat, last_words: true })
    }

    /// Whether boss has been told that the node is up.
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    pub(super) fn note_up(&self) {
        self.up.store(true, Ordering::Relaxed);
    }

    /// The server that has answered last; before that, the first candidate.
    pub fn server(&self) -> SocketAddrV4 {
        let first = *self.servers.first().unwrap_or(&Ipv4Addr::UNSPECIFIED);
        self.endpoint(self.known.load(Ordering::Relaxed)).unwrap_or(SocketAddrV4::new(first, 0))
    }

    fn is_trusted(&self, index: usize) -> bool {
        self.trusted.load(Ordering::Relaxed) && self.known.load(Ordering::Relaxed) == index
    }

    fn endpoint(&self, index: usize) -> Option<SocketAddrV4> {
        let ports = self.ports.len();
        let server = self.servers.get(index.checked_div(ports)?)?;
        let port = self.ports.get(index.checked_rem(ports)?)?;
        Some(SocketAddrV4::new(*server, *port))
    }

    /// All endpoints, the one that has answered before first. When it is certain who boss is, only
    /// those of boss: another server might take a report, and boss would never have it.
    fn endpoints(&self) -> impl Iterator<Item = (usize, SocketAddrV4)> {
        let known = self.known.load(Ordering::Relaxed);
        let trusted = self.trusted.load(Ordering::Relaxed);
        let boss = self.endpoint(known).filter(|_| trusted).map(|endpoint| *endpoint.ip());
        let count = self.servers.len().saturating_mul(self.ports.len());
        let others = (0..count).filter(move |index| *index != known);
        core::iter::once(known)
            .chain(others)
            .filter_map(|index| Some((index, self.endpoint(index)?)))
            .filter(move |(_, endpoint)| boss.is_none_or(|boss| boss == *endpoint.ip()))
    }

    /// Asks one server after the other, again and again, until `judge` finds an answer good or the
    /// time is over. Allocates nothing but what `judge` does.
    pub(super) fn ask(
        &self,
        request: &Request<'_>,
        room: &mut [u8],
        call: Call<'_>,
        judge: &mut dyn FnMut(&[u8]) -> Verdict,
    ) -> core::result::Result<(), Silence> {
        let deadline = Deadline::after(call.limit);
        let bytes = request.encode(self.version, self.key.as_ref());
        let mut pause = self.limits.pause;
        let mut rounds = 0_usize;
        let mut silence = Silence { server: self.server(), why: Why::Fault(Fault::NotTried) };
        loop {
            let mut doubtful = false;
            let mut answered = false;
            for (index, server) in self.endpoints() {
                let closed = self.closed.load(Ordering::Relaxed) && !call.last_words;
                if closed || deadline.left().is_none() {
                    return if doubtful { Ok(()) } else { Err(silence) };
                }
                (call.beat)();
                let reply = self.follow(server, bytes.as_bytes(), room, deadline, call.beat);
                let answer = reply.map(|length| judge(room.get(..length).unwrap_or_default()));
                match answer {
                    Ok(Verdict::Good) => {
                        self.known.store(index, Ordering::Relaxed);
                        if request.is_question() {
                            self.trusted.store(true, Ordering::Relaxed);
                        }
                        return Ok(());
                    }
                    Ok(Verdict::Doubtful) => {
                        answered = true;
                        doubtful = true;
                        if self.is_trusted(index) {
                            break;
                        }
                    }
                    Ok(Verdict::Bad(why)) => {
                        answered = true;
                        silence = Silence { server, why: Why::Bad(why) };
                    }
                    Err(fault) if silence.is_told_by(fault, deadline) => {
                        silence = Silence { server, why: Why::Fault(fault) };
                    }
                    Err(_) => {}
                }
            }
            if answered {
                rounds = rounds.saturating_add(1);
                if rounds >= ROUNDS {
                    return if doubtful { Ok(()) } else { Err(silence) };
                }
            }
            deadline.pause(pause, call.beat);
            pause = pause.saturating_mul(2).min(self.limits.longest_pause);
        }
    }

    /// One exchange, also with the servers that are named instead.
    fn follow(
        &self,
        server: SocketAddrV4,
        request: &[u8],
        room: &mut [u8],
        deadline: Deadline,
        beat: &dyn Fn(),
    ) -> core::result::Result<usize, Fault> {
        let limits = &self.limits;
        let mut length = exchange(self.source, server, request, room, limits, deadline, beat)?;
        for _ in 0..REDIRECTS {
            let Some(host) = redirect(room.get(..length).unwrap_or_default()) else {
                return Ok(length);
            };
            let address = self.resolve(host).ok_or(Fault::Redirect)?;
            let mut result = Err(Fault::Redirect);
            for port in &self.ports {
                let other = SocketAddrV4::new(address, *port);
                result = exchange(self.source, other, request, room, limits, deadline, beat);
                if result.is_ok() {
                    break;
                }
            }
            length = result?;
        }
        match redirect(room.get(..length).unwrap_or_default()) {
            None => Ok(length),
            Some(_) => Err(Fault::Redirects),
        }
    }

    fn resolve(&self, host: &[u8]) -> Option<Ipv4Addr> {
        let host = core::str::from_utf8(host).ok()?;
        let address = host
            .parse()
            .ok()
            .or_else(|| self.resolver.as_ref().and_then(|resolver| resolver(host)))?;
        is_one_machine(address).then_some(address)
    }
}

fn is_one_machine(address: Ipv4Addr) -> bool {
    !address.is_unspecified() && !address.is_multicast() && !address.is_broadcast()
}

/// The host of a reply `REDIRECT=<host>[:<vnodeid>]`. What is behind it concerns virtual nodes.
fn redirect(reply: &[u8]) -> Option<&[u8]> {
    let rest = reply.strip_prefix(b"REDIRECT=")?;
    rest.split(|byte| *byte == b':' || byte.is_ascii_whitespace()).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::vec::Vec;

    fn address(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, last)
    }

    fn order(client: &Client) -> Vec<(u8, u16)> {
        client
            .endpoints()
            .map(|(_, endpoint)| (endpoint.ip().octets()[3], endpoint.port()))
            .collect()
    }

    #[test]
    fn servers_and_ports_in_order_and_who_has_answered_first() {
        let nobody = Ipv4Addr::UNSPECIFIED;
        let candidates = [address(1), nobody, address(1), address(2)];
        let client = Client::new(&candidates, None).unwrap();
        assert_eq!(order(&client), [(1, 7777), (1, 14447), (2, 7777), (2, 14447)]);
        client.known.store(3, Ordering::Relaxed);
        assert_eq!(order(&client), [(2, 14447), (1, 7777), (1, 14447), (2, 7777)]);
        client.trusted.store(true, Ordering::Relaxed);
        assert_eq!(order(&client), [(2, 14447), (2, 7777)]);
        assert_eq!(client.server(), SocketAddrV4::new(address(2), 14447));
        let client = Client::new(&[address(1), address(2)], Some(99)).unwrap();
        assert_eq!(order(&client), [(1, 99), (2, 99)]);
        let many: Vec<_> = (1..100).map(address).collect();
        assert_eq!(order(&Client::new(&many, None).unwrap()).len(), 16);
        for none in [&[][..], &[nobody, Ipv4Addr::BROADCAST]] {
            assert!(Client::new(none, None).is_err_and(|why| why.message.contains("mfs.boss=")));
        }
    }

    #[test]
    fn redirections() {
        assert_eq!(redirect(b"REDIRECT=10.0.0.2\n"), Some(&b"10.0.0.2"[..]));
        assert_eq!(redirect(b"REDIRECT=ops:pcvm1-1\n"), Some(&b"ops"[..]));
        assert_eq!(redirect(b"REDIRECT="), Some(&b""[..]));
        assert_eq!(redirect(b"FREE\n"), None);
        let client = Client::new(&[address(1)], None).unwrap();
        assert_eq!(client.resolve(b"10.0.0.2"), Some(address(2)));
        for bad in [&b""[..], b"ops", b"0.0.0.0", b"224.0.0.1", b"1.2.3", b"\xff"] {
            assert_eq!(client.resolve(bad), None, "{bad:?}");
        }
        let resolver = |name: &str| (name == "ops").then(|| address(3));
        let client = client.with_resolver(Box::new(resolver));
        assert_eq!(client.resolve(b"ops"), Some(address(3)));
        assert_eq!(client.resolve(b"fs"), None);
    }

    #[test]
    fn who_asks_is_seen_by_the_address() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, from) = listener.accept().unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap();
            stream.write_all(b"pc1\n").unwrap();
            from.ip()
        });
        let client = Client::new(&[Ipv4Addr::LOCALHOST], Some(port)).unwrap();
        let client = client.with_source(Ipv4Addr::new(127, 9, 8, 7));
        client.boss(Duration::from_secs(5), &|| {}).node_id().unwrap();
        assert_eq!(server.join().unwrap(), Ipv4Addr::new(127, 9, 8, 7));
    }
}
