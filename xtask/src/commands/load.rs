//! `cargo xtask load`: how much one boss can watch, with simulated nodes of which some misbehave.

mod check;
mod measure;
mod report;
mod round;

use std::fs;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use boss::config::Config;
use boss::server::{Boss, Server};
use clap::{Args, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use xtask::fleet::{Behaviour, Fleet, Limits, Pace, Plan, Site};
use xtask::postgres::Postgres;
use xtask::process::{Tied, tied_command};
use xtask::{command, paths};

/// How long a driver may take in this run; the contract's 70 seconds would only be waited for.
const DRIVER_LIMIT: Duration = Duration::from_secs(5);
/// How long boss may take to start.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Runs simulated nodes through a swapout and a swapin against one boss, and reports what that costs.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// How many nodes.
    #[arg(long, default_value_t = 1000)]
    nodes: usize,
    /// How many of them misbehave in the swapout; a tenth, if it isn't said.
    #[arg(long)]
    misbehaving: Option<usize>,
    /// How many nodes an experiment has.
    #[arg(long, default_value_t = 10)]
    per_experiment: usize,
    /// How many nodes may be at work with the file server at once.
    #[arg(long, default_value_t = 200)]
    at_once: u32,
    /// Where boss keeps what it knows.
    #[arg(long, value_enum, default_value_t = Kind::Sqlite)]
    database: Kind,
    /// Prints the report as JSON.
    #[arg(long)]
    json: bool,
    /// Is the boss of such a run, by this configuration.
    #[arg(long, hide = true)]
    serve: Option<PathBuf>,
    /// Is the program that was built for it.
    #[arg(long, hide = true)]
    built: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Sqlite,
    Postgres,
}

impl Load {
    pub(crate) fn run(self) -> Result<()> {
        if let Some(config) = &self.serve {
            return serve(config);
        }
        if !self.built {
            return build();
        }
        raise_limit()?;
        let misbehaving = self.misbehaving.unwrap_or(self.nodes / 10);
        ensure!(misbehaving <= self.nodes && self.nodes > 0, "no such number of nodes");
        let target = paths::target().join("load");
        let scratch = tempfile::Builder::new().prefix("site-").tempdir_in(&target)?;
        let postgres = match self.database {
            Kind::Sqlite => None,
            Kind::Postgres => Some(Postgres::start()?),
        };
        let database = postgres.as_ref().map(|server| server.create("boss")).transpose()?;
        let limits = Limits { nodes: self.at_once, boot: 20, idle: 20, ..Limits::default() };
        let site = Site::new(scratch.path(), database.as_deref(), limits)?;
        let runtime = tokio::runtime::Runtime::new()?;
        let report = runtime.block_on(async {
            let boss = Boss::new(site.config().clone()).await?;
            let pace = Pace {
                boot: Duration::from_millis(500),
                beat: Duration::from_secs(1),
                ..Pace::default()
            };
            let plan =
                Plan { nodes: self.nodes, per_experiment: self.per_experiment, network: 70, pace };
            let fleet = Fleet::new(&plan, site.config())?;
            eprintln!("{} nodes: data base, directories, files", self.nodes);
            fleet.populate(&boss.db, site.config()).await?;
            misbehave(&fleet, misbehaving);
            let server = start(site.path(), site.config())?;
            let stand = round::Stand {
                boss: &boss,
                fleet: &fleet,
                server: &server,
                postgres: postgres.as_ref(),
            };
            let swapout = round::swapout(&stand, limits).await?;
            for node in fleet.nodes() {
                node.behave(Behaviour::Good);
            }
            let swapin = round::swapin(&stand).await?;
            boss.db.close().await;
            let head = report::Head {
                nodes: self.nodes,
                misbehaving,
                experiments: fleet.experiments().len(),
                at_once: self.at_once,
                database: format!("{:?}", self.database).to_lowercase(),
                cpus: std::thread::available_parallelism().map_or(0, usize::from),
            };
            anyhow::Ok(report::Report { head, swapout, swapin })
        })?;
        let json = serde_json::to_string_pretty(&report)?;
        fs::write(target.join("report.json"), &json)?;
        if self.json {
            println!("{json}");
        } else {
            print!("{report}");
        }
        report.judge()
    }
}

/// Builds this program as it is measured, and becomes it.
fn build() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--locked", "--profile", "load", "--package", "xtask"]);
    command::run(build.current_dir(paths::workspace()))?;
    let mut run = Command::new(paths::target().join("load/xtask"));
    let error = run.args(std::env::args_os().skip(1)).arg("--built").exec();
    Err(error).with_context(|| format!("cannot run `{}`", command::line(&run)))
}

/// Is boss until it is killed.
fn serve(config: &Path) -> Result<()> {
    raise_limit()?;
    let config = Config::read(config)?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let mut boss = Boss::new(config).await?;
        boss.power = boss.power.clone().limit(DRIVER_LIMIT);
        let mut server = Server::start(boss).await?;
        Err(server.failed().await)
    })
}

/// Every node is a connection or two on either side.
fn raise_limit() -> Result<()> {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })?;
    Ok(())
}

/// Starts boss as a process of its own, so that it can be measured; waits until it answers.
fn start(path: &Path, config: &Config) -> Result<Tied> {
    let program = std::env::current_exe()?;
    let mut boss = tied_command(&program.to_string_lossy());
    boss.args(["load", "--serve"]).arg(path).stdin(Stdio::null());
    let mut boss = Tied::start(boss)?;
    let deadline = Instant::now() + START_LIMIT;
    while TcpStream::connect(config.listen.http).is_err() {
        if let Some(status) = boss.status()? {
            bail!("boss ended: {status}");
        }
        ensure!(Instant::now() < deadline, "boss does not answer");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(boss)
}

/// Deals out all kinds of bad behaviour, to nodes that are evenly spread.
fn misbehave(fleet: &Fleet, count: usize) {
    let nodes = fleet.nodes();
    for (number, behaviour) in Behaviour::BAD.into_iter().cycle().take(count).enumerate() {
        if let Some(node) = nodes.get((number * nodes.len() + nodes.len() / 2) / count) {
            node.behave(behaviour);
        }
    }
}
