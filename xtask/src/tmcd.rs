//! A tmcd in this process, the service of an Emulab boss that nodes ask: it answers as the real
//! one does, keeps what it was asked byte for byte, and can be told to misbehave.
//!
//! It reads a request once, as the real one does, and answers exact command names only.

mod connection;
pub mod fault;
pub mod node;
pub mod record;

pub use fault::Fault;
pub use node::{Node, User};
pub use record::Record;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};

/// How often a listener is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// A server that runs. Dropping it stops it and closes all connections.
#[derive(Debug)]
pub struct Tmcd {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Notified whenever there is a new record.
    recorded: Condvar,
    stop: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    node: Node,
    nodes: BTreeMap<IpAddr, Node>,
    fault: Option<Fault>,
    faults: BTreeMap<String, Fault>,
    records: Vec<Record>,
    /// Connections that are never answered.
    held: Vec<TcpStream>,
}

impl Tmcd {
    /// Serves `node`, whoever asks, on sockets that listen already, perhaps in another network
    /// namespace.
    ///
    /// # Errors
    /// A socket can't be used.
    pub fn new(listeners: Vec<TcpListener>, node: Node) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        shared.lock().node = node;
        let mut tmcd = Self { shared, addresses: Vec::new(), threads: Vec::new() };
        for listener in listeners {
            tmcd.addresses.push(listener.local_addr()?);
            listener.set_nonblocking(true)?;
            let shared = Arc::clone(&tmcd.shared);
            let serve = move || accept(&listener, &shared);
            tmcd.threads.push(thread::Builder::new().name("tmcd".into()).spawn(serve)?);
        }
        Ok(tmcd)
    }

    /// Serves `node` at `address`, on each of `ports`; 0 is a free one.
    ///
    /// # Errors
    /// A port is taken.
    pub fn bind(address: Ipv4Addr, ports: &[u16], node: Node) -> Result<Self> {
        let bind = |port: &u16| {
            TcpListener::bind((address, *port))
                .with_context(|| format!("cannot listen on {address}:{port}"))
        };
        Self::new(ports.iter().map(bind).collect::<Result<_>>()?, node)
    }

    /// Where it listens, in the order in which it was told.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The first port that it listens on; 0 if there is none.
    pub fn port(&self) -> u16 {
        self.addresses.first().map_or(0, SocketAddr::port)
    }

    /// From now on whoever asks is `node`, unless [`Tmcd::set_node_at`] says something else.
    pub fn set_node(&self, node: Node) {
        self.shared.lock().node = node;
    }

    /// From now on who asks from `address` is `node`.
    pub fn set_node_at(&self, address: Ipv4Addr, node: Node) {
        self.shared.lock().nodes.insert(address.into(), node);
    }

    /// Misbehaves on all requests from now on.
    pub fn set_fault(&self, fault: Fault) {
        self.shared.lock().fault = Some(fault);
    }

    /// Misbehaves on requests of `command` from now on. The request is read before.
    pub fn set_fault_of(&self, command: &str, fault: Fault) {
        self.shared.lock().faults.insert(command.to_owned(), fault);
    }

    /// Behaves from now on. Connections that were never answered are closed.
    pub fn behave(&self) {
        let mut state = self.shared.lock();
        state.fault = None;
        state.faults.clear();
        state.held.clear();
    }

    /// All requests so far, in order.
    pub fn records(&self) -> Vec<Record> {
        self.shared.lock().records.clone()
    }

    /// All requests so far as `<command>[ <arguments>]`, in order.
    pub fn history(&self) -> Vec<String> {
        self.shared.lock().records.iter().map(Record::text).collect()
    }

    /// The states that were reported, in order.
    pub fn states(&self) -> Vec<String> {
        self.arguments_of("state")
    }

    /// The values of `startstatus`, in order.
    pub fn start_statuses(&self) -> Vec<String> {
        self.arguments_of("startstatus")
    }

    fn arguments_of(&self, command: &str) -> Vec<String> {
        let state = self.shared.lock();
        let records = state.records.iter().filter(|record| record.command == command);
        records.map(|record| record.arguments.clone()).collect()
    }

    /// Waits for the request `<command>[ <arguments>]`, which may have come already.
    ///
    /// # Errors
    /// It has not come within `limit`; with all that has.
    pub fn wait_for(&self, text: &str, limit: Duration) -> Result<Record> {
        self.wait_until(limit, |records| {
            records.iter().find(|record| record.text() == text).cloned()
        })
        .with_context(|| format!("tmcd was not asked for `{text}`"))
    }

    /// Waits until `find` finds something in all that has been asked.
    ///
    /// # Errors
    /// It has not within `limit`; with all that was asked.
    pub fn wait_until<T>(
        &self,
        limit: Duration,
        find: impl Fn(&[Record]) -> Option<T>,
    ) -> Result<T> {
        let state = self.shared.lock();
        let (state, _) = self
            .shared
            .recorded
            .wait_timeout_while(state, limit, |state| find(&state.records).is_none())
            .unwrap_or_else(PoisonError::into_inner);
        find(&state.records).with_context(|| {
            let history: Vec<_> = state.records.iter().map(Record::text).collect();
            format!("not within {limit:?}; requests so far: {history:?}")
        })
    }

    /// What was wrong with the form of any request so far: see [`Record::fault`].
    pub fn malformed(&self) -> Vec<String> {
        self.shared.lock().records.iter().filter_map(Record::fault).collect()
    }
}

impl Drop for Tmcd {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that has panicked is gone as well.
            let _ = thread.join();
        }
        self.shared.lock().held.clear();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole after each change, whatever a panicking thread was doing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Accepts connections until the server stops; each has a thread of its own.
fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while !shared.is_stopping() {
        match listener.accept() {
            Ok((stream, peer)) => {
                let shared = Arc::clone(shared);
                // Who is not answered notices.
                thread::spawn(move || connection::serve(stream, peer, &shared));
            }
            // Nobody there yet, or a client that is gone already.
            Err(_) => thread::sleep(LOOK),
        }
    }
}

#[cfg(test)]
mod tests;
