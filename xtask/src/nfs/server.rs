//! An NFSv3 server in this process: one export over TCP, no root needed.
//!
//! It serves NFS and MOUNT on one port and registers nowhere, so a client must be told the port:
//! see [`Server::mount_options`]. Built on `nfs3_server`, which (unlike `nfsserve`) implements
//! COMMIT and honours the stability of writes.

use super::export::Export;
use super::faults::{Faults, Statistics};
use super::vfs::Vfs;
use anyhow::{Context, Result, bail};
use nfs3_server::tcp::{NFSTcp, NFSTcpListener};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Part of each handle. A constant: handles stay good when the server is started again. It also
/// is the write verifier, and rightly so, for what a stopped server has taken is in the host's
/// page cache and not lost.
const GENERATION: u64 = 1;
/// How long a stop waits for requests that are being served.
const STOP: Duration = Duration::from_secs(5);

/// A server, started or not. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    export: Arc<Export>,
    name: String,
    address: Ipv4Addr,
    port: u16,
    running: Option<Runtime>,
}

impl Server {
    /// Prepares to export `directory` as `name` (an absolute path, as `/proj`) on a free port.
    /// The port is the server's from now on, but nothing answers before [`Server::start`].
    pub fn new(directory: &Path, name: &str) -> Result<Self> {
        Self::new_at(Ipv4Addr::LOCALHOST, directory, name)
    }

    /// As [`Server::new`], at another address than 127.0.0.1.
    pub fn new_at(address: Ipv4Addr, directory: &Path, name: &str) -> Result<Self> {
        let export = Export::new(directory)
            .with_context(|| format!("cannot export {}", directory.display()))?;
        // The port is only noted: while it is not started, clients must be refused.
        let port = TcpListener::bind((address, 0))?.local_addr()?.port();
        Ok(Self { export: Arc::new(export), name: name.to_owned(), address, port, running: None })
    }

    /// Prepares and starts.
    pub fn started(directory: &Path, name: &str) -> Result<Self> {
        // Between the two, somebody else's connection may get the port.
        const TRIES: u32 = 8;
        let mut tries = 1..=TRIES;
        loop {
            let mut server = Self::new(directory, name)?;
            match server.start() {
                Ok(()) => return Ok(server),
                Err(error) if is_taken(&error) && tries.next().is_some() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Starts to serve; clients find the state of before.
    pub fn start(&mut self) -> Result<()> {
        if self.running.is_some() {
            bail!("the NFS server already runs");
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("nfs")
            .enable_all()
            .build()
            .context("cannot start the NFS server's threads")?;
        let address = format!("{}:{}", self.address, self.port);
        let vfs = Vfs(Arc::clone(&self.export));
        let mut listener = runtime
            .block_on(NFSTcpListener::bind_with_generation(&address, vfs, GENERATION))
            .with_context(|| format!("cannot listen on {address}"))?;
        listener.with_export_name(&self.name);
        runtime.spawn(async move { listener.handle_forever().await });
        self.running = Some(runtime);
        Ok(())
    }

    /// Stops to serve and closes all connections. Clients see a server that is gone.
    pub fn stop(&mut self) {
        if let Some(runtime) = self.running.take() {
            runtime.shutdown_timeout(STOP);
        }
    }

    /// The port for both NFS and MOUNT.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The options that a Linux client's mount(2) needs besides `addr=`.
    pub fn mount_options(&self) -> String {
        let port = self.port;
        format!("vers=3,proto=tcp,port={port},mountproto=tcp,mountport={port},nolock")
    }

    /// Makes the server misbehave from now on, or, with the default, behave.
    pub fn set_faults(&self, faults: Faults) {
        self.export.monitor.set(faults);
    }

    /// The faults that are set.
    pub fn faults(&self) -> Faults {
        self.export.monitor.faults()
    }

    /// What the server has done so far.
    pub fn statistics(&self) -> Statistics {
        self.export.monitor.statistics()
    }
}

/// Whether an error is that somebody else has the port.
fn is_taken(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::AddrInUse)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests;
