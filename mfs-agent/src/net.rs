//! The network: which interface leads to the control network, its address, and names of servers.

pub mod dhcp;
pub mod dns;
pub mod link;
pub mod name;
pub mod netlink;
pub mod packet;
pub mod random;
pub mod search;

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use core::net::Ipv4Addr;
use core::time::Duration;

use crate::cmdline::NetworkWords;
use crate::cmdline::ip::{Address, Addressing, Mac};
use crate::event::{now, sleep};
use crate::failure::{Failure, FailureKind, Os, Result};
use crate::progress::Progress;
use crate::threads::Threads;
use dhcp::keep::Keep;
use dhcp::lease::{Lease, NAME_SERVERS};
use dhcp::options::DOMAINS;
use dhcp::renewal::Renewal;
use link::{Link, Links, Wish};
use name::DomainName;
use netlink::{Netlink, Request};
use packet::PacketSockets;
use random::Random;
use search::{Found, Goal, Search};

/// How long a link may be away after the MTU was set: some cards begin anew then.
const LINK_PATIENCE: Duration = Duration::from_secs(10);

/// What the network needs from around it.
pub struct Environment<'a> {
    /// For DHCP.
    pub packets: &'static dyn PacketSockets,
    /// For the renewal of the lease.
    pub threads: &'a dyn Threads,
    /// Loads drivers for devices that have none. Called about once a second until there is an
    /// interface that leads to the network.
    pub rescan: &'a dyn Fn(),
    /// Moves while there is hope.
    pub progress: &'a Progress,
    /// Where interfaces are found.
    pub links: Links,
}

/// The network as it was found; what a server changes later is not in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The name of the interface.
    pub interface: String,
    /// The hardware address of the interface.
    pub mac: Mac,
    /// The node's address.
    pub address: Ipv4Addr,
    /// The number of leading ones of the netmask.
    pub prefix: u8,
    /// Where what is not on the link goes.
    pub gateway: Option<Ipv4Addr>,
    /// The interface's MTU in bytes, as the kernel says.
    pub mtu: u32,
    /// Name servers, best first.
    pub name_servers: heapless::Vec<Ipv4Addr, NAME_SERVERS>,
    /// The domains for names without a dot.
    pub search: heapless::Vec<DomainName, DOMAINS>,
    /// What a DHCP server said, if the address is from one.
    pub dhcp: Option<Dhcp>,
}

/// What a DHCP server said of itself and the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dhcp {
    /// The server.
    pub server: Ipv4Addr,
    /// The server for the next step of booting, if it is said.
    pub next_server: Option<Ipv4Addr>,
    /// The node's name, if it is said.
    pub host_name: Option<DomainName>,
    /// For how long the address was lent; the highest duration is for ever.
    pub time: Duration,
}

/// Finds the interface of the control network and gives it its address. If that is by DHCP, a
/// thread keeps the lease from then on.
///
/// # Errors
/// `Network`, with all interfaces and how far they came; `Resource`: there is no thread to be had.
pub fn bring_up(words: &NetworkWords, environment: &Environment<'_>) -> Result<Network> {
    let netlink = Netlink::open()
        .map_err(|errno| network(format_args!("cannot open a netlink socket: {}", Os(errno))))?;
    if let Some(index) = environment.links.loopback() {
        // The kernel's RPC programs talk over it. Without it something else will say what's wrong.
        let _ = netlink.ask(&Request::up(index));
    }
    let device = words.addressing.as_ref().map(Addressing::device).unwrap_or_default();
    let wish = Wish { mac: words.boot_interface, device };
    let goal = match &words.addressing {
        Some(Addressing::Off) => {
            return Err(network(format_args!("ip=off, but the job needs the network")));
        }
        Some(Addressing::Static(_)) => Goal::Carrier,
        Some(Addressing::Dhcp(_)) | None => Goal::Lease,
    };
    let found = Search::new(words, wish, goal, &netlink, environment).run(environment)?;
    let setup = Setup { netlink: &netlink, found: &found, progress: environment.progress };
    let network = match (&words.addressing, &found.lease) {
        (Some(Addressing::Static(address)), _) => setup.static_network(address)?,
        (_, Some((lease, since))) => {
            let network = setup.lent_network(lease, words.mtu)?;
            setup.keep(lease, *since, environment)?;
            network
        }
        (_, None) => return Err(network(format_args!("{}: no lease", found.link))),
    };
    log::info!("{network}");
    Ok(network)
}

