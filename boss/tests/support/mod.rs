//! A site in a scratch directory, and data bases to try everything with.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use boss::config::Config;
use boss::db::Database;
use boss::db::experiments::{Experiment, ExperimentState, WantedNode};
use boss::db::images::Image;
use boss::db::nodes::{Disk, Node};
use boss::db::people::{Project, User};
use boss::experiment::directories;
use boss::image::{Description, Images};
use boss::layout::Layout;
use boss::names::{ImageId, Vname};
use boss::swapinfo::Swapinfo;
use imagezip_core::digest::Sha256;

pub const UID: u32 = 60_001;
pub const GID: u32 = 60_100;
pub const SUBGROUP_GID: u32 = 60_101;

/// Where a server of `PostgreSQL` is, whose data bases may be made and dropped.
const POSTGRES: &str = "BOSS_TEST_POSTGRES";
/// What the program is to do instead of tests: be this tool with these arguments, one a line.
const AS_TOOL: &str = "BOSS_TEST_AS_TOOL";

/// A site with a project that has a subgroup, and one user.
pub struct Site {
    pub scratch: tempfile::TempDir,
    pub db: Database,
    pub layout: Layout,
    pub images: Images,
    pub swapinfo: Swapinfo,
    pub config: Config,
}

/// The URLs of empty data bases: a file, and one of a server, if there is one.
async fn databases() -> Vec<(tempfile::TempDir, String)> {
    let scratch = tempfile::tempdir().unwrap();
    let file = format!("sqlite://{}/boss.db", scratch.path().display());
    let mut all = vec![(scratch, file)];
    if let Ok(server) = std::env::var(POSTGRES) {
        let name = format!("test_{}", boss::files::token());
        sqlx::any::install_default_drivers();
        let admin = sqlx::AnyPool::connect(&server).await.unwrap();
        sqlx::query(&format!("CREATE DATABASE {name}")).execute(&admin).await.unwrap();
        admin.close().await;
        let (start, _) = server.rsplit_once('/').unwrap();
        all.push((tempfile::tempdir().unwrap(), format!("{start}/{name}")));
    }
    all
}

/// Sites that differ in their data bases.
pub async fn sites() -> Vec<Site> {
    let mut sites = Vec::new();
    for (scratch, database) in databases().await {
        sites.push(Site::new(scratch, &database).await);
    }
    sites
}

impl Site {
    async fn new(scratch: tempfile::TempDir, database: &str) -> Self {
        let db = Database::open(database).await.unwrap();
        let root = scratch.path();
        fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["proj", "groups", "tools"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        tool(&root.join("tools"), "imagehash");
        tool(&root.join("tools"), "imagezip");
        tool(&root.join("tools"), "imagefs");
        let root = root.display();
        let config: Config = toml::from_str(&format!(
            "database = '{database}'\naddress = '10.0.0.1'\n[directories]\nproj = '{root}/proj'\n\
             groups = '{root}/groups'\ntools = '{root}/tools'"
        ))
        .unwrap();
        let layout = Layout::new(&config);
        let (login, pid) = ("mike".parse().unwrap(), "testbed".parse().unwrap());
        let full_name = String::new();
        db.add_user(&User { login, uid: UID, full_name, admin: false, studly: false })
            .await
            .unwrap();
        let head = "mike".parse().unwrap();
        db.add_project(&Project { pid, head, unix_gid: GID, file_server: None }).await.unwrap();
        let (pid, gid) = ("testbed".parse().unwrap(), "sub".parse().unwrap());
        db.add_subgroup(&pid, &gid, SUBGROUP_GID).await.unwrap();
        directories::make_project(&db, &layout, &pid).await.unwrap();
        directories::make_group(&db, &layout, &pid, &gid).await.unwrap();
        let images = Images::new(&config, &db);
        let swapinfo = Swapinfo::new(&db, &layout);
        Self { scratch, db, layout, images, swapinfo, config }
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.scratch.path().join(below)
    }

    /// Makes an image of a disk whose content depends on `seed`.
    pub fn image_file(&self, seed: u8) -> PathBuf {
        let (raw, image) = (self.path(&format!("disk{seed}")), self.path(&format!("{seed}.ndz")));
        let mut state = u32::from(seed) + 1;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24).to_le_bytes()[0]
        });
        fs::write(&raw, noise.take(300 * 1024).collect::<Vec<u8>>()).unwrap();
        let done = Command::new(self.path("tools/imagezip"))
            .args(["-r".as_ref(), raw.as_os_str(), image.as_os_str()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(done.success());
        image
    }

    /// Makes the next version of an image of partition 2.
    pub async fn import(&self, seed: u8, id: &str) -> Image {
        let (file, id) = (self.image_file(seed), id.parse().unwrap());
        let made = self.images.import(&file, &id, &describe()).await.unwrap();
        made.signature.unwrap();
        made.image
    }

    /// Adds an experiment with its directories, and nodes that were loaded with an image.
    pub async fn experiment(&self, gid: &str, image: &Image, vnames: &[&str]) -> Experiment {
        let experiment = Experiment {
            pid: "testbed".parse().unwrap(),
            eid: "trial".parse().unwrap(),
            gid: gid.parse().unwrap(),
            creator: "mike".parse().unwrap(),
            swapper: "mike".parse().unwrap(),
            savedisk: true,
            firewalled: false,
            state: ExperimentState::Active,
            created_at: 0,
        };
        let wanted = vnames.iter().map(|vname| WantedNode {
            vname: vname.parse().unwrap(),
            erole: "node".to_owned(),
            image: Some(ImageId { version: None, ..image.id() }),
        });
        self.db.add_experiment(&experiment, &wanted.collect::<Vec<_>>()).await.unwrap();
        directories::make_experiment(&self.db, &self.layout, &experiment).await.unwrap();
        for (number, vname) in vnames.iter().enumerate() {
            self.node(u8::try_from(number).unwrap() + 1, &experiment, vname, "node").await;
            let node_id = format!("pc{}", number + 1).parse().unwrap();
            self.db.set_loaded(&node_id, image).await.unwrap();
        }
        experiment
    }

    /// Adds a machine with a disk, and gives it to an experiment.
    pub async fn node(&self, number: u8, experiment: &Experiment, vname: &str, erole: &str) {
        let node_id: boss::names::NodeId = format!("pc{number}").parse().unwrap();
        let node = Node {
            node_id: node_id.clone(),
            mac: format!("52:54:00:00:00:{number:02x}"),
            control_ip: [10, 0, 1, number].into(),
            power_driver: String::new(),
            power_settings: std::collections::BTreeMap::default(),
            event_state: String::new(),
            event_at: 0,
            out_of_service: None,
        };
        self.db.add_node(&node).await.unwrap();
        let disk = Disk {
            name: "sda".to_owned(),
            boots: true,
            bytes: Some(1 << 30),
            serial: Some(format!("disk of {node_id}")),
            ..Disk::default()
        };
        self.db.set_disk(&node_id, &disk).await.unwrap();
        let vname: Vname = vname.parse().unwrap();
        assert!(self.db.reserve(&node_id, &experiment.id(), &vname, erole).await.unwrap());
    }
}

