//! The command line of `boss`.

pub mod exp;
pub mod image;
mod log;
mod serve;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

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
    if let Command::Serve(_) = cli.command {
        return serve::run(config).await.map(|()| ExitCode::SUCCESS);
    }
    let db = Database::open(&config.database).await?;
    let layout = Layout::new(&config);
    let context = Context { config, db, layout, json: cli.json, actor: cli.actor };
    let done = match cli.command {
        Command::Serve(_) => Ok(ExitCode::SUCCESS),
        Command::Exp(command) => exp::run(&context, command).await,
        Command::Image(command) => {
            image::run(&context, command).await.map_err(Error::from).map(|()| ExitCode::SUCCESS)
        }
    };
    context.db.close().await;
    done
}
