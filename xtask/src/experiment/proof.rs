//! Proving that a saved disk is the one that was there.

use std::fs;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use imagezip_core::digest::Sha256;
use imagezip_core::ndz::Image;
use imagezip_core::sector::Sector;
use imagezip_core::swapinfo::Meta;
use imagezip_tools::create::sha256_of;
use imagezip_tools::host::FileDevice;
use imagezip_tools::load::load;

use super::Experiment;
use crate::node_disk::{NodeDisk, SECTOR, Slice, Tree, dirty_file};

/// What was compared, all of it found equal.
#[derive(Clone, Copy, Debug)]
pub struct Proof {
    /// Bytes in use on the disk.
    pub bytes_compared: u64,
    /// Files, directories and links of the root file system.
    pub files_compared: usize,
    /// The delta's size.
    pub delta_bytes: u64,
    /// The sectors that the delta holds, in bytes.
    pub delta_data_bytes: u64,
    /// The base image's size.
    pub base_bytes: u64,
}

/// Loads the experiment's base image, if the node's image is a delta to it, and the node's image
/// onto `target`, which is made anew, and compares.
pub(super) fn prove(experiment: &Experiment, target: &NodeDisk) -> Result<Proof> {
    let delta = experiment.node_file("-swap.ndz");
    let meta = check_meta(experiment, &delta)?;

    dirty_file(&target.path, target.sectors * SECTOR)?;
    let device = FileDevice::open_for_writing(&target.path)?;
    if meta.base.is_some() {
        load(&experiment.base_image, &device, Sector::ZERO)?;
    }
    let written = load(&delta, &device, Sector::ZERO)?;
    drop(device);

    let in_use = experiment.disk.sectors_in_use()?;
    let bytes_compared = compare_sectors(&experiment.disk.path, &target.path, &in_use)?;
    target.check_root()?;

    let files_compared = compare_files(experiment, target)?.0.len();

    let new_signature = fs::read(experiment.node_file("-swap.sig"))?;
    check_signature(&new_signature, &target.path)?;
    Ok(Proof {
        bytes_compared,
        files_compared,
        delta_bytes: fs::metadata(&delta)?.len(),
        delta_data_bytes: written.to_bytes().get(),
        base_bytes: fs::metadata(&experiment.base_image)?.len(),
    })
}

/// Compares the root file systems by digest, and returns what is in them.
pub(super) fn compare_files(experiment: &Experiment, target: &NodeDisk) -> Result<Tree> {
    let scratch = experiment.directory.join("scratch");
    let was = Tree::of_disk(&experiment.disk, &scratch)?;
    let is = Tree::of_disk(target, &scratch)?;
    let different = was.differences(&is);
    ensure!(different.is_empty(), "files differ after the restore: {different:?}");
    ensure!(was.0.len() > 10, "the file system has only {} files", was.0.len());
    Ok(was)
}

/// The description has to name this image and the signature that it was made against, if it was.
fn check_meta(experiment: &Experiment, delta: &Path) -> Result<Meta> {
    let meta = fs::read(experiment.node_file("-swap.meta")).context("reading -swap.meta")?;
    let meta = Meta::parse(&meta).context("-swap.meta")?;
    ensure!(Sha256(meta.image_sha256) == sha256_of(delta)?, "-swap.meta names another image");
    if let Some(base) = &meta.base {
        let signature = sha256_of(&experiment.base_signature)?;
        ensure!(Sha256(base.signature_sha256) == signature, "-swap.meta names another base");
    }
    let file = FileDevice::open(delta)?;
    let sectors = Image::open(&file)?.extents()?.sector_count();
    ensure!(meta.sectors_changed == sectors.get(), "-swap.meta miscounts the sectors");
    Ok(meta)
}

/// Every entry of the new signature has to be true of the restored disk.
fn check_signature(bytes: &[u8], disk: &Path) -> Result<()> {
    let signature = imagezip_core::signature::Signature::read(bytes)?;
    let file = File::open(disk)?;
    for entry in signature.iter() {
        let len = usize::try_from(entry.range.len().to_bytes().get())?;
        let mut data = vec![0; len];
        file.read_exact_at(&mut data, entry.range.start().to_bytes().get())?;
        ensure!(signature.digest(&data) == entry.digest, "-swap.sig is wrong at {}", entry.range);
    }
    Ok(())
}

/// Compares the given sectors of two files and returns how many bytes they are.
///
/// # Errors
/// If one differs, or can't be read.
pub fn compare_sectors(left: &Path, right: &Path, slices: &[Slice]) -> Result<u64> {
    const STEP: u64 = 2048;
    let (left, right) = (File::open(left)?, File::open(right)?);
    let (mut a, mut b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut compared = 0;
    for slice in slices {
        let mut at = slice.start;
        while at < slice.end() {
            let sectors = STEP.min(slice.end() - at);
            let len = usize::try_from(sectors * SECTOR)?;
            left.read_exact_at(&mut a[..len], at * SECTOR)?;
            right.read_exact_at(&mut b[..len], at * SECTOR)?;
            if let Some(byte) = (0..len).find(|i| a[*i] != b[*i]) {
                bail!(
                    "sector {} is in use and differs after the restore",
                    at + byte as u64 / SECTOR
                );
            }
            compared += sectors * SECTOR;
            at += sectors;
        }
    }
    Ok(compared)
}
