//! nfs-ganesha: an NFS server that knows users, permissions and squashing, in a namespace of its
//! own. Needs root and the packages [`crate::apt::GANESHA`].

use super::namespace::Namespace;
use crate::command;
use crate::process::Tied;
use anyhow::{Context, Result, bail};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// The ports inside the namespace.
const NFS_PORT: u16 = 2049;
const MOUNT_PORT: u16 = 20048;

/// Where in the directory of its files the server keeps what it knows of clients of NFSv4.
pub const RECOVERY: &str = "ganesha-recovery";

/// How long after a start clients of NFSv4 may claim what they had open.
const SECONDS_OF_GRACE: u32 = 5;

const START: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(20);
/// What ganesha logs when it serves.
const READY: &str = "NFS SERVER INITIALIZED";

/// Whom the server takes a client's users for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Squash {
    /// Everybody as they are.
    None,
    /// The client's root becomes nobody.
    Root,
    /// Everybody becomes nobody.
    All,
}

impl Squash {
    fn name(self) -> &'static str {
        match self {
            Self::None => "No_Root_Squash",
            Self::Root => "Root_Squash",
            Self::All => "All_Squash",
        }
    }
}

/// The versions of NFS that a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// Version 3 alone, with the port mapper that it needs.
    V3,
    /// Versions 4.0, 4.1 and 4.2 alone, without a port mapper.
    V4,
    /// Versions 3 and 4.0, as an old server.
    Old,
    /// All of them.
    All,
}

impl Versions {
    fn protocols(self) -> &'static str {
        match self {
            Self::V3 => "3",
            Self::V4 => "4",
            Self::Old | Self::All => "3, 4",
        }
    }

    fn minor_versions(self) -> &'static str {
        if self == Self::Old { "0" } else { "0, 1, 2" }
    }
}

/// An exported directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The directory of this machine.
    pub directory: PathBuf,
    /// The path that clients mount, by whatever version.
    pub name: PathBuf,
}

impl Export {
    /// Exports `directory` as `name`.
    pub fn new(directory: impl Into<PathBuf>, name: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), name: name.into() }
    }
}

/// What a server does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// What it exports; no directory and no name lies in another.
    pub exports: Vec<Export>,
    /// Whom it takes its clients' users for.
    pub squash: Squash,
    /// What it speaks.
    pub versions: Versions,
}

/// A running server. Dropping it ends all its processes.
#[derive(Debug)]
pub struct Ganesha {
    // Dropped in this order: the server goes before what it is registered with.
    server: Tied,
    portmapper: Option<Tied>,
    namespace: Arc<Namespace>,
    setup: Setup,
    work: PathBuf,
    starts: u32,
}

impl Ganesha {
    /// Exports `directory` under its own path over NFSv3, in a network of its own. The
    /// configuration and the server's log go into `work`, which must exist. Permissions of the
    /// directory count as they are now: ganesha caches them.
    pub fn start(directory: &Path, squash: Squash, work: &Path) -> Result<Self> {
        let directory = directory
            .canonicalize()
            .with_context(|| format!("cannot export {}", directory.display()))?;
        let exports = vec![Export { name: directory.clone(), directory }];
        let setup = Setup { exports, squash, versions: Versions::V3 };
        Self::start_in(Arc::new(Namespace::new()?), setup, work)
    }

    /// As [`Ganesha::start`], with more to choose, in a network where others are, too. There can
    /// be one server in it.
    pub fn start_in(namespace: Arc<Namespace>, setup: Setup, work: &Path) -> Result<Self> {
        let recovery = work.join(RECOVERY);
        fs::create_dir_all(&recovery)?;
        let configuration = work.join("ganesha.conf");
        fs::write(&configuration, configure(&setup, &recovery)?)
            .with_context(|| format!("cannot write {}", configuration.display()))?;
        let portmapper = match setup.versions {
            Versions::V4 => None,
            Versions::V3 | Versions::Old | Versions::All => Some(start_portmapper(&namespace)?),
        };
        let server = start_server(&namespace, work, 1)?;
        let work = work.to_owned();
        Ok(Self { server, portmapper, namespace, setup, work, starts: 1 })
    }

    /// Ends the server as a crash would, and starts it again. Clients find their files, and what
    /// they had open over NFSv4 if they ask for it within the first seconds.
    pub fn restart(&mut self) -> Result<()> {
        self.server.kill()?;
        self.starts += 1;
        self.server = start_server(&self.namespace, &self.work, self.starts)?;
        Ok(())
    }

    /// Starts a port mapper beside a server that needs none, as there is one on most machines; it
    /// knows of no service of version 3.
    pub fn add_port_mapper(&mut self) -> Result<()> {
        if self.portmapper.is_none() {
            self.portmapper = Some(start_portmapper(&self.namespace)?);
        }
        Ok(())
    }

    /// Where guests that are to use the server must run; see `Machine::start_inside`.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The server's process id.
    pub fn process(&self) -> u32 {
        self.server.id()
    }