/// Leaves the `.meta` of a disk that node `vname` has saved with what is installed for it.
pub fn save(directory: &Path, vname: &str, image: &Image) {
    let base = Sha256::of(&fs::read(directory.join(format!("{vname}.sig"))).unwrap());
    let meta = format!(
        "PID=testbed EID=trial VNAME={vname} BASE=x BASESIGSHA256={base} BASESHA256={} DISK=sda \
         LOADPART=2 DISKSIZE=1 SECTORSIZE=512 IMAGESIZE=5 IMAGESHA256={base} CHUNKS=1 REGIONS=1 \
         INUSE=1 CHANGED=1 MAP1=1,8192,2048,aware(FAT32) MAP2=1/<b>,2,2,raw(x) AGENT=x CREATED=1",
        image.sha256
    );
    for (end, text) in [("meta", meta.as_str()), ("ndz", "delta"), ("sig", "state")] {
        fs::write(directory.join(format!("{vname}-swap.{end}")), text).unwrap();
    }
}

/// What is said of images here: partition 2.
pub fn describe() -> Description {
    Description {
        gid: "testbed".parse().unwrap(),
        creator: "mike".parse().unwrap(),
        load_partition: 2,
        load_length: 1,
        boot_partition: 2,
        global: false,
    }
}

/// Owner, group and mode of a file; of a link itself.
pub fn rights(path: &Path) -> (u32, u32, u32) {
    let data = fs::symlink_metadata(path).unwrap();
    (data.uid(), data.gid(), data.mode() & 0o7777)
}

/// Puts a script in `directory` that is the tool `name`, of this very program.
fn tool(directory: &Path, name: &str) {
    let program = std::env::current_exe().unwrap();
    let script = format!(
        "#!/bin/sh\n{AS_TOOL}=\"$(printf '%s\\n' {name} \"$@\")\" exec {} --exact \
         support::acts_as_tool --nocapture --test-threads=1\n",
        program.display()
    );
    write_script(&directory.join(name), &script);
}

/// Replaces a program.
pub fn write_script(path: &Path, text: &str) {
    let _ = fs::remove_file(path);
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn acts_as_tool() {
    let Ok(arguments) = std::env::var(AS_TOOL) else { return };
    let exit = imagezip_tools::commands::main(arguments.lines().map(Into::into));
    std::process::exit(i32::from(exit != std::process::ExitCode::SUCCESS));
}
