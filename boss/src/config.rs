//! The configuration file, `/etc/swapmfs/boss.toml`. Every value has a default but the address
//! that nodes know boss by.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

/// What boss is told of its site.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `sqlite:///var/lib/boss/boss.db` or `postgres://…`.
    #[serde(default = "default_database")]
    pub database: String,
    /// Boss' address on the nodes' control network.
    pub address: Ipv4Addr,
    /// Where files are, as boss sees them.
    #[serde(default)]
    pub directories: Directories,
    /// What nodes mount.
    #[serde(default)]
    pub nfs: Nfs,
    /// What boss listens on.
    #[serde(default)]
    pub listen: Listen,
    /// Limits of swapouts and swapins.
    #[serde(default)]
    pub limits: Limits,
    /// What nodes boot.
    #[serde(default)]
    pub boot: Boot,
    /// The control network, for `boss dhcp`.
    #[serde(default)]
    pub dhcp: Dhcp,
    /// The pages.
    #[serde(default)]
    pub web: Web,
}

/// Where files are, as boss sees them.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Directories {
    /// The projects; nodes see them as `/proj`.
    pub proj: PathBuf,
    /// The subgroups of projects; nodes see them as `/groups`.
    pub groups: PathBuf,
    /// `imagehash`, `imagedump` and the other image tools.
    pub tools: PathBuf,
    /// Power drivers.
    pub power: PathBuf,
    /// `vmlinuz` and `initramfs.cpio.zst`, and the boot loaders for TFTP.
    pub boot: PathBuf,
}

/// What nodes mount.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nfs {
    /// The file server, by name or address as nodes see it; boss itself, if it isn't said.
    pub server: Option<String>,
    /// What the server calls the directory of projects.
    pub proj: String,
    /// What it calls the directory of subgroups; none, if it is empty.
    pub groups: String,
    /// More options of the mounts, as in `mfs.nfs=`.
    pub options: String,
}

/// What boss listens on.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// tmcd.
    pub tmcd: Vec<SocketAddr>,
    /// HTTP: the pages, boot scripts for nodes, metrics, and the REST interface.
    pub http: SocketAddr,
}

/// Limits of swapouts and swapins.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// How many nodes may be at work with one file server.
    pub nodes_per_file_server: u32,
    /// How many seconds a node may take from power on until it is up in the MFS.
    pub boot: u32,
    /// How many seconds a node's own system may take to end, before its power is cut.
    pub shutdown: u32,
    /// How often booting into the MFS is tried.
    pub boot_attempts: u32,
    /// The pause after the first attempt in seconds; it doubles each time.
    pub backoff: u32,
    /// A run without any progress for so many seconds is ended.
    pub idle: u32,
    /// The rate in MB/s that the slowest node's disk can be read and saved with: by this and the
    /// disk's size the time for a save is limited.
    pub slowest_mb_per_s: u32,
}

/// What nodes boot.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Boot {
    /// The kernel in the boot directory.
    pub kernel: String,
    /// The initramfs there.
    pub initramfs: String,
    /// What becomes of free space on disks that are loaded: `zero` or `discard`, after which nobody
    /// sees what the last user had there, or `keep`.
    pub free: String,
    /// More words of the kernel's command line, such as `console=ttyS0,115200`.
    pub words: String,
}

/// The control network, for `boss dhcp`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dhcp {
    /// The interface that leads to the nodes.
    pub interface: String,
    /// The network's mask, such as 255.255.255.0.
    pub netmask: Option<Ipv4Addr>,
    /// The nodes' way out.
    pub gateway: Option<Ipv4Addr>,
    /// Name servers.
    pub name_servers: Vec<Ipv4Addr>,
    /// The nodes' domain.
    pub domain: Option<String>,
}

/// The pages.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Web {
    /// Addresses of proxies with TLS before boss. Only what they say of where a request comes from
    /// (`X-Forwarded-For`, `X-Forwarded-Proto`) counts; they have to leave `Host` as it was.
    pub proxies: Vec<IpAddr>,
}

fn default_database() -> String {
    "sqlite:///var/lib/boss/boss.db".to_owned()
}

impl Default for Directories {
    fn default() -> Self {
        Self {
            proj: "/proj".into(),
            groups: "/groups".into(),
            tools: "/usr/local/bin".into(),
            power: "/usr/local/lib/boss/power".into(),
            boot: "/srv/boot".into(),
        }
    }
}

impl Default for Nfs {
    fn default() -> Self {
        Self {
            server: None,
            proj: "/proj".to_owned(),
            groups: "/groups".to_owned(),
            options: String::new(),
        }
    }
}

impl Default for Listen {
    fn default() -> Self {
        let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        Self { tmcd: vec![any(7777), any(14447)], http: any(8080) }
    }
}

impl Default for Web {
    fn default() -> Self {
        Self { proxies: vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            nodes_per_file_server: 16,
            boot: 360,
            shutdown: 90,
            boot_attempts: 3,
            backoff: 10,
            idle: 300,
            slowest_mb_per_s: 20,
        }
    }
}

impl Default for Boot {
    fn default() -> Self {
        Self {
            kernel: "vmlinuz".to_owned(),
            initramfs: "initramfs.cpio.zst".to_owned(),
            free: "discard".to_owned(),
            words: String::new(),
        }
    }
}

impl Config {
    /// Where the file is, if nothing else is said.
    pub const PATH: &'static str = "/etc/swapmfs/boss.toml";

    /// Reads the file.
    ///
    /// # Errors
    /// If it can't be read, or has a key or value that makes no sense.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("reading {}; boss --config names another", path.display()))?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }

    /// The file server's name for nodes.
    pub fn file_server(&self) -> String {
        self.nfs.server.clone().unwrap_or_else(|| self.address.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_enough_and_typing_errors_are_found() {
        let config: Config = toml::from_str("address = '10.0.0.1'").unwrap();
        assert_eq!(config.directories.proj, Path::new("/proj"));
        assert_eq!(config.file_server(), "10.0.0.1");
        assert_eq!(config.listen.http.port(), 8080);
        assert!(toml::from_str::<Config>("").is_err());
        let error =
            toml::from_str::<Config>("address = '10.0.0.1'\n[limits]\nbot = 3").unwrap_err();
        assert!(error.to_string().contains("bot"), "{error}");
    }
}
