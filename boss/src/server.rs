//! The server: tmcd, HTTP and the supervisor, with what they share.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::db::Database;
use crate::jobs::Jobs;
use crate::layout::Layout;
use crate::metrics::Metrics;
use crate::power::Drivers;
use crate::saved_disk::SavedDisks;
use crate::swap::supervisor::Supervisor;
use crate::web::{Limits, Watches};
use crate::{http, tmcd};

/// What all parts of the server share.
#[derive(Debug)]
pub struct Boss {
    /// What was configured.
    pub config: Config,
    /// What is known.
    pub db: Database,
    /// Where files are.
    pub layout: Layout,
    /// What turns machines on and off.
    pub power: Drivers,
    /// What is counted.
    pub metrics: Metrics,
    /// Wakes the supervisor: something was heard or asked for.
    pub wake: Notify,
    /// Who tries passwords.
    pub limits: Limits,
    /// What saved disks hold.
    pub saved_disks: SavedDisks,
    /// Who looks at swaps that go on.
    pub watches: Watches,
    /// What goes on beside requests and swaps.
    pub jobs: Jobs,
}

impl Boss {
    /// Opens the data base.
    ///
    /// # Errors
    /// If it can't be opened.
    pub async fn new(config: Config) -> anyhow::Result<Self> {
        let db = Database::open(&config.database).await?;
        Ok(Self::with(config, db))
    }

    /// With a data base that is open.
    pub fn with(config: Config, db: Database) -> Self {
        let power = Drivers::new(&config.directories.power);
        let layout = Layout::new(&config);
        let saved_disks = SavedDisks::new(&config, &db);
        Self {
            config,
            db,
            layout,
            power,
            metrics: Metrics::default(),
            wake: Notify::new(),
            limits: Limits::default(),
            saved_disks,
            watches: Watches::default(),
            jobs: Jobs::default(),
        }
    }
}

/// A server that runs until it is dropped or stopped.
#[derive(Debug)]
pub struct Server {
    boss: Arc<Boss>,
    tasks: JoinSet<()>,
    tmcd: Vec<SocketAddr>,
    http: SocketAddr,
}

impl Server {
    /// Starts it.
    ///
    /// # Errors
    /// If an address is taken.
    pub async fn start(boss: Boss) -> anyhow::Result<Self> {
        let boss = Arc::new(boss);
        let bound = tmcd::bind(&boss.config.listen.tmcd).await?;
        let address = boss.config.listen.http;
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("HTTP: listening on {address}"))?;
        let (http, tmcd) = (listener.local_addr()?, bound.addresses());
        let mut tasks = JoinSet::new();
        tasks.spawn(tmcd::serve(Arc::clone(&boss), bound));
        tasks.spawn(http::serve(Arc::clone(&boss), listener));
        tasks.spawn(Supervisor::new(Arc::clone(&boss)).run());
        tracing::info!(%http, ?tmcd, "boss is there");
        Ok(Self { boss, tasks, tmcd, http })
    }

    /// What its parts share.
    pub fn boss(&self) -> &Arc<Boss> {
        &self.boss
    }

    /// Where tmcd listens.
    pub fn tmcd(&self) -> &[SocketAddr] {
        &self.tmcd
    }

    /// Where HTTP is.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Waits until a part of it ends, which none should.
    pub async fn failed(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Err(error)) => anyhow::Error::new(error).context("a part of the server failed"),
            _ => anyhow::anyhow!("a part of the server ended"),
        }
    }

    /// Stops it at once, as a crash would: all that counts is in the data base.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        self.boss.watches.stop();
        self.boss.db.close().await;
    }
}
