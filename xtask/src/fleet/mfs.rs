//! A node that is on: it boots, and plays the memory file system with the agent's own tmcd client.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use mfs_agent::cmdline::Credentials;
use mfs_agent::failure::Failure;
use mfs_agent::tmcd::startup::Startup;
use mfs_agent::tmcd::status::Status;
use mfs_agent::tmcd::{Client, Key, State};

use super::behaviour::Behaviour;
use super::job;
use super::life::{Life, Stop};
use super::node::SimNode;
use super::record::Did;
use super::script::{Script, Words, fetch};
use super::wire;

/// How long a node waits for boss' answers, whatever its pace.
const PATIENCE: Duration = Duration::from_secs(30);
/// The exit status of an agent that boss gives no answers.
const NO_BOSS: u8 = 38;

/// All of a life.
pub(super) fn live(node: &Arc<SimNode>, life: &Arc<Life>) {
    match boot(node, life) {
        // What it says after that doesn't count.
        Ok(()) | Err(Stop::Off) => {}
        Err(Stop::Fault(error)) => node.note(Did::Fault(format!("{error:#}"))),
    }
    life.work(false);
}

fn boot(node: &Arc<SimNode>, life: &Arc<Life>) -> Result<(), Stop> {
    let pace = node.around.pace;
    life.pause(pace.boot)?;
    let restarted = node.interrupted.load(Ordering::Relaxed) > 0;
    let boots = match node.behaviour() {
        Behaviour::NeverBoots => false,
        Behaviour::DiesSaving { returns: false } => !restarted,
        _ => true,
    };
    if !boots {
        node.note(Did::Silent);
        return Ok(());
    }
    loop {
        let start = Instant::now();
        let script = fetch(node.address(), node.around.http, node.mac(), PATIENCE);
        life.go_on()?;
        node.around.samples.note("boot script", start.elapsed(), script.is_ok());
        match script {
            Ok(Script::Wait) => node.note(Did::ToldToWait),
            Ok(Script::Disk) => {
                life.run_own_system();
                node.note(Did::BootsDisk);
                return Ok(());
            }
            Ok(Script::Mfs(words)) => {
                node.note(Did::BootsMfs);
                life.pause(pace.boot)?;
                return Mfs::new(node, life, words)?.run();
            }
            // Boss may be away for a while.
            Err(error) => node.note(Did::Fault(format!("boot script: {error:#}"))),
        }
        life.pause(pace.again)?;
    }
}

/// A node in the MFS.
pub(super) struct Mfs<'a> {
    pub(super) node: &'a Arc<SimNode>,
    pub(super) life: &'a Arc<Life>,
    pub(super) words: Words,
    client: Client,
    tmcd: SocketAddr,
}

/// How a job ended, for boss.
pub(super) enum End {
    Code(u8),
    /// Not an exit status at all.
    Garbage(&'static str),
    /// It says nothing.
    Nothing,
}

impl<'a> Mfs<'a> {
    fn new(node: &'a Arc<SimNode>, life: &'a Arc<Life>, words: Words) -> Result<Self> {
        let boss = words.need("mfs.boss")?;
        let (host, port) = boss.split_once(':').context("mfs.boss= has no port")?;
        let (host, port): (Ipv4Addr, u16) = (host.parse()?, port.parse()?);
        let key = Key::new(words.need("mfs.key")?).map_err(|fault| anyhow!("mfs.key= {fault}"))?;
        let client = Client::new(&[host], Some(port)).map_err(|failure| failed(&failure))?;
        let client = client.with_source(node.address()).with_key(Some(key));
        let tmcd = SocketAddr::new(IpAddr::V4(host), port);
        Ok(Self { node, life, words, client, tmcd })
    }

    fn run(&self) -> Result<(), Stop> {
        let owner = match self.introduce() {
            Ok(owner) => owner,
            Err(Stop::Off) => return Err(Stop::Off),
            Err(Stop::Fault(error)) => {
                self.node.note(Did::Fault(format!("{error:#}")));
                return self.report(NO_BOSS);
            }
        };
        if self.node.behaviour() == Behaviour::HangsInMfs {
            self.node.note(Did::Silent);
            return Ok(());
        }
        let (job, save) = self.job()?;
        if self.node.behaviour() == Behaviour::Forges {
            self.forge("0", None)?;
        }
        self.life.work(true);
        let end = job::run(self, &job, &save, &owner)?;
        match end {
            End::Code(code) => self.report(code),
            End::Garbage(text) => self.forge(text, Some(self.words.need("mfs.key")?)),
            End::Nothing => {
                self.node.note(Did::Silent);
                Ok(())
            }
        }
    }

