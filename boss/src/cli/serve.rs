//! `boss serve`: the server.

use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::error::Result;
use crate::server::{Boss, Server};

/// Options of the server.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Serve {
    /// How the log is written
    #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "BOSS_LOG_FORMAT")]
    pub(super) log_format: LogFormat,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// Lines for people
    Text,
    /// One object a line
    Json,
}

/// Serves until a signal ends it.
///
/// # Errors
/// If it can't begin, or a part of it fails.
pub(super) async fn run(config: Config) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut server = Server::start(Boss::new(config).await?).await?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("ends as SIGTERM says"),
        _ = interrupt.recv() => tracing::info!("ends as SIGINT says"),
        error = server.failed() => return Err(error.into()),
    }
    server.stop().await;
    Ok(())
}
