//! The experiment goes on at another node: its disk was loaded, boots, and holds what the first
//! node's disk held.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use imagezip_core::partition::LogicalSectorSize;
use imagezip_core::partition::edit::fit_to_disk;
use imagezip_tools::host::FileDevice;

use super::proof::{compare_files, compare_sectors};
use super::{Experiment, VNAME};
use crate::command::{stdout, tool};
use crate::node_disk::loader::ANSWER;
use crate::node_disk::{NodeDisk, SECTOR, Slice, make_used};
use crate::qemu::hardware::{Bus, Disk};
use crate::qemu::{Access, Drive, Exit, Firmware, Machine};

/// How much larger the other node's disk is, in sectors: no whole number of anything.
const MORE_SECTORS: u64 = 37 * 2048 + 11;

/// The serial number of the other node's disk.
const OTHER_SERIAL: &str = "SWAPMFS-DISK-2";

/// How long a node may take to boot from its own disk, with an emulated CPU.
const BOOT_LIMIT: Duration = Duration::from_mins(3);

/// Where the length of the first entry is in an MBR: that of a protective one depends on the disk.
const MBR_LENGTH: std::ops::Range<usize> = 458..462;

/// What a disk was found to have in common with the one that was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadProof {
    /// Bytes in use on the saved disk that are equal: all but those that name the disk's size.
    pub bytes_compared: u64,
    /// Files, directories and links of the root file system, equal by digest.
    pub files_compared: usize,
}

/// How a node booted from its own disk.
#[derive(Clone, Debug)]
pub struct BootProof {
    /// What its init said: who it is, the file that it has read, and the file's SHA-256.
    pub answer: String,
    /// When it said so, since the machine was turned on.
    pub answered: Duration,
    /// When it had turned itself off.
    pub ended: Duration,
}

impl Experiment {
    /// Makes the disk of another node: larger, and full of another user's data. The layout is the
    /// one that it will have when it is loaded.
    ///
    /// # Errors
    /// If a tool fails.
    pub fn other_disk(&self) -> Result<NodeDisk> {
        let path = self.directory.join("other.img");
        let sectors = self.disk.sectors + MORE_SECTORS;
        make_used(&path, &self.directory.join("scratch"), sectors)?;
        Ok(self.disk.on_another(&path, sectors))
    }

    /// The other node's disk, as a SATA disk of a machine.
    pub fn other_drive(&self, other: &NodeDisk) -> Disk {
        let (path, serial) = (other.path.clone(), OTHER_SERIAL.to_owned());
        Disk::from(Drive { path, serial, access: Access::ReadWrite }).on(Bus::Ahci)
    }

    /// Compares a disk that this experiment was loaded onto with the one that was saved.
    ///
    /// # Errors
    /// If its table does not fit it, or anything is not as it was.
    pub fn prove_loaded(&self, other: &NodeDisk) -> Result<LoadProof> {
        check_table(other)?;
        ensure!(partitions(other)? == partitions(&self.disk)?, "the partitions are others");

        // The code in the MBR and the entry that guards the GPT.
        let [was, is] = [&self.disk, other].map(|disk| first_sector(&disk.path));
        ensure!(was? == is?, "the MBRs differ");
        // Their headers and backups name the disk's size.
        let mut in_use = self.disk.sectors_in_use()?;
        let backup = self.disk.sectors - 33;
        in_use.retain(|slice| slice.start > 0 && slice.start < backup);
        in_use.push(Slice { start: 2, sectors: 32 });
        let bytes_compared = SECTOR + compare_sectors(&self.disk.path, &other.path, &in_use)?;

        other.check_root()?;
        let files = compare_files(self, other)?;
        Ok(LoadProof { bytes_compared, files_compared: files.0.len() })
    }

    /// Boots the other node from its disk, and compares what its init has read with the file on
    /// the disk that was saved.
    ///
    /// # Errors
    /// If it does not boot, or has read something else.
    pub fn prove_boot(&self, other: &NodeDisk) -> Result<BootProof> {
        let log = self.directory.join("own-disk.log");
        let proof = boot_own_disk(self.other_drive(other), &log)?;
        self.prove_answer(&proof.answer)?;
        Ok(proof)
    }

