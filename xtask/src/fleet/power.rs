//! The power of simulated nodes: a driver that boss runs, and what it asks.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};

use super::node::SimNode;

/// The driver's name.
pub(super) const DRIVER: &str = "sim";

/// bash opens the connection itself: nothing else is started, so that a thousand are cheap.
const SCRIPT: &str = r#"#!/bin/bash
# Power driver of simulated nodes: asks the simulator (xtask/src/fleet/power.rs).
exec 3<>"/dev/tcp/127.0.0.1/$POWER_PORT"
printf '%s %s\n' "$1" "$2" >&3
IFS=' ' read -r -u 3 code text || exit 1
[ "$code" = 0 ] || echo "$text" >&2
[ "$code" != 0 ] || [ -z "$text" ] || echo "$text"
exit "$code"
"#;

/// What a driver is to do.
pub(super) enum Answer {
    /// To end with this exit status and line.
    End(u8, String),
    /// To hang until it is killed.
    Hang,
}

/// Puts the driver where boss looks for it.
pub(super) fn install(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    // By rename: one that is being written can't be run.
    let (new, path) = (directory.join(".sim.new"), directory.join(DRIVER));
    fs::write(&new, SCRIPT)
        .and_then(|()| fs::set_permissions(&new, fs::Permissions::from_mode(0o755)))
        .and_then(|()| fs::rename(&new, &path))
        .with_context(|| format!("installing {}", path.display()))
}

/// Answers drivers until it is dropped.
#[derive(Debug)]
pub(super) struct PowerServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    requests: AtomicU64,
}

impl PowerServer {
    pub(super) fn start(nodes: Arc<[Arc<SimNode>]>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        for node in &*nodes {
            node.set_power_port(address.port());
        }
        let shared = Arc::new(Shared::default());
        let its = Arc::clone(&shared);
        let thread = thread::Builder::new().name("power".to_owned()).spawn(move || {
            // Who hangs is held here.
            let mut hanging = Vec::new();
            for stream in listener.incoming() {
                if its.stop.load(Ordering::Acquire) {
                    return;
                }
                its.requests.fetch_add(1, Ordering::Relaxed);
                if let Ok(stream) = stream
                    && let Some(held) = answer(stream, &nodes)
                {
                    hanging.push(held);
                }
            }
        })?;
        Ok(Self { address, shared, thread: Some(thread) })
    }

    pub(super) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }
}

impl Drop for PowerServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        // It waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Answers one driver; the connection, if it is to hang. A driver that was killed is no trouble.
fn answer(mut stream: TcpStream, nodes: &[Arc<SimNode>]) -> Option<TcpStream> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).ok()?;
    let (node_id, action) = line.trim_end().split_once(' ')?;
    let node = nodes.iter().find(|node| node.node_id().as_str() == node_id);
    let answer = match node {
        Some(node) => node.power(action),
        None => Answer::End(2, format!("there is no {node_id}")),
    };
    match answer {
        Answer::Hang => Some(stream),
        Answer::End(code, text) => {
            let _ = writeln!(stream, "{code} {text}");
            None
        }
    }
}
