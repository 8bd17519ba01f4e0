//! What happens, in order.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use xtask::experiment::{Experiment, LoadProof, PID, Proof, SERIAL, VNAME};
use xtask::mfs::Image;
use xtask::node_disk::{NodeDisk, SECTOR, Sizes, work_as_user};
use xtask::qemu::hardware::Disk;
use xtask::qemu::{Access, Drive};
use xtask::testbed::{NodeSpec, Testbed};

use super::node::{self, Said};
use super::{proof, step};

/// The serial number of the other node's disk.
const OTHER_SERIAL: &str = "SWAPMFS-DISK-2";
/// The experiment.
const EXPERIMENT: &str = "testbed/trial";

/// A testbed with node pc1, and the disk of pc2.
pub(super) struct Story {
    testbed: Testbed,
    experiment: Experiment,
}

/// What was seen.
pub(super) struct Told {
    pub(super) capture: Job,
    pub(super) load: Job,
    pub(super) save: Job,
    pub(super) swapin: Job,
    pub(super) saved: Proof,
    pub(super) loaded: LoadProof,
    /// What the other node's own init says, and the file that it has read.
    pub(super) answer: String,
    pub(super) file: String,
    pub(super) disk_bytes: u64,
    pub(super) other_bytes: u64,
}

/// A job of a node: what it said of the result, and how long boss' command took.
pub(super) struct Job {
    pub(super) said: Said,
    pub(super) took: Duration,
}

impl Story {
    /// Starts boss and what it needs, and makes the disk of the first node.
    pub(super) fn begin(
        directory: &Path,
        boss: &Path,
        image: &Image,
        database: Option<&str>,
        sizes: Sizes,
    ) -> Result<Self> {
        step("starting a testbed: a control network, boss, DHCP as boss configures it, NFS");
        let more = "[limits]\nshutdown = 60\n";
        let mut testbed = Testbed::start(directory, boss, image, database, more)?;
        let directory = testbed.directory().to_owned();
        let scratch = directory.join("scratch");
        fs::create_dir_all(&scratch)?;

        step("making the disk of node pc1, a machine that somebody has installed");
        let path = directory.join("node.img");
        let disk = NodeDisk::make_bootable(&path, &scratch, sizes, &[], VNAME)?;
        let drive = Drive { path, serial: SERIAL.to_owned(), access: Access::ReadWrite };
        testbed.add_node(&NodeSpec {
            node_id: "pc1",
            number: 11,
            disk: Disk::from(drive),
            disk_name: "vda",
            serial: SERIAL.to_owned(),
            bytes: disk.sectors * SECTOR,
        })?;
        let images = testbed.proj().join(PID).join("images");
        let base_image = images.join("BASE.ndz");
        let base_signature = images.join("sigs/BASE.ndz.sig");
        let experiment = Experiment { directory, disk, base_image, base_signature };
        Ok(Self { testbed, experiment })
    }

    /// Tells it.
    pub(super) fn tell(mut self) -> Result<Told> {
        step("an image of that machine");
        self.boss(&["exp", "create", "testbed/golden", "--node", "master"])?;
        self.boss(&["exp", "swapin", "testbed/golden", "--on", "master=pc1"])?;
        node::wait_for_answer(&self.testbed, "pc1")?;
        let capture = self.job(
            "pc1",
            "captured",
            &["image", "create", "testbed/BASE", "--node", "pc1", "--boot-partition", "2"],
        )?;
        node::wait_for_answer(&self.testbed, "pc1")?;
        self.boss(&["exp", "swapout", "testbed/golden"])?;

        step("an experiment gets node pc1, loaded with the image");
        self.boss(&["sitevar", "set", "swap/swapout_command", "/usr/local/bin/create-swapimage"])?;
        let node = format!("{VNAME}=testbed/BASE");
        self.boss(&["exp", "create", EXPERIMENT, "--node", &node, "--savedisk"])?;
        let on = format!("{VNAME}=pc1");
        let load = self.job("pc1", "loaded", &["exp", "swapin", EXPERIMENT, "--on", &on])?;
        node::wait_for_answer(&self.testbed, "pc1")?;

        step("its user works; then the experiment is swapped out");
        node::wait_until_off(&self.testbed, "pc1")?;
        work_as_user(&self.experiment.disk, &self.experiment.directory.join("scratch"))?;
        let save = self.job("pc1", "saved", &["exp", "swapout", EXPERIMENT])?;
        self.boss(&["exp", "show", EXPERIMENT])?;

        step("proving the files that it left: the host loads them onto a disk, and compares");
        let saved = self.experiment.prove()?;

        step("making the disk of node pc2: SATA, larger, and full of another user's data");
        let other = self.experiment.other_disk()?;
        let drive = self.experiment.other_drive(&other);
        self.testbed.add_node(&NodeSpec {
            node_id: "pc2",
            number: 12,
            disk: drive,
            disk_name: "sda",
            serial: OTHER_SERIAL.to_owned(),
            bytes: other.sectors * SECTOR,
        })?;
        ensure!(
            proof::nothing_is_left(&self.experiment.disk, &other).is_err(),
            "nothing of another user's is on the disk"
        );

        step("the experiment is swapped in on pc2, which boots from its own disk afterwards");
        let on = format!("{VNAME}=pc2");
        let swapin = self.job("pc2", "loaded", &["exp", "swapin", EXPERIMENT, "--on", &on])?;
        let answer = node::wait_for_answer(&self.testbed, "pc2")?;
        node::wait_until_off(&self.testbed, "pc2")?;
        let file = self.experiment.prove_answer(&answer)?;
        let loaded = self.experiment.prove_loaded(&other)?;
        proof::nothing_is_left(&self.experiment.disk, &other)?;

        let (disk_bytes, other_bytes) =
            (self.experiment.disk.sectors * SECTOR, other.sectors * SECTOR);
        Ok(Told {
            capture,
            load,
            save,
            swapin,
            saved,
            loaded,
            answer,
            file,
            disk_bytes,
            other_bytes,
        })
    }

    /// A command of boss that has a node do something; what the node said of the result.
    fn job(&self, node_id: &str, word: &str, arguments: &[&str]) -> Result<Job> {
        let start = Instant::now();
        let before = node::lines(&self.testbed, node_id)?.len();
        self.boss(arguments)?;
        let said = Said::after(&self.testbed, node_id, before, word)?;
        Ok(Job { said, took: start.elapsed() })
    }

    fn boss(&self, arguments: &[&str]) -> Result<()> {
        let answer = self.testbed.boss_shown(arguments)?;
        let log = self.testbed.directory().join("boss.log");
        ensure!(answer.code == Some(0), "that failed ({:?}); see {}", answer.code, log.display());
        Ok(())
    }
}