impl Network {
    /// The address of a server: `host` is one, or the name servers are asked for up to `limit`.
    ///
    /// # Errors
    /// `Network`: which servers don't know it, or don't answer.
    pub fn resolve(&self, host: &str, limit: Duration, progress: &Progress) -> Result<Ipv4Addr> {
        if let Ok(address) = host.parse() {
            return Ok(address);
        }
        let resolver = dns::Resolver { servers: &self.name_servers, search: &self.search };
        let mut udp_and_tcp = dns::transport::UdpAndTcp;
        let address = resolver
            .resolve(host, limit, &mut udp_and_tcp, &|| progress.beat())
            .map_err(network)?;
        log::info!("{host} is {address}");
        Ok(address)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { interface, address, prefix, mtu, .. } = self;
        write!(f, "{interface}: address {address}/{prefix}, MTU {mtu}")?;
        if let Some(gateway) = self.gateway {
            write!(f, ", gateway {gateway}")?;
        }
        for server in &self.name_servers {
            write!(f, ", name server {server}")?;
        }
        for domain in &self.search {
            write!(f, ", domain {domain}")?;
        }
        if let Some(name) = self.dhcp.as_ref().and_then(|dhcp| dhcp.host_name.as_ref()) {
            write!(f, ", named {name}")?;
        }
        match &self.dhcp {
            None => Ok(()),
            Some(Dhcp { server, time: Duration::MAX, .. }) => {
                write!(f, ", lent by {server} for ever")
            }
            Some(Dhcp { server, time, .. }) => {
                write!(f, ", lent by {server} for {} s", time.as_secs())
            }
        }
    }
}

/// Gives the interface that was found its address.
struct Setup<'a> {
    netlink: &'a Netlink,
    found: &'a Found,
    progress: &'a Progress,
}

impl Setup<'_> {
    fn static_network(&self, address: &Address) -> Result<Network> {
        self.address(address.client, address.prefix, address.gateway)?;
        let Link { name, mac, .. } = &self.found.link;
        Ok(Network {
            interface: name.clone(),
            mac: *mac,
            address: address.client,
            prefix: address.prefix,
            gateway: address.gateway,
            mtu: self.mtu(),
            name_servers: address.name_servers.iter().copied().collect(),
            search: heapless::Vec::new(),
            dhcp: None,
        })
    }

    fn lent_network(&self, lease: &Lease, own_mtu: Option<u32>) -> Result<Network> {
        if let (Some(mtu), None) = (lease.mtu, own_mtu) {
            self.set_mtu(mtu);
        }
        self.address(lease.address, lease.prefix, lease.gateway)?;
        let Link { name, mac, .. } = &self.found.link;
        Ok(Network {
            interface: name.clone(),
            mac: *mac,
            address: lease.address,
            prefix: lease.prefix,
            gateway: lease.gateway,
            mtu: self.mtu(),
            name_servers: lease.name_servers.clone(),
            search: lease.search.clone(),
            dhcp: Some(Dhcp {
                server: lease.server,
                next_server: lease.next_server,
                host_name: lease.host_name.clone(),
                time: lease.time,
            }),
        })
    }

    fn keep(&self, lease: &Lease, since: Duration, environment: &Environment<'_>) -> Result<()> {
        let link = self.found.link.clone();
        let keep = Keep::new(link.mac, Random::seeded(), Box::new(lease.clone()), since);
        let renewal = Renewal { link, keep, packets: environment.packets };
        renewal.start(environment.threads).map_err(|errno| {
            FailureKind::Resource.because(format_args!("cannot start a thread: {}", Os(errno)))
        })
    }

    /// What the DHCP server says of the MTU. The card may not be able to; most often it works
    /// all the same.
    fn set_mtu(&self, mtu: u32) {
        let Found { card, link, .. } = self.found;
        let larger = card.mtu().is_some_and(|now| now < mtu);
        // A VLAN's MTU can't be larger than that of the card.
        for link in [Some(link), (larger && card.index != link.index).then_some(card)]
            .into_iter()
            .rev()
            .flatten()
            .filter(|link| link.mtu() != Some(mtu))
        {
            if let Err(errno) = self.netlink.ask(&Request::mtu(link.index, mtu)) {
                log::warn!("{}: cannot have the MTU {mtu} of the DHCP server: {}", link, Os(errno));
                return;
            }
        }
        let start = now();
        while !link.has_carrier() && now().saturating_sub(start) < LINK_PATIENCE {
            sleep(Duration::from_millis(50));
            self.progress.beat();
        }
    }

    fn address(&self, address: Ipv4Addr, prefix: u8, gateway: Option<Ipv4Addr>) -> Result<()> {
        let index = self.found.link.index;
        self.ask(&Request::address(index, address, prefix), "get its address")?;
        if let Some(gateway) = gateway {
            self.ask(&Request::default_route(index, gateway), "get the default route")?;
        }
        Ok(())
    }

    fn ask(&self, request: &Request, doing: &str) -> Result<()> {
        self.netlink.ask(request).map_err(|errno| {
            network(format_args!("{}: cannot {doing}: {}", self.found.link, Os(errno)))
        })
    }

    fn mtu(&self) -> u32 {
        self.found.link.mtu().unwrap_or(1500)
    }
}

fn network(message: impl fmt::Display) -> Failure {
    FailureKind::Network.because(message)
}