    /// Compares what a node's own init says it has read with the file on the disk that was saved;
    /// the file's name.
    ///
    /// # Errors
    /// If it has read something else.
    pub fn prove_answer(&self, answer: &str) -> Result<String> {
        let mut words = answer.split([',', ' ']).filter(|word| !word.is_empty());
        let (name, file, digest) = (words.next(), words.next(), words.next());
        ensure!(name == Some(VNAME), "the node calls itself {name:?}");
        let file = file.with_context(|| format!("no file in {answer:?}"))?;
        let expected = digest_on(&self.disk, &self.directory.join("scratch"), file)?;
        ensure!(digest == Some(&expected), "the node has read {digest:?}, not {expected}");
        Ok(file.to_owned())
    }
}

/// Makes the GPT of a disk in a file fit the file's size, after an image of a smaller disk was
/// loaded; returns how many blocks or runs of blocks were written.
///
/// # Errors
/// If the table can't be made to fit.
pub fn fit_table(path: &Path) -> Result<usize> {
    let patches = fit_to_disk(&FileDevice::open(path)?, LogicalSectorSize::B512)?;
    let file = File::options().write(true).open(path)?;
    for patch in &patches {
        file.write_all_at(&patch.bytes, patch.at.get())?;
    }
    Ok(patches.len())
}

/// Boots a machine from `disk`, which [`NodeDisk::make_bootable`] made or which was loaded with such
/// a one, until the disk's own init has said who it is and turned the machine off. All that is said
/// goes to `log`.
///
/// # Errors
/// If it does not come so far.
pub fn boot_own_disk(disk: Disk, log: &Path) -> Result<BootProof> {
    let machine = Machine::from_disk(Firmware::Bios, log).without_network().disk(disk);
    let mut node = machine.start()?;
    let line = node.wait_for_line(ANSWER, BOOT_LIMIT)?;
    let exit = node.wait(BOOT_LIMIT)?;
    ensure!(exit == Exit::PowerOff, "the node {exit}:\n{}", node.console().tail(20));
    let (_, answer) = line.text.split_once(ANSWER).context("no answer")?;
    Ok(BootProof { answer: answer.to_owned(), answered: line.at, ended: node.elapsed() })
}

/// Has sgdisk judge the table: the backup is at the end, and all checksums are right.
fn check_table(disk: &NodeDisk) -> Result<()> {
    let said = stdout(tool("sgdisk").args(["--verify", "--print"]).arg(&disk.path))?;
    ensure!(said.contains("No problems found"), "sgdisk: {said}");
    let last_usable = disk.sectors - 34;
    let words = format!("last usable sector is {last_usable}");
    ensure!(said.contains(&words), "the table does not end with the disk: {said}");
    Ok(())
}

/// The disk's name and its partitions as sfdisk lists them, without the file's name.
fn partitions(disk: &NodeDisk) -> Result<Vec<String>> {
    let dump = stdout(tool("sfdisk").arg("--dump").arg(&disk.path))?;
    let path = disk.path.to_string_lossy();
    let lines = dump.lines().filter(|line| line.starts_with("label-id") || line.contains(&*path));
    let lines = lines.filter(|line| !line.starts_with("device"));
    Ok(lines.map(|line| line.replace(&*path, "disk")).collect())
}

/// The first sector but for the length of the entry that guards the GPT.
fn first_sector(path: &Path) -> Result<Vec<u8>> {
    let mut sector = vec![0; 512];
    File::open(path)?.read_exact_at(&mut sector, 0)?;
    sector[MBR_LENGTH].fill(0);
    Ok(sector)
}

/// The SHA-256 of a file in the root file system of a disk.
fn digest_on(disk: &NodeDisk, scratch: &Path, file: &str) -> Result<String> {
    let copy = scratch.join("answer");
    let dump = format!("dump {file} {}", copy.display());
    stdout(tool("debugfs").args(["-R", &dump]).arg(disk.root_for_e2fsprogs()))?;
    let digest = imagezip_tools::create::sha256_of(&copy)?;
    fs::remove_file(&copy)?;
    Ok(digest.to_string())
}