    /// What a client mounts, of the first export.
    pub fn export(&self) -> &Path {
        self.setup.exports.first().map_or(Path::new("/"), |export| &export.name)
    }

    /// The options that a Linux client's mount(2) needs besides `addr=`, with the oldest of the
    /// server's versions.
    pub fn mount_options(&self) -> String {
        match self.setup.versions {
            Versions::V4 => format!("vers=4.2,proto=tcp,port={NFS_PORT}"),
            Versions::V3 | Versions::Old | Versions::All => format!(
                "vers=3,proto=tcp,port={NFS_PORT},mountproto=tcp,mountport={MOUNT_PORT},nolock"
            ),
        }
    }
}

/// The whole configuration. What clients of NFSv4 had open they may claim for some seconds after a
/// start, and what they have open is theirs for as long without a word from them.
fn configure(setup: &Setup, recovery: &Path) -> Result<String> {
    let protocols = setup.versions.protocols();
    let mut text = format!(
        "NFS_CORE_PARAM {{\n\
         \x20   Protocols = {protocols};\n\
         \x20   NFS_Port = {NFS_PORT};\n\
         \x20   MNT_Port = {MOUNT_PORT};\n\
         \x20   Enable_NLM = false;\n\
         \x20   Enable_RQUOTA = false;\n\
         \x20   mount_path_pseudo = true;\n\
         }}\n\
         NFSv4 {{\n\
         \x20   Lease_Lifetime = {SECONDS_OF_GRACE};\n\
         \x20   Grace_Period = {SECONDS_OF_GRACE};\n\
         \x20   minor_versions = {minor_versions};\n\
         \x20   Only_Numeric_Owners = true;\n\
         \x20   RecoveryRoot = \"{recovery}\";\n\
         }}\n\
         LOG {{ Default_Log_Level = EVENT; }}\n",
        minor_versions = setup.versions.minor_versions(),
        recovery = recovery.display(),
    );
    for (number, export) in (1..).zip(&setup.exports) {
        write!(
            text,
            "EXPORT {{\n\
             \x20   Export_Id = {number};\n\
             \x20   Path = \"{path}\";\n\
             \x20   Pseudo = \"{name}\";\n\
             \x20   Protocols = {protocols};\n\
             \x20   Transports = TCP;\n\
             \x20   SecType = sys;\n\
             \x20   Access_Type = RW;\n\
             \x20   Squash = {squash};\n\
             \x20   FSAL {{ Name = VFS; }}\n\
             }}\n",
            path = export.directory.display(),
            name = export.name.display(),
            squash = setup.squash.name(),
        )?;
    }
    Ok(text)
}

/// Starts the server for the `count`th time, and waits until it serves.
fn start_server(namespace: &Namespace, work: &Path, count: u32) -> Result<Tied> {
    // A log for each start, as what it says at the end of it is waited for.
    let log =
        work.join(if count == 1 { "ganesha.log".into() } else { format!("ganesha-{count}.log") });
    let _ = fs::remove_file(&log);
    let mut command = namespace.command("ganesha.nfsd");
    command.arg("-F").arg("-f").arg(work.join("ganesha.conf")).arg("-L").arg(&log);
    command.arg("-p").arg(work.join("ganesha.pid"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut server = Tied::start(command)?;
    wait_until("nfs-ganesha", &mut server, || {
        fs::read_to_string(&log).is_ok_and(|text| text.contains(READY))
    })
    .with_context(|| format!("see {}", log.display()))?;
    Ok(server)
}

/// Ganesha registers NFSv3 with a portmapper and ends if there is none.
fn start_portmapper(namespace: &Namespace) -> Result<Tied> {
    let mut command = namespace.command("rpcbind");
    command.args(["-f", "-w"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut portmapper = Tied::start(command)?;
    wait_until("rpcbind", &mut portmapper, || {
        command::succeeds(namespace.command("rpcinfo").arg("-s"))
    })?;
    Ok(portmapper)
}

fn wait_until(name: &str, process: &mut Tied, mut ready: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + START;
    while !ready() {
        if let Some(status) = process.status()? {
            bail!("{name} ended at once: {status}");
        }
        if Instant::now() >= deadline {
            bail!("{name} was not ready within {} s", START.as_secs());
        }
        thread::sleep(LOOK);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_says_what_was_asked_for() {
        let setup = Setup {
            exports: vec![
                Export::new("/srv/proj", "/q/proj"),
                Export::new("/srv/groups", "/q/groups"),
            ],
            squash: Squash::Root,
            versions: Versions::All,
        };
        let text = configure(&setup, Path::new("/w/recovery")).unwrap();
        for part in [
            "Path = \"/srv/proj\";",
            "Pseudo = \"/q/groups\";",
            "Export_Id = 2;",
            "Squash = Root_Squash;",
            "Protocols = 3, 4;",
            "RecoveryRoot = \"/w/recovery\";",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
