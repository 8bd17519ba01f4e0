//! A site for simulated nodes: directories, free ports, and boss' configuration for them.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use boss::config::Config;

/// Boss' limits, as in its configuration.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many nodes may be at work at once.
    pub nodes: u32,
    /// Seconds until a node is up.
    pub boot: u32,
    /// How often that is tried.
    pub attempts: u32,
    /// Seconds that a node's own system may take to end.
    pub shutdown: u32,
    /// The first pause between.
    pub backoff: u32,
    /// Seconds without progress. Boss looks at heartbeats every three seconds: fewer than 8 are for
    /// nodes that are done before the first look.
    pub idle: u32,
}

impl Default for Limits {
    /// Short ones.
    fn default() -> Self {
        Self { nodes: 16, boot: 5, shutdown: 2, attempts: 3, backoff: 1, idle: 8 }
    }
}

/// A directory with everything that boss needs but its data base.
#[derive(Debug)]
pub struct Site {
    config: Config,
    path: PathBuf,
}

impl Site {
    /// In `directory`, which must be there. `database` is `None` for a file in it.
    ///
    /// # Errors
    /// If a directory can't be made.
    pub fn new(directory: &Path, database: Option<&str>, limits: Limits) -> Result<Self> {
        // Nodes write in their users' names.
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755))?;
        for name in ["proj", "groups", "power", "boot", "tools"] {
            fs::create_dir_all(directory.join(name))?;
        }
        let at = directory.display();
        let database = database.map_or_else(|| format!("sqlite://{at}/boss.db"), str::to_owned);
        let [tmcd, http] = free_ports()?;
        let mut text = format!(
            "address = \"127.0.0.1\"\ndatabase = \"{database}\"\n\
             [directories]\n"
        );
        for name in ["proj", "groups", "power", "boot", "tools"] {
            // Writing to a String can't fail.
            let _ = writeln!(text, "{name} = \"{at}/{name}\"");
        }
        let Limits { nodes, boot, shutdown, attempts, backoff, idle } = limits;
        let _ = write!(
            text,
            "[listen]\ntmcd = [\"127.0.0.1:{tmcd}\"]\nhttp = \"127.0.0.1:{http}\"\n\
             [limits]\nnodes_per_file_server = {nodes}\nboot = {boot}\n\
             shutdown = {shutdown}\nboot_attempts = {attempts}\nbackoff = {backoff}\nidle = {idle}\n"
        );
        let path = directory.join("boss.toml");
        fs::write(&path, text)?;
        Ok(Self { config: Config::read(&path)?, path })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The configuration's file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Ports that were free a moment ago: addresses of nodes are in scripts, so they must be known
/// before boss listens.
fn free_ports() -> Result<[u16; 2]> {
    let one = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok([one.local_addr()?.port(), other.local_addr()?.port()])
}
