//! A switch port that carries one VLAN tagged, and nothing else.
//!
//! Not the kernel's VLAN devices: not every kernel that runs tests has them. The guest's card sends
//! its frames in UDP datagrams (QEMU's `socket` network); a thread here takes the tag off and passes
//! them to a QEMU without a machine, whose hub has a tap in the bridge, and the other way round.

use crate::nfs::namespace::Namespace;
use crate::process::Tied;
use crate::qemu::program::PROGRAM;
use anyhow::{Context, Result};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// IEEE 802.1Q's tag protocol identifier.
const TPID: [u8; 2] = [0x81, 0x00];
/// Where the tag is: behind the two addresses.
const TAG: usize = 12;
/// No Ethernet frame is longer.
const LONGEST: usize = 1 << 16;
/// How often a thread looks whether it shall end.
const LOOK: Duration = Duration::from_millis(100);
/// The first UDP port of the first trunk; each needs four.
const FIRST_PORT: u16 = 41_000;

/// A port that exists. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Trunk {
    _hub: Tied,
    end: Arc<AtomicBool>,
}

/// The UDP ports of a trunk, all on the namespace's 127.0.0.1.
#[derive(Clone, Copy)]
pub(super) struct Ports {
    first: u16,
}

impl Ports {
    pub(super) fn of(index: u16) -> Self {
        Self { first: FIRST_PORT.saturating_add(index.saturating_mul(4)) }
    }

    /// What the guest sends to, and listens at.
    pub(super) fn guest(self) -> (u16, u16) {
        (self.first, self.first.saturating_add(1))
    }

    /// What the hub sends to, and listens at.
    fn hub(self) -> (u16, u16) {
        (self.first.saturating_add(2), self.first.saturating_add(3))
    }
}

/// QEMU's network that sends and receives frames in datagrams.
pub(super) fn netdev((to, at): (u16, u16)) -> String {
    format!("socket,udp=127.0.0.1:{to},localaddr=127.0.0.1:{at}")
}

impl Trunk {
    /// Connects the VLAN `id` of a guest with `tap`, which is in a bridge.
    pub(super) fn start(namespace: &Namespace, tap: &str, id: u16, ports: Ports) -> Result<Self> {
        let bind = |port| namespace.inside(|| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)));
        let guest = bind(ports.guest().0)?.context("cannot bind the guest's side")?;
        let hub = bind(ports.hub().0)?.context("cannot bind the hub's side")?;
        let end = Arc::new(AtomicBool::new(false));
        relay(&guest, &hub, ports.hub().1, &end, move |frame| untag(frame, id))?;
        relay(&hub, &guest, ports.guest().1, &end, move |frame| tag(frame, id))?;

        let mut command = namespace.command(PROGRAM);
        command.args(["-machine", "none", "-nodefaults", "-display", "none"]);
        let tap = format!("tap,id=tap,ifname={tap},script=no,downscript=no");
        for netdev in [
            tap.as_str(),
            &format!("{},id=relay", netdev(ports.hub())),
            "hubport,id=port0,hubid=0,netdev=tap",
            "hubport,id=port1,hubid=0,netdev=relay",
        ] {
            command.args(["-netdev", netdev]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Ok(Self { _hub: Tied::start(command)?, end })
    }
}

impl Drop for Trunk {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
    }
}

/// Starts a thread that passes on what `change` makes of each frame.
fn relay(
    from: &UdpSocket,
    to: &UdpSocket,
    port: u16,
    end: &Arc<AtomicBool>,
    change: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static,
) -> Result<()> {
    let (from, to, end) = (from.try_clone()?, to.try_clone()?, Arc::clone(end));
    from.set_read_timeout(Some(LOOK))?;
    thread::Builder::new().name("trunk".into()).spawn(move || {
        let mut frame = vec![0; LONGEST];
        while !end.load(Ordering::Relaxed) {
            match from.recv(&mut frame) {
                Ok(length) => {
                    if let Some(changed) = frame.get(..length).and_then(&change) {
                        // Nobody may listen yet, as on any network.
                        let _ = to.send_to(&changed, (Ipv4Addr::LOCALHOST, port));
                    }
                }
                // Besides the time-out, these are the answers to datagrams that nobody took.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => break,
            }
        }
    })?;
    Ok(())
}

/// The frame with a tag for VLAN `id`.
fn tag(frame: &[u8], id: u16) -> Option<Vec<u8>> {
    let (addresses, rest) = frame.split_at_checked(TAG)?;
    Some([addresses, &TPID, &id.to_be_bytes(), rest].concat())
}

/// The frame without its tag, if it has that of VLAN `id`.
fn untag(frame: &[u8], id: u16) -> Option<Vec<u8>> {
    let (addresses, rest) = frame.split_at_checked(TAG)?;
    let [high, low, rest @ ..] = rest.strip_prefix(&TPID)? else { return None };
    // The upper four bits are priority and drop eligibility.
    let same = u16::from_be_bytes([*high, *low]) & 0x0fff == id;
    same.then(|| [addresses, rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_frames_of_the_vlan_pass() {
        let frame = [&[0xff; 6][..], &[2; 6], &[0x08, 0x06, 1, 2, 3]].concat();
        let tagged = tag(&frame, 42).unwrap();
        assert_eq!(tagged.len(), frame.len() + 4);
        assert_eq!(tagged[12..16], [0x81, 0, 0, 42]);
        assert_eq!(untag(&tagged, 42), Some(frame.clone()));
        assert_eq!(untag(&tagged, 43), None);
        assert_eq!(untag(&frame, 42), None);
        let mut urgent = tagged;
        urgent[14] |= 0xe0;
        assert_eq!(untag(&urgent, 42), Some(frame));
        assert_eq!((tag(&[1; 11], 42), untag(&[1; 13], 42)), (None, None));
    }
}
