//! The connections.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::replies::{COMMANDS, reply};
use super::request::Request;
use crate::server::Boss;

/// The longest request in bytes.
const LONGEST: usize = 0x8000;
/// How long a client may take to send something.
const FIRST: Duration = Duration::from_secs(5);
/// After so long a pause a request is whole, if the client hasn't shut its side down. Old clients
/// send it at once and don't.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a client may take to read the reply.
const LAST: Duration = Duration::from_secs(30);
/// How many connections an address may have at once.
const MOST_OF_ONE: usize = 16;

/// The sockets that nodes connect to.
#[derive(Debug)]
pub struct Bound(Vec<TcpListener>);

impl Bound {
    /// Their addresses.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }
}

/// Binds the addresses.
///
/// # Errors
/// If one is taken, or not this machine's.
pub async fn bind(addresses: &[SocketAddr]) -> anyhow::Result<Bound> {
    let mut listeners = Vec::new();
    for address in addresses {
        let listener = TcpListener::bind(address).await;
        listeners.push(listener.with_context(|| format!("tmcd: listening on {address}"))?);
    }
    Ok(Bound(listeners))
}

/// Answers nodes for ever.
pub async fn serve(boss: Arc<Boss>, bound: Bound) {
    let guests = Arc::new(Guests::default());
    let mut servers = tokio::task::JoinSet::new();
    for listener in bound.0 {
        let (boss, guests) = (Arc::clone(&boss), Arc::clone(&guests));
        servers.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, from)) => {
                        let Some(place) = Guests::enter(&guests, from.ip()) else { continue };
                        let boss = Arc::clone(&boss);
                        tokio::spawn(async move {
                            answer(&boss, stream, from).await;
                            drop(place);
                        });
                    }
                    // Out of files, for example: it may pass.
                    Err(error) => {
                        tracing::warn!("tmcd: {error}");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        });
    }
    while servers.join_next().await.is_some() {}
}

async fn answer(boss: &Boss, mut stream: TcpStream, from: SocketAddr) {
    let IpAddr::V4(address) = from.ip().to_canonical() else { return };
    let start = Instant::now();
    let request = match read(&mut stream).await {
        Ok(request) => request,
        Err(error) => {
            tracing::debug!(%from, "tmcd: {error}");
            return;
        }
    };
    // Time that the client takes to ask is not ours.
    let asked = Instant::now();
    let (text, command) = reply_to(boss, address, &request).await;
    let written = async {
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await
    };
    match timeout(LAST, written).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%from, command, "tmcd: {error}"),
        Err(_) => tracing::debug!(%from, command, "tmcd: the client doesn't read its reply"),
    }
    boss.metrics.tmcd(command, asked.elapsed());
    tracing::trace!(%from, command, waited = ?asked - start, "tmcd");
}

async fn reply_to(boss: &Boss, from: Ipv4Addr, bytes: &[u8]) -> (String, &'static str) {
    let Some(request) = Request::parse(bytes) else { return (String::new(), "none") };
    let known = COMMANDS.iter().find(|command| **command == request.command);
    let command = known.copied().unwrap_or("other");
    // Accounts and keys stay out of the log.
    match reply(boss, from, &request).await {
        Ok(text) => (text, command),
        Err(error) => {
            tracing::error!(%from, command, "tmcd: {error}");
            (String::new(), command)
        }
    }
}

/// A request: all until the client shuts its side down, or pauses.
async fn read(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(256);
    loop {
        let patience = if bytes.is_empty() { FIRST } else { PAUSE };
        let room = LONGEST.saturating_sub(bytes.len());
        if room == 0 {
            return Ok(bytes);
        }
        match timeout(patience, (&mut *stream).take(room as u64).read_buf(&mut bytes)).await {
            Ok(Ok(0)) => return Ok(bytes),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) if bytes.is_empty() => {
                return Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "says nothing"));
            }
            Err(_) => return Ok(bytes),
        }
    }
}

/// Who is connected, so that one that hangs takes no place from others.
#[derive(Default)]
struct Guests(Mutex<HashMap<IpAddr, usize>>);

struct Place {
    guests: Arc<Guests>,
    address: IpAddr,
}

impl Guests {
    fn enter(guests: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut connected = guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = connected.entry(address).or_default();
        if *count >= MOST_OF_ONE {
            return None;
        }
        *count += 1;
        drop(connected);
        Some(Place { guests: Arc::clone(guests), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut connected = self.guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = connected.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                connected.remove(&self.address);
            }
        }
    }
}
