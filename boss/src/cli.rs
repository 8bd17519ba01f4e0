//! The command line of `boss`.

mod capture;
mod dhcp;
mod doctor;
mod exp;
mod follow;
pub mod image;
mod log;
mod node;
mod people;
mod serve;
mod sitevar;
mod swap;

use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use clap::{Parser, Subcommand};
use serde::Serialize;
use serde_json::Value;

use crate::access::Actor;
use crate::config::Config;
use crate::db::Database;
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::names::Login;
use crate::server::Boss;

/// The control server of a testbed that saves its nodes' disks
#[derive(Debug, Parser)]
#[command(name = "boss", version, arg_required_else_help = true, after_help = EXIT)]
struct Cli {
    /// The site's configuration
    #[arg(long, global = true, value_name = "FILE", env = "BOSS_CONFIG", default_value = Config::PATH)]
    config: PathBuf,
    /// Print for programs: JSON
    #[arg(long, global = true)]
    json: bool,
    /// What is logged to standard error, such as `debug` or `boss::tmcd=trace`
    #[arg(long, global = true, value_name = "FILTER", env = "BOSS_LOG")]
    log: Option<String>,
    /// In whose name; by default the Unix user's. Only root may name others
    #[arg(long = "as", global = true, value_name = "LOGIN")]
    actor: Option<Login>,
    #[command(subcommand)]
    command: Command,
}

const EXIT: &str = "Exit status: 0 done, 1 failed, 2 makes no sense, 3 no such thing, 4 not in \
                    this state, 5 not allowed.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::Serve),
    /// Experiments: make, show, swap out, watch
    #[command(subcommand)]
    Exp(exp::Command),
    /// Images and their signatures
    #[command(subcommand)]
    Image(image::Command),
    /// Machines, their disks and their power
    #[command(subcommand)]
    Node(node::Command),
    /// Projects
    #[command(subcommand)]
    Project(people::ProjectCommand),
    /// Subgroups of projects
    #[command(subcommand)]
    Group(people::GroupCommand),
    /// Users, and their tokens for the REST interface
    #[command(subcommand)]
    User(people::UserCommand),
    /// Site variables: what happens at swapout
    #[command(subcommand)]
    Sitevar(sitevar::Command),
    /// Swaps, going on and over
    #[command(subcommand)]
    Swap(swap::Command),
    /// Make dnsmasq's configuration for the nodes' network
    Dhcp(dhcp::Dhcp),
    /// Look whether this site is fit to save disks, and say what to do about what isn't
    Doctor,
}

/// What every command works with.
#[derive(Clone, Debug)]
pub struct Context {
    /// The site's configuration.
    pub config: Config,
    /// The data base.
    pub db: Database,
    /// Where files are.
    pub layout: Layout,
    /// Whether programs read what is printed.
    pub json: bool,
    /// In whose name, if that was said.
    pub actor: Option<Login>,
}

impl Context {
    /// Prints a result: `value` for programs, or what `text` writes for people.
    ///
    /// # Errors
    /// If nobody takes it.
    pub fn print(
        &self,
        value: &Value,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{value:#}")?;
        } else {
            text(&mut out)?;
        }
        out.flush()
    }

    /// The same for what can be made a value.
    fn show(
        &self,
        shown: &impl Serialize,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<()> {
        Ok(self.print(&serde_json::to_value(shown)?, text)?)
    }

    /// Says that something was done.
    fn done(&self, text: &str) -> Result<()> {
        let value = serde_json::json!({ "done": text });
        Ok(self.print(&value, |out| writeln!(out, "{text}"))?)
    }

    /// What swaps are asked of. The server, which is another process, finds them in the data base.
    fn boss(&self) -> Boss {
        Boss::with(self.config.clone(), self.db.clone())
    }

    /// Who wants this.
    async fn actor(&self) -> Result<Actor> {
        Actor::of_process(&self.db, self.actor.as_ref()).await
    }

    /// The same where nobody's name is noted.
    async fn unnamed(&self) -> Result<Actor> {
        Actor::unnamed(&self.db, self.actor.as_ref()).await
    }

    /// Only goes on for administrators.
    async fn needs_admin(&self) -> Result<()> {
        self.unnamed().await?.needs_admin()
    }
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    // Its own exit status for what makes no sense is 2, too.
    let cli = Cli::parse();
    let done = log::start(&cli).map_err(Error::from).and_then(|()| {
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(run(cli))
    });
    match done {
        Ok(code) => code,
        Err(error) => {
            // Who doesn't read that has the exit status.
            let _ = writeln!(io::stderr(), "boss: {error}");
            ExitCode::from(error.kind.exit_code())
        }
    }
}

async fn run(cli: Cli) -> Result<ExitCode> {
    let config = Config::read(&cli.config)?;
    match cli.command {
        Command::Serve(_) => return serve::run(config).await.map(|()| ExitCode::SUCCESS),
        // Also without a data base.
        Command::Doctor => return doctor::run(&config, cli.json).await,
        _ => {}
    }
    let db = Database::open(&config.database).await?;
    let layout = Layout::new(&config);
    let context = Context { config, db, layout, json: cli.json, actor: cli.actor };
    let done = match cli.command {
        Command::Exp(command) => exp::run(&context, command).await,
        Command::Image(image::Command::Create(create)) => capture::run(&context, create).await,
        other => others(&context, other).await.map(|()| ExitCode::SUCCESS),
    };
    context.db.close().await;
    done
}

/// What ends well, or with an error.
async fn others(context: &Context, command: Command) -> Result<()> {
    match command {
        Command::Image(command) => {
            // What it changes is the operator's, but for images that are somebody's to remove.
            let asks_itself = matches!(
                command,
                image::Command::List | image::Command::Verify { .. } | image::Command::Rm { .. }
            );
            if !asks_itself {
                context.needs_admin().await?;
            }
            image::run(context, command).await
        }
        Command::Node(command) => node::run(context, command).await,
        Command::Project(command) => people::project(context, command).await,
        Command::Group(command) => people::group(context, command).await,
        Command::User(command) => people::user(context, command).await,
        Command::Sitevar(command) => sitevar::run(context, command).await,
        Command::Swap(command) => swap::run(context, command).await,
        Command::Dhcp(options) => dhcp::run(context, &options).await,
        Command::Serve(_) | Command::Doctor | Command::Exp(_) => Ok(()),
    }
}

/// Two words with = between them.
fn pair<K, V>(text: &str) -> std::result::Result<(K, V), String>
where
    K: FromStr<Err: Display>,
    V: FromStr<Err: Display>,
{
    let (key, value) = text.split_once('=').ok_or("there is no = in it")?;
    let key = key.parse().map_err(|error: K::Err| error.to_string())?;
    Ok((key, value.parse().map_err(|error: V::Err| error.to_string())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn no_two_options_are_the_same() {
        Cli::command().debug_assert();
    }
}
