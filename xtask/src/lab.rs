//! A network of its own for guests that boot from it: bridges, DHCP, TFTP, HTTP, and whatever
//! servers a test binds in it. Needs root and the packages [`crate::apt::LAB`].
//!
//! All of it is in one network namespace, which this machine's networks don't see. The server's
//! side of each bridge has an address; guests are on taps. Everything ends with the value that
//! stands for it, and the namespace with the last of them.

pub mod dnsmasq;
pub mod http;
mod trunk;

pub use dnsmasq::{Configuration, Dnsmasq};
pub use http::HttpServer;

use crate::command;
use crate::nfs::namespace::Namespace;
use crate::nfs::server::Server;
use crate::qemu::network::LabNic;
use anyhow::{Context, Result};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use trunk::Trunk;

/// The first bridge.
pub const BRIDGE: &str = "br0";
/// The lab's address on [`BRIDGE`], a /24: where its servers are.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// A lab with the bridge [`BRIDGE`].
#[derive(Debug)]
pub struct Lab {
    namespace: Arc<Namespace>,
    directory: PathBuf,
    taps: AtomicU16,
    trunks: Mutex<Vec<Trunk>>,
}

impl Lab {
    /// Makes the network. Configurations and logs of its servers go into `directory`, which must
    /// exist and belong to this lab alone.
    ///
    /// # Errors
    /// Without root.
    pub fn new(directory: &Path) -> Result<Self> {
        let directory = directory
            .canonicalize()
            .with_context(|| format!("no directory {}", directory.display()))?;
        let lab = Self {
            namespace: Arc::new(Namespace::new()?),
            directory,
            taps: AtomicU16::new(0),
            trunks: Mutex::default(),
        };
        lab.add_bridge(BRIDGE)?;
        lab.add_address(BRIDGE, &format!("{ADDRESS}/24"))?;
        Ok(lab)
    }

    /// Where guests run (`Machine::start_inside`), and servers.
    pub fn namespace(&self) -> &Arc<Namespace> {
        &self.namespace
    }

    /// Adds a bridge without an address. It forwards at once, there being no loops.
    pub fn add_bridge(&self, name: &str) -> Result<()> {
        self.ip(&["link", "add", name, "type", "bridge", "stp_state", "0", "forward_delay", "0"])?;
        // A tap without a guest has no carrier, and the bridge none without ports; DHCP servers
        // want their address to be there before the first guest is.
        self.ip(&["link", "set", name, "up"])
    }

    /// Gives an interface an address with its prefix length, such as `10.78.0.1/24`.
    pub fn add_address(&self, interface: &str, address: &str) -> Result<()> {
        self.ip(&["address", "add", address, "dev", interface])
    }

    /// Gives an interface an IPv6 address that counts at once; whether it could, as not every
    /// kernel has IPv6.
    pub fn add_ipv6_address(&self, interface: &str, address: &str) -> Result<bool> {
        if !Path::new("/proc/sys/net/ipv6").exists() {
            return Ok(false);
        }
        // Nobody else has the interface's own address either; the kernel looks for a second. These
        // are the settings of the network of whoever opens them.
        let setting = format!("/proc/sys/net/ipv6/conf/{interface}/accept_dad");
        self.namespace
            .inside(|| fs::write(&setting, "0"))?
            .with_context(|| format!("cannot write {setting}"))?;
        self.ip(&["-6", "address", "add", address, "dev", interface, "nodad"])?;
        Ok(true)
    }

    /// Sets the MTU of an interface in bytes. A bridge carries no more than its smallest port, so
    /// set that of the taps, too.
    pub fn set_mtu(&self, interface: &str, bytes: u16) -> Result<()> {
        self.ip(&["link", "set", interface, "mtu", &bytes.to_string()])
    }

    /// Sets the host's side of an interface up or down: frames are lost without the other side
    /// noticing. `Running::set_network` is what a guest sees as a pulled cable.
    pub fn set_up(&self, interface: &str, up: bool) -> Result<()> {
        self.ip(&["link", "set", interface, if up { "up" } else { "down" }])
    }

    /// A network card for `Machine::lab_nic`, of a QEMU model such as `virtio-net-pci`, on a bridge.
    pub fn guest_nic(&self, bridge: &str, model: &str, mac: &str) -> Result<LabNic> {
        let (_, tap) = self.add_tap(bridge)?;
        Ok(LabNic::on_tap(&tap, model, mac))
    }

    /// As [`Lab::guest_nic`], at a switch port that carries only VLAN `id`, and that tagged: the
    /// guest must use a VLAN to reach what is on `bridge`.
    pub fn tagged_nic(&self, bridge: &str, id: u16, model: &str, mac: &str) -> Result<LabNic> {
        let (index, tap) = self.add_tap(bridge)?;
        let ports = trunk::Ports::of(index);
        let trunk = Trunk::start(&self.namespace, &tap, id, ports)?;
        self.trunks.lock().unwrap_or_else(PoisonError::into_inner).push(trunk);
        Ok(LabNic::with_netdev(&tap, trunk::netdev(ports.guest()), model, mac))
    }

    fn add_tap(&self, bridge: &str) -> Result<(u16, String)> {
        let index = self.taps.fetch_add(1, Ordering::Relaxed);
        let tap = format!("tap{index}");
        self.ip(&["tuntap", "add", "dev", &tap, "mode", "tap"])?;
        self.ip(&["link", "set", &tap, "master", bridge, "up"])?;
        Ok((index, tap))
    }

    /// Runs `ip` inside.
    pub fn ip(&self, arguments: &[&str]) -> Result<()> {
        command::stdout(self.namespace.command("ip").args(arguments)).map(drop)
    }

    /// Listens at a port of [`ADDRESS`].
    pub fn tcp_listener(&self, port: u16) -> Result<TcpListener> {
        let address = SocketAddr::new(IpAddr::V4(ADDRESS), port);
        self.namespace
            .inside(|| TcpListener::bind(address))?
            .with_context(|| format!("cannot listen on {address}"))
    }

    /// A UDP socket at a port of any address of the lab.
    pub fn udp_socket(&self, port: u16) -> Result<UdpSocket> {
        self.namespace
            .inside(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)))?
            .with_context(|| format!("cannot bind UDP port {port}"))
    }

    /// Starts a DHCP, TFTP and DNS server. `name` is that of its files.
    pub fn dnsmasq(&self, name: &str, configuration: &Configuration) -> Result<Dnsmasq> {
        Dnsmasq::start(&self.namespace, &self.directory, name, configuration)
    }

    /// Starts a web server for the files below `root` at port 80 of [`ADDRESS`].
    pub fn http(&self, root: &Path) -> Result<HttpServer> {
        HttpServer::start(self.tcp_listener(80)?, root)
    }

    /// Starts the NFSv3 server of this process at [`ADDRESS`]. To start it again after a stop,
    /// be [inside](Namespace::inside).
    pub fn nfs(&self, directory: &Path, name: &str) -> Result<Server> {
        self.namespace.inside(|| {
            let mut server = Server::new_at(ADDRESS, directory, name)?;
            server.start()?;
            Ok(server)
        })?
    }
}

#[cfg(test)]
mod tests;
