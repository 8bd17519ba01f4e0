//! The configuration of dnsmasq as DHCP and TFTP server of the nodes' network, for the nodes that
//! are known. It says what `initramfs/boot/dnsmasq.conf` says to sites without this server.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::net::Ipv4Addr;
use std::path::PathBuf;

use super::words::is_host;
use super::{BossUrl, Mac};
use crate::names::NodeId;

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its id, which becomes its name.
    pub node: NodeId,
    /// The card that it boots from.
    pub mac: Mac,
    /// The address that it gets, always.
    pub ip: Ipv4Addr,
}

/// The nodes' network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// This machine's interface there.
    pub interface: String,
    /// This machine's address there.
    pub address: Ipv4Addr,
    /// The network's mask, such as 255.255.255.0.
    pub netmask: Ipv4Addr,
    /// The nodes' way out.
    pub gateway: Option<Ipv4Addr>,
    /// Their name servers. If this machine's address is one of them, dnsmasq serves names, too.
    pub name_servers: Vec<Ipv4Addr>,
    /// Their domain.
    pub domain: Option<String>,
    /// Where they reach boss.
    pub url: BossUrl,
    /// The directory with `undionly.kpxe` and `snponly.efi`, given out by TFTP.
    pub tftp: PathBuf,
    /// For firmware that boots over HTTP: where `snponly.efi` is at boss, such as
    /// `/mfs/snponly.efi`.
    pub http_loader: Option<String>,
}

/// What can't be made a configuration of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DhcpError {
    /// A setting of the network is wrong.
    #[error("{setting} can't be {value:?}: {why}")]
    Setting {
        /// Which one.
        setting: &'static str,
        /// What it is.
        value: String,
        /// Why not.
        why: &'static str,
    },
    /// A node has an address that it can't have.
    #[error("node {node} can't have the address {ip}: {why}")]
    Address {
        /// The node.
        node: NodeId,
        /// Its address.
        ip: Ipv4Addr,
        /// Why not.
        why: &'static str,
    },
    /// A node is called what dnsmasq takes for something else than a name.
    #[error(
        "node {0} can't be named in dnsmasq's configuration: it would not take that for a name"
    )]
    Name(NodeId),
    /// Two nodes have the same of something.
    #[error("nodes {0} and {1} have the same {2}")]
    Same(NodeId, NodeId, &'static str),
}

impl Network {
    /// The configuration file. The same nodes give the same text, in whatever order they come.
    ///
    /// # Errors
    /// What can't be: nothing is left out, since a node that isn't there would never boot.
    pub fn configuration(&self, hosts: &[Host]) -> Result<String, DhcpError> {
        self.check()?;
        let hosts = self.in_order(hosts)?;
        let mut text = String::from(
            "# dnsmasq as DHCP and TFTP server of the nodes' network. Made by `boss dhcp`: what is\n\
             # changed here is lost when it is made again.\n\n",
        );
        self.write(&mut text, &hosts);
        Ok(text)
    }

