//! What boss' data base must know of simulated nodes, and the files that they begin with.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use boss::config::Config;
use boss::db::Database;
use boss::db::experiments::{Experiment, ExperimentState, WantedNode};
use boss::db::images::{Image, ImageSignature};
use boss::db::nodes::{Disk, Node};
use boss::db::now;
use boss::db::people::{Project, User};
use boss::experiment::directories;
use boss::layout::Layout;
use boss::names::{ExperimentId, ImageId};
use boss::swapinfo::{Outcome, Purpose, Scope, Swapinfo};
use imagezip_core::digest::{HashType, Sha256};
use imagezip_core::signature::{HashBlockSize, Signature};

use super::node::PROJECT;
use super::power::DRIVER;
use super::{Fleet, SimNode};

/// Who has made all experiments.
pub const LOGIN: &str = "sim";
/// This user's number.
pub const UID: u32 = 60_401;
/// The number of the project's group.
pub const GID: u32 = 60_400;
/// The image that all nodes have.
const IMAGE: &str = "BASE";

impl Fleet {
    /// Fills an empty data base: all experiments are swapped in, ask for their disks to be saved, and
    /// have what they need for that; all nodes are on and run their own systems.
    ///
    /// # Errors
    /// If the data base or a file can't be written.
    pub async fn populate(&self, db: &Database, config: &Config) -> Result<()> {
        let layout = Layout::new(config);
        let image = people_and_image(db, &layout).await?;
        db.set_sitevar("swap/swapout_command", Some("/usr/local/bin/create-swapimage")).await?;
        for node in self.nodes() {
            add_node(db, node, &image).await?;
        }
        for id in self.experiments() {
            self.add_experiment(db, &layout, &id, &image).await?;
        }
        for node in self.nodes() {
            node.turn_on_from_disk();
        }
        Ok(())
    }

    async fn add_experiment(
        &self,
        db: &Database,
        layout: &Layout,
        id: &ExperimentId,
        image: &Image,
    ) -> Result<()> {
        let login: boss::names::Login = LOGIN.parse()?;
        let experiment = Experiment {
            pid: id.pid.clone(),
            eid: id.eid.clone(),
            gid: PROJECT.parse()?,
            creator: login.clone(),
            swapper: login,
            savedisk: true,
            firewalled: false,
            state: ExperimentState::Active,
            created_at: now(),
        };
        let nodes = self.nodes_of(id);
        let latest = ImageId { version: None, ..image.id() };
        let want = |node: &&std::sync::Arc<SimNode>| WantedNode {
            vname: node.vname().clone(),
            erole: "node".to_owned(),
            image: Some(latest.clone()),
        };
        let wanted: Vec<_> = nodes.iter().map(want).collect();
        db.add_experiment(&experiment, &wanted).await?;
        for node in nodes {
            let reserved = db.reserve(node.node_id(), id, node.vname(), "node").await?;
            ensure!(reserved, "{} could not be reserved", node.node_id());
        }
        directories::make_experiment(db, layout, &experiment).await?;
        collect(db, layout, &experiment).await
    }
}

/// What nodes need to save their disks.
async fn collect(db: &Database, layout: &Layout, experiment: &Experiment) -> Result<()> {
    let swapinfo = Swapinfo::new(db, layout);
    for vnode in swapinfo.collect(experiment, Scope::All, Purpose::Save).await? {
        let Outcome::Collected(_) = vnode.outcome else {
            anyhow::bail!("{}: {:?}", vnode.vname, vnode.outcome);
        };
    }
    Ok(())
}

async fn people_and_image(db: &Database, layout: &Layout) -> Result<Image> {
    let (login, pid): (boss::names::Login, boss::names::Pid) = (LOGIN.parse()?, PROJECT.parse()?);
    let full_name = "Simulated".to_owned();
    let user = User { login: login.clone(), uid: UID, full_name, admin: true, studly: true };
    db.add_user(&user).await?;
    let head = login.clone();
    db.add_project(&Project { pid: pid.clone(), head, unix_gid: GID, file_server: None }).await?;
    directories::make_project(db, layout, &pid).await?;

    let place = layout.images(&pid, &PROJECT.parse()?);
    let file = place.join(format!("{IMAGE}.ndz"));
    let content = b"the simulated base image";
    fs::write(&file.here, content).context("the base image")?;
    let mut signature = Vec::new();
    Signature::new(HashType::Sha1, HashBlockSize::DEFAULT)
        .write(&mut signature)
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let signature_file = place.join("sigs").join(format!("{IMAGE}.ndz.sig"));
    fs::write(&signature_file.here, &signature).context("its signature")?;

    let image = Image {
        pid,
        name: IMAGE.parse()?,
        version: 0,
        path: file.node.display().to_string(),
        load_partition: 0,
        load_length: 1,
        boot_partition: 2,
        bytes: u64::try_from(content.len())?,
        sha256: Sha256::of(content).to_string(),
        creator: login,
        created_at: now(),
        global: true,
        stale: false,
    };
    db.add_image(&image).await?;
    let row = ImageSignature {
        path: signature_file.node.display().to_string(),
        bytes: u64::try_from(signature.len())?,
        sha256: Sha256::of(&signature).to_string(),
        image_sha256: image.sha256.clone(),
        created_at: now(),
    };
    db.set_image_signature(&image, &row).await?;
    Ok(image)
}

async fn add_node(db: &Database, node: &SimNode, image: &Image) -> Result<()> {
    let row = Node {
        node_id: node.node_id().clone(),
        mac: node.mac().to_string(),
        control_ip: node.address(),
        power_driver: DRIVER.to_owned(),
        power_settings: BTreeMap::from([("PORT".to_owned(), node.power_port().to_string())]),
        event_state: String::new(),
        event_at: 0,
        out_of_service: None,
    };
    db.add_node(&row).await?;
    let disk = Disk {
        name: "sda".to_owned(),
        boots: true,
        bytes: Some(8 << 30),
        sector_size: Some(512),
        serial: Some(format!("SIM-{}", node.node_id())),
        ..Disk::default()
    };
    db.set_disk(node.node_id(), &disk).await?;
    db.set_loaded(node.node_id(), image).await?;
    Ok(())
}
