//! Disks that are loaded: another machine's disk becomes the one that was saved.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use imagezip_core::swapinfo::Phase;
use swapmfs_tests::disk::filled;
use swapmfs_tests::trial::{Run, Set, Trial, copy_sparse, prepared};
use xtask::command::{stdout, tool};
use xtask::experiment::{SERIAL, compare_sectors};
use xtask::node_disk::{NodeDisk, SECTOR, Slice, Tree};
use xtask::qemu::hardware::{Bus, Disk};
use xtask::qemu::{Access, Drive};

/// A trial whose node was saved, and another machine's disk.
pub(crate) struct Loading {
    pub(crate) trial: Trial,
    pub(crate) disk: PathBuf,
}

impl Loading {
    /// The disk is full of another user's data. It is larger than the one that was saved by so many
    /// sectors, which may be negative.
    pub(crate) fn new(name: &str, more: i64) -> Result<Self> {
        let loading = Self::saved(name)?;
        let sectors = loading.trial.experiment.disk.sectors.saturating_add_signed(more);
        fs::write(&loading.disk, filled(usize::try_from(sectors * SECTOR)?))?;
        Ok(loading)
    }

    /// The disk has the base image on it.
    pub(crate) fn with_base(name: &str) -> Result<Self> {
        let loading = Self::saved(name)?;
        copy_sparse(&prepared()?.loaded_disk.path, &loading.disk)?;
        Ok(loading)
    }

    fn saved(name: &str) -> Result<Self> {
        let trial = Trial::new(name)?;
        prepared()?.expected.write(&trial.experiment)?;
        let disk = trial.experiment.directory.join("restored.img");
        Ok(Self { trial, disk })
    }

    pub(crate) fn drive(&self) -> Drive {
        let (path, access) = (self.disk.clone(), Access::ReadWrite);
        Drive { path, serial: SERIAL.to_owned(), access }
    }

    /// Loads the disk, as a virtio one, and says what the node did.
    pub(crate) fn run(&self, words: &str) -> Result<Run> {
        Run::of(&mut self.trial.loading(self.drive(), words)?.start()?)
    }

    /// The disk that was saved.
    pub(crate) fn saved_disk(&self) -> &NodeDisk {
        &self.trial.experiment.disk
    }

    /// What was in use on the saved disk, but for the table of partitions if that has to be fitted
    /// to another size.
    pub(crate) fn in_use(&self) -> Result<Vec<Slice>> {
        self.in_use_of(self.saved_disk())
    }

    fn in_use_of(&self, was: &NodeDisk) -> Result<Vec<Slice>> {
        let mut in_use = was.sectors_in_use()?;
        if fs::metadata(&self.disk)?.len() != was.sectors * SECTOR {
            // The backup table is elsewhere, and the primary one says so.
            in_use.retain(|slice| slice.start + 33 < was.sectors);
            in_use[0].start = 2;
            in_use[0].sectors -= 2;
        }
        Ok(in_use)
    }

    /// Fails unless all that was in use on the saved disk is on this one, but for the table of
    /// partitions if that had to be fitted to another size.
    pub(crate) fn check_restored(&self) -> Result<()> {
        self.check_holds(self.saved_disk())
    }

    /// As [`Loading::check_restored`], of another disk with the same partitions.
    pub(crate) fn check_holds(&self, was: &NodeDisk) -> Result<()> {
        compare_sectors(&was.path, &self.disk, &self.in_use_of(was)?)?;
        let loaded = self.node_disk();
        loaded.check_root()?;
        let scratch = self.trial.experiment.directory.join("scratch");
        let (was, is) = (Tree::of_disk(was, &scratch)?, Tree::of_disk(&loaded, &scratch)?);
        let different = was.differences(&is);
        ensure!(different.is_empty(), "files differ: {different:?}");
        Ok(())
    }

    /// The disk with the layout of the saved one.
    fn node_disk(&self) -> NodeDisk {
        self.trial.experiment.disk.at(&self.disk)
    }

    /// Fails unless the load was refused with `code` and `words`, and nothing was written.
    fn check_refused(&self, disk: Disk, code: u8, words: &str) -> Result<()> {
        self.check_job_refused("mfs.job=swapin", disk, code, words)
    }

    /// As [`Loading::check_refused`], of another job.
    pub(crate) fn check_job_refused(
        &self,
        job: &str,
        disk: Disk,
        code: u8,
        words: &str,
    ) -> Result<()> {
        let mut node = self.trial.loading(disk, job)?.start()?;
        let run = Run::of(&mut node)?;
        run.check_failed(code, words)?;
        let status = self.trial.status()?;
        let error = status.error.clone().unwrap_or_default();
        ensure!(status.result == Some(code) && error.contains(words), "the status is {status:?}");
        ensure!(self.is_untouched()?, "the disk was written");
        Ok(())
    }

    /// Whether the disk is as [`Loading::new`] made it.
    fn is_untouched(&self) -> Result<bool> {
        let bytes = fs::read(&self.disk)?;
        Ok(bytes == filled(bytes.len()))
    }
}

