//! The log, on standard error.

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use super::serve::{LogFormat, Serve};
use super::{Cli, Command};

/// Of a server all that happens; of a command only what it doesn't say itself.
pub(super) fn start(cli: &Cli) -> anyhow::Result<()> {
    let (default, format) = match cli.command {
        Command::Serve(Serve { log_format }) => ("info", log_format),
        _ => ("error,boss::db::swaps=off", LogFormat::Text),
    };
    let wanted = cli.log.as_deref().filter(|filter| !filter.is_empty()).unwrap_or(default);
    let filter = EnvFilter::try_new(wanted).with_context(|| format!("--log {wanted:?}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        // systemd's journal has the time, and no colours.
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}
