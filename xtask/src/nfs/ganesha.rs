//! nfs-ganesha: an NFS server that knows users, permissions and squashing, in a namespace of its
//! own. Needs root and the packages [`crate::apt::GANESHA`].

use super::namespace::Namespace;
use crate::command;
use crate::process::Tied;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// The ports inside the namespace.
const NFS_PORT: u16 = 2049;
const MOUNT_PORT: u16 = 20048;

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

/// A running server. Dropping it ends all its processes.
#[derive(Debug)]
pub struct Ganesha {
    // Dropped in this order: the server goes before what it is registered with.
    server: Tied,
    _portmapper: Tied,
    namespace: Arc<Namespace>,
    export: PathBuf,
}

impl Ganesha {
    /// Exports `directory` over NFSv3. The configuration and the server's log go into `work`,
    /// which must exist. Permissions of the directory count as they are now: ganesha caches them.
    pub fn start(directory: &Path, squash: Squash, work: &Path) -> Result<Self> {
        Self::start_in(Arc::new(Namespace::new()?), directory, squash, work)
    }

    /// As [`Ganesha::start`], in a namespace that is there; it may hold one such server.
    pub fn start_in(
        namespace: Arc<Namespace>,
        directory: &Path,
        squash: Squash,
        work: &Path,
    ) -> Result<Self> {
        let export = directory
            .canonicalize()
            .with_context(|| format!("cannot export {}", directory.display()))?;
        let configuration = work.join("ganesha.conf");
        fs::write(&configuration, configure(&export, squash))
            .with_context(|| format!("cannot write {}", configuration.display()))?;
        let log = work.join("ganesha.log");
        let portmapper = start_portmapper(&namespace)?;

        let mut command = namespace.command("ganesha.nfsd");
        command.arg("-F").arg("-f").arg(&configuration).arg("-L").arg(&log);
        command.arg("-p").arg(work.join("ganesha.pid"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Tied::start(command)?;
        wait_until("nfs-ganesha", &mut server, || {
            fs::read_to_string(&log).is_ok_and(|text| text.contains(READY))
        })
        .with_context(|| format!("see {}", log.display()))?;
        Ok(Self { server, _portmapper: portmapper, namespace, export })
    }

    /// Where guests that are to use the server must run; see `Machine::start_inside`.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The server's process id.
    pub fn process(&self) -> u32 {
        self.server.id()
    }

    /// What a client mounts: over NFSv3 the directory's real path.
    pub fn export(&self) -> &Path {
        &self.export
    }

    /// The options that a Linux client's mount(2) needs besides `addr=`.
    pub fn mount_options(&self) -> String {
        format!("vers=3,proto=tcp,port={NFS_PORT},mountproto=tcp,mountport={MOUNT_PORT},nolock")
    }
}

fn configure(export: &Path, squash: Squash) -> String {
    format!(
        "NFS_CORE_PARAM {{\n\
         \x20   Protocols = 3;\n\
         \x20   NFS_Port = {NFS_PORT};\n\
         \x20   MNT_Port = {MOUNT_PORT};\n\
         \x20   Enable_NLM = false;\n\
         \x20   Enable_RQUOTA = false;\n\
         }}\n\
         EXPORT {{\n\
         \x20   Export_Id = 1;\n\
         \x20   Path = \"{path}\";\n\
         \x20   Pseudo = \"/proj\";\n\
         \x20   Protocols = 3;\n\
         \x20   Transports = TCP;\n\
         \x20   SecType = sys;\n\
         \x20   Access_Type = RW;\n\
         \x20   Squash = {squash};\n\
         \x20   FSAL {{ Name = VFS; }}\n\
         }}\n\
         LOG {{ Default_Log_Level = EVENT; }}\n",
        path = export.display(),
        squash = squash.name(),
    )
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
        let text = configure(Path::new("/srv/proj"), Squash::Root);
        assert!(text.contains("Path = \"/srv/proj\";") && text.contains("Squash = Root_Squash;"));
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
