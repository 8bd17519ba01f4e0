//! A testbed with a boss: a control network, DHCP as boss configures it, a file server, and nodes
//! in QEMU that boss itself turns on and off. Needs root and the packages [`crate::apt::LAB`] and
//! [`crate::apt::BOSS`].
//!
//! Boss is the real program, and everything is asked of it by its command line. All processes are in
//! namespaces that end with the value, also those of nodes, which are nobody's children.

mod boss;
mod node;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

pub use boss::Answer;
pub use node::NodeSpec;

use self::boss::Room;
use crate::lab::{ADDRESS, BRIDGE, Configuration, Dnsmasq, Lab};
use crate::mfs::Image;
use crate::nfs::namespace::Namespace;
use crate::nfs::server::Server;
use crate::process::Tied;
use crate::qemu::EMULATED;

/// The login of the operator and user of the testbed.
pub const LOGIN: &str = "mike";
/// The number of that user, and of the project's group.
pub const UID: u32 = 20_001;
/// The ports of tmcd and HTTP.
const PORTS: [u16; 2] = [7777, 8080];
/// How long boss may take to answer after it was started.
const START: Duration = Duration::from_secs(30);

/// Builds boss; its program.
///
/// # Errors
/// If it can't be built.
pub fn build_boss() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--locked", "--package", "boss", "--bin", "boss"]);
    command.current_dir(crate::paths::workspace());
    ensure!(command.status()?.success(), "boss can't be built");
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(crate::paths::target, PathBuf::from);
    Ok(target.join("debug/boss"))
}

/// A running testbed.
#[derive(Debug)]
pub struct Testbed {
    directory: PathBuf,
    program: PathBuf,
    // What ends first is named first: boss, then the nodes with their room, then the network.
    server: Option<Tied>,
    dnsmasq: Option<Dnsmasq>,
    room: Room,
    // Kept running.
    _files: Server,
    lab: Lab,
}

impl Testbed {
    /// Starts boss, an executable, and all that it needs, in `directory`, which is emptied. `more` is
    /// added to boss' configuration, which may go on in any of its tables.
    ///
    /// # Errors
    /// Without root, or if something does not start.
    pub fn start(
        directory: &Path,
        program: &Path,
        image: &Image,
        database: Option<&str>,
        more: &str,
    ) -> Result<Self> {
        let _ = fs::remove_dir_all(directory);
        for part in ["proj", "groups", "boot", "lab", "nodes"] {
            fs::create_dir_all(directory.join(part))?;
        }
        let directory = &directory.canonicalize()?;
        let boot = directory.join("boot");
        for file in [
            &image.vmlinuz,
            &image.initramfs,
            Path::new("/usr/lib/ipxe/undionly.kpxe"),
            Path::new("/usr/lib/ipxe/snponly.efi"),
        ] {
            let name = file.file_name().context("a file has a name")?;
            fs::copy(file, boot.join(name)).with_context(|| file.display().to_string())?;
        }
        // One export with all, as a file server has it.
        let exported = directory.join("export");
        fs::create_dir_all(&exported)?;
        for name in ["proj", "groups"] {
            let inside = exported.join(name);
            fs::remove_dir_all(directory.join(name))?;
            fs::create_dir_all(&inside)?;
            symlink(&inside, directory.join(name))?;
        }

        let lab = Lab::new(&directory.join("lab"))?;
        let files = lab.namespace().inside(|| -> Result<Server> {
            let mut server = Server::new_at(ADDRESS, &exported, "/export")?;
            server.start()?;
            Ok(server)
        })??;
        let database = database.map_or_else(
            || format!("sqlite://{}", directory.join("boss.db").display()),
            str::to_owned,
        );
        let configuration = format!(
            "database = \"{database}\"\n\
             address = \"{ADDRESS}\"\n\
             [directories]\n\
             proj = \"{here}/export/proj\"\n\
             groups = \"{here}/export/groups\"\n\
             tools = \"{tools}\"\n\
             power = \"{power}\"\n\
             boot = \"{here}/boot\"\n\
             [nfs]\n\
             proj = \"/export/proj\"\n\
             groups = \"/export/groups\"\n\
             options = \"{options}\"\n\
             [listen]\n\
             tmcd = [\"{ADDRESS}:{tmcd}\"]\n\
             http = \"{ADDRESS}:{http}\"\n\
             [boot]\n\
             words = \"{EMULATED}\"\n\
             [dhcp]\n\
             interface = \"{BRIDGE}\"\n\
             netmask = \"255.255.255.0\"\n\
             {more}",
            here = directory.display(),
            tools = crate::paths::target().join("tools").display(),
            power = crate::paths::workspace().join("scripts/power").display(),
            options = files.mount_options(),
            tmcd = PORTS[0],
            http = PORTS[1],
        );
        fs::write(directory.join("boss.toml"), configuration)?;
        let room = Room::new(lab.namespace())?;
        let mut testbed = Self {
            directory: directory.clone(),
            program: program.to_owned(),
            server: None,
            dnsmasq: None,
            room,
            _files: files,
            lab,
        };
        testbed.found()?;
        testbed.start_boss()?;
        Ok(testbed)
    }

