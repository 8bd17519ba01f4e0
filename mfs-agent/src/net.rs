//! The network: one interface with a static address.

pub mod link;
pub mod netlink;

use alloc::string::String;
use core::time::Duration;

use crate::boot::modules;
use crate::cmdline::ip::{Address, Mac};
use crate::event::{now, sleep};
use crate::failure::{FailureKind, Os, Result};
use crate::progress::Progress;
use link::Wish;
use netlink::{Netlink, Request};

/// How long an interface may take to appear, and to find its carrier.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// Brings up an interface with `address`: the one that the node was `boot`ed from, if that is
/// known.
///
/// # Errors
/// `Network`
pub fn bring_up(boot: Option<Mac>, address: &Address, progress: &Progress) -> Result<()> {
    let wish = Wish { mac: boot, device: &address.device };
    let link = wait_for("interface", progress, || link::choose(&wish))?;
    log::info!("{}: using {}", link.name, link.mac_text);
    let socket = Netlink::open()
        .map_err(|errno| network(format_args!("cannot open a netlink socket: {}", Os(errno))))?;
    let ask = |request: Request, doing: &str| {
        socket
            .ask(&request)
            .map_err(|errno| network(format_args!("{}: cannot {doing}: {}", link.name, Os(errno))))
    };
    ask(Request::up(link.index), "be brought up")?;
    wait_for("carrier", progress, || link.carrier())
        .map_err(|failure| failure.context(&link.name))?;
    ask(Request::address(link.index, address.client, address.prefix), "get its address")?;
    if let Some(gateway) = address.gateway {
        ask(Request::default_route(link.index, gateway), "get the default route")?;
    }
    log::info!("{}: address {}/{}", link.name, address.client, address.prefix);
    Ok(())
}

/// Asks again and again until there is an answer.
fn wait_for<T>(
    what: &str,
    progress: &Progress,
    mut ask: impl FnMut() -> core::result::Result<T, String>,
) -> Result<T> {
    let start = now();
    loop {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(why) if now().saturating_sub(start) > PATIENCE => {
                let seconds = PATIENCE.as_secs();
                return Err(network(format_args!("no {what} after {seconds} seconds: {why}")));
            }
            Err(_) => sleep(POLL),
        }
        modules::rescan(&|| progress.beat());
        progress.beat();
    }
}

fn network(message: core::fmt::Arguments<'_>) -> crate::failure::Failure {
    FailureKind::Network.because(message)
}