    fn write(&self, text: &mut String, hosts: &[&Host]) {
        let mut line = |line: fmt::Arguments<'_>| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{line}");
        };
        line(format_args!("interface={}", self.interface));
        line(format_args!("bind-interfaces"));
        if !self.name_servers.contains(&self.address) {
            line(format_args!("# No names: that is others' work."));
            line(format_args!("port=0"));
        }
        line(format_args!("enable-tftp"));
        line(format_args!("tftp-root={}", self.tftp.display()));
        line(format_args!("\n# Only nodes that are named below get an answer."));
        line(format_args!("dhcp-range={},static,{},12h", self.first(), self.netmask));
        line(format_args!("dhcp-ignore=tag:!known"));
        line(format_args!("dhcp-authoritative"));
        // Without a value it isn't sent; else dnsmasq would name itself.
        match self.gateway {
            Some(gateway) => line(format_args!("dhcp-option=option:router,{gateway}")),
            None => line(format_args!("dhcp-option=option:router")),
        }
        let servers: Vec<_> = self.name_servers.iter().map(Ipv4Addr::to_string).collect();
        let comma = if servers.is_empty() { "" } else { "," };
        line(format_args!("dhcp-option=option:dns-server{comma}{}", servers.join(",")));
        if let Some(domain) = &self.domain {
            line(format_args!("domain={domain}"));
        }
        line(format_args!("\n# Option 93 is the firmware's architecture; iPXE names itself."));
        for (tag, number) in [("bios", 0), ("uefi", 7), ("uefi", 9), ("uefi-http", 16)] {
            line(format_args!("dhcp-match=set:{tag},option:client-arch,{number}"));
        }
        line(format_args!("dhcp-match=set:ipxe,175"));
        line(format_args!("dhcp-userclass=set:ipxe,iPXE"));
        line(format_args!("\n# The firmware loads iPXE, and iPXE the node's script from boss."));
        line(format_args!("dhcp-boot=tag:bios,tag:!ipxe,undionly.kpxe"));
        line(format_args!("dhcp-boot=tag:uefi,tag:!ipxe,snponly.efi"));
        line(format_args!("dhcp-boot=tag:ipxe,{}", self.url.script_of_asker()));
        if let Some(loader) = &self.http_loader {
            line(format_args!("dhcp-boot=tag:uefi-http,tag:!ipxe,{}{loader}", self.url));
            line(format_args!("dhcp-option-force=tag:uefi-http,tag:!ipxe,60,HTTPClient"));
        }
        line(format_args!("\n# The nodes."));
        for Host { node, mac, ip } in hosts {
            line(format_args!("dhcp-host={mac},{ip},{node},12h"));
        }
    }

    /// The network's own address.
    fn first(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.address) & u32::from(self.netmask))
    }

    fn check(&self) -> Result<(), DhcpError> {
        let wrong = |setting, value: &dyn fmt::Display, why| {
            Err(DhcpError::Setting { setting, value: value.to_string(), why })
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
        // IFNAMSIZ. A * at the end would be any interface.
        if self.interface.is_empty()
            || self.interface.len() > 15
            || !self.interface.chars().all(plain)
        {
            return wrong("the interface", &self.interface, "it is no interface's name");
        }
        let mask = u32::from(self.netmask);
        if mask.leading_ones() + mask.trailing_zeros() != 32
            || !(8..=30).contains(&mask.leading_ones())
        {
            return wrong("the netmask", &self.netmask, "it must have 8 to 30 ones, then zeros");
        }
        if let Some(gateway) = self.gateway.filter(|&gateway| !self.holds(gateway)) {
            return wrong("the gateway", &gateway, "it is not in the nodes' network");
        }
        if !self.holds(self.address) {
            return wrong("boss' address", &self.address, "it is the network's own");
        }
        if let Some(domain) = self.domain.as_ref().filter(|domain| !is_host(domain)) {
            return wrong("the domain", domain, "it is no domain's name");
        }
        let plain = |c: char| plain(c) || matches!(c, '/' | '+');
        let tftp =
            self.tftp.to_str().filter(|path| path.starts_with('/') && path.chars().all(plain));
        if tftp.is_none() {
            let why = "it must begin with / and have no spaces or special characters";
            return wrong("the TFTP directory", &self.tftp.display(), why);
        }
        match &self.http_loader {
            Some(path) if !path.starts_with('/') || !path.chars().all(plain) => {
                let why = "it must begin with / and have no spaces or special characters";
                wrong("the loader over HTTP", path, why)
            }
            _ => Ok(()),
        }
    }

    /// Whether an address is one that a machine in the network can have.
    fn holds(&self, ip: Ipv4Addr) -> bool {
        let (mask, first) = (u32::from(self.netmask), u32::from(self.first()));
        let ip = u32::from(ip);
        ip & mask == first && ip != first && ip != first | !mask
    }

    /// The nodes by their addresses, if they can all be there together.
    fn in_order<'a>(&self, hosts: &'a [Host]) -> Result<Vec<&'a Host>, DhcpError> {
        let (mut by_ip, mut by_mac, mut by_name) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for host in hosts {
            let refuse =
                |why| Err(DhcpError::Address { node: host.node.clone(), ip: host.ip, why });
            if !self.holds(host.ip) {
                return refuse("it is not one for a machine in the nodes' network");
            }
            if host.ip == self.address || Some(host.ip) == self.gateway {
                return refuse("it is boss' or the gateway's");
            }
            if !is_name(host.node.as_str()) {
                return Err(DhcpError::Name(host.node.clone()));
            }
            let same = |other: &Host, what| {
                Err(DhcpError::Same(other.node.clone(), host.node.clone(), what))
            };
            if let Some(other) = by_ip.insert(host.ip, host) {
                return same(other, "address");
            }
            if let Some(other) = by_mac.insert(host.mac, host) {
                return same(other, "card");
            }
            // DNS doesn't tell large and small letters apart.
            if let Some(other) = by_name.insert(host.node.as_str().to_ascii_lowercase(), host) {
                return same(other, "name");
            }
        }
        Ok(by_ip.into_values().collect())
    }
}

/// Whether dnsmasq takes a node's id for a name: it has words of its own in that place, and times.
fn is_name(node: &str) -> bool {
    let number = node.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_time = number.len() < node.len() && number.len() < 2;
    let first = |c: char| c.is_ascii_alphanumeric();
    !is_time && !matches!(node, "ignore" | "infinite") && node.starts_with(first)
}

#[cfg(test)]
mod tests;
