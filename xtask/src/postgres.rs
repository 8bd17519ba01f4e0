//! A private `PostgreSQL` server of Debian's package, for tests and measurements.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::geteuid;
use tempfile::TempDir;

use crate::process::Tied;
use crate::{apt, command};

/// It refuses to run as root.
const USER: &str = "postgres";
/// How long it may take to start.
const LIMIT: Duration = Duration::from_mins(1);
/// How often it is asked whether it is there.
const LOOK: Duration = Duration::from_millis(50);

/// A server in a directory of its own, on a port of 127.0.0.1 and a socket, that trusts everybody
/// on this machine. All of it is gone when it is dropped.
#[derive(Debug)]
pub struct Postgres {
    server: Option<Tied>,
    programs: PathBuf,
    directory: TempDir,
    port: u16,
}

impl Postgres {
    /// Starts one; installs the package if it is missing.
    ///
    /// # Errors
    /// If it can't be installed, or doesn't answer within a minute.
    pub fn start() -> Result<Self> {
        apt::ensure(apt::POSTGRES)?;
        let programs = programs()?;
        let directory = tempfile::Builder::new().prefix("postgres").tempdir()?;
        let at = directory.path();
        if geteuid().is_root() {
            command::run(Command::new("chown").arg(USER).arg(at))?;
        }
        let mut initdb = as_user(programs.join("initdb"));
        initdb.args(["--auth=trust", "--encoding=UTF8", "--no-locale", "--username", USER]);
        command::stdout(initdb.arg("--pgdata").arg(at.join("data")))?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let log = File::create(at.join("log"))?;
        let mut server = Command::new("setpriv");
        // The signal has to be asked for by who the server will be: another user's is forgotten.
        server.args(["--pdeathsig", "KILL"]);
        user_arguments(&mut server);
        server
            .arg(programs.join("postgres"))
            .arg("-D")
            .arg(at.join("data"))
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-k"])
            .arg(at)
            // As many tests run at once as they like.
            .args(["-c", "max_connections=300"])
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let server = Tied::start(server)?;
        let mut postgres = Self { server: Some(server), programs, directory, port };
        postgres.wait()?;
        Ok(postgres)
    }

    fn wait(&mut self) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        let port = self.port.to_string();
        loop {
            let mut ready = Command::new(self.programs.join("pg_isready"));
            if command::succeeds(ready.args(["-q", "-h", "127.0.0.1", "-p", &port])) {
                return Ok(());
            }
            let ended = self.server.as_mut().map(Tied::status).transpose()?.flatten();
            if ended.is_some() || Instant::now() >= deadline {
                let log = fs::read_to_string(self.directory.path().join("log"));
                bail!("PostgreSQL did not start:\n{}", log.unwrap_or_default());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Where it is: its data base `postgres`, in which others can be made.
    pub fn url(&self) -> String {
        self.url_of(USER)
    }

    /// Where one of its data bases is.
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// The same by the server's socket, which is there in other networks of this machine, too.
    pub fn socket_url_of(&self, database: &str) -> String {
        let directory = self.directory.path().display();
        format!("postgres://{USER}@localhost:{}/{database}?host={directory}", self.port)
    }

    /// Makes a data base; where it is.
    ///
    /// # Errors
    /// If there is one of that name.
    pub fn create(&self, database: &str) -> Result<String> {
        self.sql(&format!("CREATE DATABASE {database}"))?;
        Ok(self.url_of(database))
    }

    /// What a statement gives, without decoration.
    ///
    /// # Errors
    /// If it fails.
    pub fn sql(&self, statement: &str) -> Result<String> {
        let mut psql = Command::new(self.programs.join("psql"));
        let text = command::stdout(psql.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-d",
            &self.url(),
            "-c",
            statement,
        ]))?;
        Ok(text.trim().to_owned())
    }

    /// The process whose children are all others.
    pub fn process(&self) -> u32 {
        self.server.as_ref().map(Tied::id).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its children end when it does, and would go on writing if it was only killed.
        let mut stop = as_user(self.programs.join("pg_ctl"));
        stop.args(["stop", "-m", "immediate", "-w", "-t", "20", "-D"]);
        command::succeeds(stop.arg(self.directory.path().join("data")));
        self.server = None;
    }
}

/// Where Debian has the programs of the newest version.
fn programs() -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").context("PostgreSQL's programs")?;
    let versions = versions.filter_map(|entry| entry.ok().map(|entry| entry.path().join("bin")));
    let mut good: Vec<_> = versions.filter(|bin| bin.join("initdb").is_file()).collect();
    good.sort_by_key(|bin| version(bin));
    good.pop().context("there is no initdb below /usr/lib/postgresql")
}

fn version(bin: &Path) -> u32 {
    let name = bin.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    name.parse().unwrap_or_default()
}

fn as_user(program: PathBuf) -> Command {
    let mut command = Command::new("setpriv");
    user_arguments(&mut command);
    command.arg(program).current_dir("/");
    command
}

/// Has `setpriv` become the user, if it is root.
fn user_arguments(setpriv: &mut Command) {
    if geteuid().is_root() {
        setpriv.args(["--reuid", USER, "--regid", USER, "--init-groups"]);
    }
    setpriv.arg("--");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_answers_and_is_gone() {
        let postgres = Postgres::start().unwrap();
        postgres.create("trial").unwrap();
        assert_eq!(postgres.sql("SHOW fsync").unwrap(), "on");
        let (id, directory) = (postgres.process(), postgres.directory.path().to_owned());
        assert!(Path::new(&format!("/proc/{id}")).exists());
        drop(postgres);
        assert!(!Path::new(&format!("/proc/{id}")).exists() && !directory.exists());
    }
}
