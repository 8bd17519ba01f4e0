//! An experiment with one node: its disk, its base image, and its directory under `/proj`, as
//! they are when the experiment is swapped out.

mod other_node;
mod proof;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use boss::swapinfo;
use imagezip_core::allocation::{DiskMap, Options, Selection, scan};
use imagezip_core::partition::LogicalSectorSize;
use imagezip_core::swapinfo::Part;
use imagezip_tools::create::{create, sha256_of};
use imagezip_tools::host::FileDevice;

use crate::mfs::Image;
use crate::node_disk::{NodeDisk, Sizes, work_as_user};
use crate::qemu::{Access, Drive, GUEST_IP, HOST_ADDRESS, Machine};

pub use other_node::{BootProof, LoadProof, boot_own_disk, fit_table};
pub use proof::Proof;
pub use proof::compare_sectors;

/// Project, experiment and node of every [`Experiment`].
pub const PID: &str = "testbed";
/// The experiment's name.
pub const EID: &str = "trial";
/// The node's name in the experiment.
pub const VNAME: &str = "node-a";
/// The disk's serial number.
pub const SERIAL: &str = "SWAPMFS-DISK-1";

/// One experiment in a directory of its own.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// Everything is below this.
    pub directory: PathBuf,
    /// The node's disk.
    pub disk: NodeDisk,
    /// The image that was loaded on it at swapin.
    pub base_image: PathBuf,
    /// That image's signature.
    pub base_signature: PathBuf,
}

impl Experiment {
    /// Makes a node's disk, its base image and signature, lets a user work on the disk, and puts
    /// the node's swap information under `proj`. `mkfs_options` are for the root file system.
    ///
    /// # Errors
    /// If a tool fails.
    pub fn prepare(directory: &Path, sizes: Sizes, mkfs_options: &[&str]) -> Result<Self> {
        Self::with_disk(directory, |path, scratch| {
            NodeDisk::make(path, scratch, sizes, mkfs_options)
        })
    }

    /// As [`Experiment::prepare`], but the disk boots by itself, and its init is [`VNAME`]'s.
    ///
    /// # Errors
    /// If a tool fails, or kernel or boot loader can't be had.
    pub fn prepare_bootable(directory: &Path, sizes: Sizes) -> Result<Self> {
        Self::with_disk(directory, |path, scratch| {
            NodeDisk::make_bootable(path, scratch, sizes, &[], VNAME)
        })
    }

    fn with_disk(
        directory: &Path,
        make: impl FnOnce(&Path, &Path) -> Result<NodeDisk>,
    ) -> Result<Self> {
        let _ = fs::remove_dir_all(directory);
        let scratch = directory.join("scratch");
        fs::create_dir_all(&scratch)?;
        let disk = make(&directory.join("node.img"), &scratch)?;
        let experiment = Self {
            directory: directory.to_owned(),
            disk,
            base_image: directory.join("base.ndz"),
            base_signature: directory.join("base.ndz.sig"),
        };
        let (device, map) = experiment.scan(Selection::WholeDisk)?;
        create(&device, &map, None, &experiment.base_image, &experiment.base_signature)?;
        work_as_user(&experiment.disk, &scratch)?;
        fs::create_dir_all(experiment.swapinfo())?;
        experiment.install_base_image()?;
        experiment.install_part("DISK=vda LOADPART=0 BOOTPART=2")?;
        Ok(experiment)
    }

    /// The disk and what is in use on it.
    fn scan(&self, selection: Selection) -> Result<(FileDevice, DiskMap)> {
        let device = FileDevice::open(&self.disk.path)?;
        let options = Options::new(LogicalSectorSize::B512);
        let map = scan(&device, selection, options)?;
        Ok((device, map))
    }

    /// Gives the node its signature and this `.part`, as boss does at swapin; with the digest of the
    /// base image.
    ///
    /// # Errors
    /// If the words are not those of a `.part`, or a file can't be written.
    pub fn install_part(&self, words: &str) -> Result<()> {
        let mut part = Part::parse(words.as_bytes()).with_context(|| format!("{words:?}"))?;
        part.base_sha256 = Some(sha256_of(&self.base_image)?.0);
        swapinfo::install(&self.swapinfo(), VNAME, &self.base_signature, "testbed-BASE.sig", &part)
    }

    /// Gives the node its base image, as boss does at swapin.
    ///
    /// # Errors
    /// If a link can't be made.
    pub fn install_base_image(&self) -> Result<()> {
        let image = Path::new("testbed-BASE.ndz");
        let file = self.swapinfo().join(image);
        fs::hard_link(&self.base_image, &file)
            .with_context(|| format!("linking {}", file.display()))?;
        swapinfo::link_base_image(&self.swapinfo(), VNAME, image)
    }

    /// What is exported as `/proj`.
    pub fn proj(&self) -> PathBuf {
        self.directory.join("proj")
    }

    /// The experiment's `swapinfo` directory.
    pub fn swapinfo(&self) -> PathBuf {
        self.proj().join(PID).join("exp").join(EID).join("swapinfo")
    }

    /// A file of the node's, for example its `-swap.ndz`.
    pub fn node_file(&self, suffix: &str) -> PathBuf {
        self.swapinfo().join(format!("{VNAME}{suffix}"))
    }

    /// The node, about to boot the MFS and save its disk to the host's NFS server with these
    /// mount options. What it says goes to `console.log`.
    pub fn node(&self, image: &Image, export: &str, mount_options: &str) -> Machine {
        self.machine(image, export, mount_options).drive(self.drive(Access::ReadOnly))
    }

    /// As [`Experiment::node`], but without a disk.
    pub fn machine(&self, image: &Image, export: &str, mount_options: &str) -> Machine {
        self.machine_for("swapout", image, export, mount_options)
    }

    /// A node without a disk yet, about to boot the MFS and load its disk from the host's NFS
    /// server with these mount options. What it says goes to `console.log`.
    pub fn loading_machine(&self, image: &Image, export: &str, mount_options: &str) -> Machine {
        self.machine_for("swapin", image, export, mount_options)
    }

    fn machine_for(&self, job: &str, image: &Image, export: &str, mount_options: &str) -> Machine {
        let words = format!(
            "quiet mfs.job={job} mfs.pid={PID} mfs.eid={EID} mfs.vname={VNAME} \
             mfs.proj={HOST_ADDRESS}:{export} mfs.nfs={mount_options} \
             ip={GUEST_IP}::eth0:off mfs.then=poweroff"
        );
        let log = self.directory.join("console.log");
        Machine::new(&image.vmlinuz, &image.initramfs, &log).append(&words)
    }

    /// The node's disk, as a machine's.
    pub fn drive(&self, access: Access) -> Drive {
        Drive { path: self.disk.path.clone(), serial: SERIAL.to_owned(), access }
    }

    /// Loads base and delta onto a disk full of 0x5A and compares it with the node's disk.
    ///
    /// # Errors
    /// If anything that is in use on the node's disk is not on the other.
    pub fn prove(&self) -> Result<Proof> {
        let target = self.disk.at(&self.directory.join("restored.img"));
        proof::prove(self, &target)
    }
}