    /// The user and the project.
    fn found(&self) -> Result<()> {
        let (uid, pid) = (UID.to_string(), crate::experiment::PID);
        self.boss(&["user", "add", LOGIN, "--uid", &uid, "--admin"])?;
        self.boss(&["project", "add", pid, "--head", LOGIN, "--unix-gid", &uid])?;
        Ok(())
    }

    /// Starts boss, and waits until it answers.
    fn start_boss(&mut self) -> Result<()> {
        self.server = Some(self.room.serve(&self.program, &self.directory)?);
        let deadline = Instant::now() + START;
        loop {
            let connected = self.lab.namespace().inside(|| {
                std::net::TcpStream::connect_timeout(
                    &(ADDRESS, PORTS[1]).into(),
                    Duration::from_secs(1),
                )
            })?;
            if connected.is_ok() {
                return Ok(());
            }
            let log = || fs::read_to_string(self.directory.join("boss.log")).unwrap_or_default();
            if let Some(status) = self.server.as_mut().map(Tied::status).transpose()?.flatten() {
                bail!("boss ended ({status}):\n{}", log());
            }
            ensure!(Instant::now() < deadline, "boss does not answer:\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Adds a node: to boss, and as a machine that boss can turn on.
    ///
    /// # Errors
    /// If boss refuses it.
    pub fn add_node(&mut self, spec: &NodeSpec) -> Result<()> {
        spec.install(self, &self.lab)?;
        // Boss knows one more machine; so does DHCP.
        let text = self.boss(&["dhcp"])?.text;
        let configuration = Configuration::text(&text);
        self.dnsmasq = None;
        self.dnsmasq =
            Some(self.lab.dnsmasq(&format!("dnsmasq-{}", spec.node_id), &configuration)?);
        Ok(())
    }

    /// Runs a command of boss, and returns what it prints.
    ///
    /// # Errors
    /// If it fails.
    pub fn boss(&self, arguments: &[&str]) -> Result<Answer> {
        let answer = self.room.run(&self.program, &self.directory, arguments)?;
        ensure!(answer.code == Some(0), "boss {}: {answer}", arguments.join(" "));
        Ok(answer)
    }

    /// The same, whatever comes of it; what it prints is also shown as it comes.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn boss_shown(&self, arguments: &[&str]) -> Result<Answer> {
        println!("    $ boss {}", arguments.join(" "));
        self.room.show(&self.program, &self.directory, arguments)
    }

    /// The network that it is in.
    pub fn network(&self) -> &Namespace {
        self.lab.namespace()
    }

    /// Where boss' pages are, in its network.
    pub fn http(&self) -> SocketAddr {
        (ADDRESS, PORTS[1]).into()
    }

    /// Where all files of it are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The directory of projects.
    pub fn proj(&self) -> PathBuf {
        self.directory.join("export/proj")
    }

    /// What a node has said on its serial port since it was added.
    pub fn console(&self, node_id: &str) -> PathBuf {
        self.directory.join("nodes").join(format!("{node_id}.console"))
    }
}