#[test]
fn another_machines_disk_becomes_the_one_that_was_saved() -> Result<()> {
    let loading = Loading::new("swapin-full", 12_345 * 8)?;
    let disk = Disk::from(loading.drive()).on(Bus::VirtioScsi);
    loading
        .trial
        .experiment
        .install_part(&format!("DISK=da0 LOADPART=0 BOOTPART=2 SERIAL={SERIAL}"))?;
    let machine = loading.trial.loading(disk, "mfs.free=zero")?.cpus(2);
    let run = Run::of(&mut machine.start()?)?;
    run.check_loaded()?;
    loading.check_restored()?;
    let table = stdout(tool("sfdisk").arg("--json").arg(&loading.disk))?;
    let last = fs::metadata(&loading.disk)?.len() / SECTOR - 34;
    assert!(table.contains(&format!("\"lastlba\": {last}")), "{table}");
    stdout(tool("sfdisk").arg("--verify").arg(&loading.disk))?;

    let (written, avoided) = (run.result("written")?, run.result("avoided")?);
    ensure!(avoided == 0 && run.result("compared")? == 0, "there was nothing to compare");
    let status = loading.trial.status()?;
    assert_eq!((status.phase, status.result, &status.error), (Phase::Done, Some(0), &None));
    assert_eq!((status.scanned, status.changed, status.written), (status.total, written, written));
    // Nothing of what the disk had is left.
    let bytes = fs::read(&loading.disk)?;
    let left = bytes.chunks(512).filter(|sector| **sector == filled(512)[..]).count();
    assert_eq!(left, 0, "sectors of the disk's last user are left");
    Ok(())
}

#[test]
fn a_disk_that_holds_the_base_is_only_read_but_for_the_changes() -> Result<()> {
    let loading = Loading::with_base("swapin-converge")?;
    let base_image = fs::metadata(&loading.trial.experiment.base_image)?.len();
    let run = loading.run("")?;
    run.check_loaded()?;
    loading.check_restored()?;
    let read = loading.trial.server.statistics().bytes_read;
    let (written, avoided) = (run.result("written")?, run.result("avoided")?);
    let changed = prepared()?.expected.description()?.sectors_changed * SECTOR;
    // Blocks of which the delta has a part may be written whole.
    assert!(written > changed / 2 && written < changed * 3 && avoided > written, "{run:?}");
    assert!(read < base_image, "{read} bytes were read, the base image has {base_image}");

    // Another time there is hardly anything to do.
    let again = loading.run("mfs.load=converge mfs.free=discard")?;
    again.check_loaded()?;
    loading.check_restored()?;
    assert!(again.result("written")? < changed, "{again:?}");
    Ok(())
}

#[test]
fn an_image_of_another_base_is_refused() -> Result<()> {
    let loading = Loading::new("swapin-wrong-base", 0)?;
    // Boss has a newer one of the name.
    let signature = loading.trial.experiment.directory.join("newer.sig");
    fs::copy(loading.trial.experiment.node_file("-swap.sig"), &signature)?;
    let mut changed = loading.trial.experiment.clone();
    changed.base_signature = signature;
    changed.install_part("DISK=vda LOADPART=0 BOOTPART=2")?;
    loading.check_refused(loading.drive().into(), 43, "would make a broken disk")
}

#[test]
fn a_base_image_that_is_not_its_signatures_is_not_loaded() -> Result<()> {
    let loading = Loading::new("swapin-other-image", 0)?;
    // The delta's image is one of other sectors.
    let link = loading.trial.experiment.node_file(".ndz");
    fs::remove_file(&link)?;
    std::os::unix::fs::symlink(
        loading.trial.experiment.node_file("-swap.ndz").file_name().unwrap(),
        &link,
    )?;
    loading.check_refused(loading.drive().into(), 43, "is not the image of its signature")
}

#[test]
fn disks_that_it_does_not_fit_are_refused() -> Result<()> {
    let loading = Loading::new("swapin-small", -8)?;
    loading.check_refused(loading.drive().into(), 44, "is too small")?;
    let loading = Loading::new("swapin-sectors", 0)?;
    let disk = Disk::from(loading.drive()).sector_size(4096);
    loading.check_refused(disk, 44, "sectors of 512 bytes")
}

#[test]
fn a_disk_that_is_write_protected_is_refused() -> Result<()> {
    let loading = Loading::new("swapin-read-only", 0)?;
    let drive = Drive { access: Access::ReadOnly, ..loading.drive() };
    loading.check_refused(drive.into(), 37, "is write-protected")
}

#[test]
fn a_damaged_image_is_not_loaded() -> Result<()> {
    let loading = Loading::new("swapin-damaged", 0)?;
    let image = loading.trial.experiment.node_file("-swap.ndz");
    let middle = fs::metadata(&image)?.len() / 2;
    let file = File::options().read(true).write(true).open(&image)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle)?;
    file.write_all_at(&[!byte[0]], middle)?;
    loading.check_refused(loading.drive().into(), 31, "has SHA-256")
}

#[test]
fn what_was_never_saved_is_not_loaded() -> Result<()> {
    let loading = Loading::new("swapin-nothing", 0)?;
    for suffix in [".ndz", ".sig", ".meta"] {
        fs::remove_file(loading.trial.experiment.node_file(&format!("-swap{suffix}")))?;
    }
    loading.check_refused(loading.drive().into(), 42, "was never saved here")
}

/// The renames were left to do when the save was cut off.
#[test]
fn a_save_that_was_cut_off_while_publishing_is_completed_first() -> Result<()> {
    let loading = Loading::with_base("swapin-recovers")?;
    for suffix in [".sig", ".meta"] {
        let file = loading.trial.experiment.node_file(&format!("-swap{suffix}"));
        fs::rename(&file, loading.trial.temporary(suffix))?;
    }
    loading.run("")?.check_loaded()?;
    loading.check_restored()?;
    assert!(Set::read(&loading.trial.experiment)?.is_same_state(&prepared()?.expected));
    Ok(())
}
