//! `boss dhcp`: dnsmasq's configuration.

use std::fs::Permissions;
use std::io::Write;
use std::num::NonZeroU16;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use tempfile::NamedTempFile;

use super::Context;
use crate::boot::BossUrl;
use crate::boot::dhcp::{Host, Network};
use crate::error::{ErrorKind, Result};

/// Make dnsmasq's configuration.
#[derive(Debug, Args)]
pub(super) struct Dhcp {
    /// Write it here, all at once or not at all; then dnsmasq must be restarted
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Makes it of the configuration and the nodes of the data base.
pub(super) async fn run(context: &Context, options: &Dhcp) -> Result<()> {
    let network = network(context)?;
    let mut hosts = Vec::new();
    for node in context.db.nodes().await? {
        let mac = node.mac.parse().map_err(|error| {
            let why = format!("the card of {}: {error}; boss node set --mac", node.node_id);
            ErrorKind::Invalid.because(why)
        })?;
        hosts.push(Host { node: node.node_id, mac, ip: node.control_ip });
    }
    let text = network.configuration(&hosts).map_err(|why| ErrorKind::Invalid.because(why))?;
    let Some(path) = &options.output else {
        let value = json!({ "configuration": text });
        return Ok(context.print(&value, |out| write!(out, "{text}"))?);
    };
    write(path, &text)?;
    let (count, shown) = (hosts.len(), path.display());
    context.done(&format!("{shown} has {count} nodes; dnsmasq reads it when it is restarted"))
}

fn network(context: &Context) -> Result<Network> {
    let (config, dhcp) = (&context.config, &context.config.dhcp);
    let missing = |what| {
        let why = format!("{what} is missing in [dhcp] of the configuration");
        ErrorKind::Invalid.because(why)
    };
    if dhcp.interface.is_empty() {
        return Err(missing("interface"));
    }
    let port = NonZeroU16::new(config.listen.http.port());
    let port = port.ok_or_else(|| {
        ErrorKind::Invalid.because("http in [listen] of the configuration needs a port")
    })?;
    Ok(Network {
        interface: dhcp.interface.clone(),
        address: config.address,
        netmask: dhcp.netmask.ok_or_else(|| missing("netmask"))?,
        gateway: dhcp.gateway,
        name_servers: dhcp.name_servers.clone(),
        domain: dhcp.domain.clone(),
        url: BossUrl::new(config.address, port),
        tftp: config.directories.boot.clone(),
        http_loader: None,
    })
}

/// dnsmasq never sees half a file.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let write = || -> std::io::Result<()> {
        let mut file = NamedTempFile::new_in(parent.unwrap_or(Path::new(".")))?;
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("writing {}", path.display()))
}