    /// Until boss knows that it is up; in whose name it writes.
    fn introduce(&self) -> Result<Credentials, Stop> {
        let boss = self.client.boss(PATIENCE, &|| {});
        let status = self.ask("status", || boss.status())?;
        let Status::Allocated(is) = status else { return Err(anyhow!("boss: {status:?}").into()) };
        for (word, name) in [("mfs.pid", is.pid), ("mfs.eid", is.eid), ("mfs.vname", is.vname)] {
            let said = self.words.need(word)?;
            ensure_same(said, name.as_str())?;
        }
        let node_id = self.ask("nodeid", || boss.node_id())?;
        ensure_same(node_id.as_str(), self.node.node_id().as_str())?;
        self.ask("state", || boss.state(State::MfsSetup))?;
        self.node.note(Did::Setup);
        let users = self.ask("creator", || boss.creator())?;
        let account = self.ask("accounts", || boss.account(users.acting()))?;
        self.ask("state", || boss.state(State::IsUp))?;
        self.node.note(Did::Up);
        Ok(account.credentials)
    }

    /// What to do: `mfs.job=` and `mfs.save=`, else boss' startup command.
    fn job(&self) -> Result<(String, String), Stop> {
        let save = self.words.get("mfs.save").unwrap_or("delta").to_owned();
        if let Some(job) = self.words.get("mfs.job") {
            return Ok((job.to_owned(), save));
        }
        let boss = self.client.boss(PATIENCE, &|| {});
        let command = self.ask("startupcmd", || boss.startup_command())?;
        let command = command.context("boss has no command for it")?;
        Ok(match command.meaning() {
            Startup::CreateSwapimage { full, statistics } => {
                let save = match (full, statistics) {
                    (_, true) => "statistics",
                    (true, false) => "full",
                    (false, false) => "delta",
                };
                ("swapout".to_owned(), save.to_owned())
            }
            Startup::Unknown(_) => ("unknown".to_owned(), save),
        })
    }

    fn report(&self, code: u8) -> Result<(), Stop> {
        let boss = self.client.boss(PATIENCE, &|| {});
        self.life.work(false);
        self.ask("startstatus", || boss.start_status(code))?;
        self.node.note(Did::Startstatus(code.to_string()));
        Ok(())
    }

    /// `startstatus` in words that the agent would not use, with a key or without.
    pub(super) fn forge(&self, text: &str, key: Option<&str>) -> Result<(), Stop> {
        self.life.go_on()?;
        post(self.node, self.tmcd, text, key)?;
        Ok(())
    }

    /// What it would have said before it started again, and that is still under way.
    pub(super) fn leave_word(&self) -> Result<impl FnOnce() -> Result<()> + Send + 'static> {
        let (node, tmcd) = (Arc::clone(self.node), self.tmcd);
        let key = self.words.need("mfs.key")?.to_owned();
        Ok(move || post(&node, tmcd, "0", Some(&key)))
    }

    fn ask<T>(
        &self,
        command: &'static str,
        ask: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Stop> {
        self.life.go_on()?;
        let start = Instant::now();
        let answer = ask();
        self.node.around.samples.note(command, start.elapsed(), answer.is_ok());
        self.life.go_on()?;
        answer.map_err(|failure| failed(&failure).into())
    }
}

fn post(node: &SimNode, tmcd: SocketAddr, text: &str, key: Option<&str>) -> Result<()> {
    let idkey = key.map(|key| format!("IDKEY={key} ")).unwrap_or_default();
    let request = format!("{idkey}VERSION=25 startstatus {text} ");
    wire::raw_tmcd(node.address(), tmcd, &request, PATIENCE)?;
    node.note(match key {
        Some(_) => Did::Startstatus(text.to_owned()),
        None => Did::Forged(text.to_owned()),
    });
    Ok(())
}

fn failed(failure: &Failure) -> anyhow::Error {
    anyhow!("{}", failure.message)
}

fn ensure_same(said: &str, known: &str) -> Result<()> {
    ensure!(said == known, "the script says {said}, and tmcd {known}");
    Ok(())
}
