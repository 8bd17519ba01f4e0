//! Disks that are saved, and what is on them when they are restored.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::Result;
use imagezip_core::allocation::{Options, Selection, scan};
use imagezip_core::partition::LogicalSectorSize;
use imagezip_core::swapinfo::Phase;
use imagezip_tools::create::{create, sha256_of};
use imagezip_tools::host::FileDevice;
use swapmfs_tests::disk::FILLING;
use swapmfs_tests::trial::{PATIENCE, Run, Set, Trial, is_root, prepared};
use xtask::command::{stdout, tool};
use xtask::node_disk::{NodeDisk, SECTOR, Slice, Tree};
use xtask::qemu::{Access, WatchdogAction};

#[test]
fn a_disk_is_saved_and_can_be_restored() -> Result<()> {
    let trial = Trial::new("saved")?.with_own_disk()?;
    let disk = &trial.experiment.disk.path;
    let before = (sha256_of(disk)?, fs::metadata(disk)?.mtime());

    let drive = trial.experiment.drive(Access::ReadWrite);
    let machine =
        trial.experiment.machine(&prepared()?.image, "/proj", &trial.server.mount_options());
    let machine = machine.cpus(2).drive(drive).watchdog(WatchdogAction::Reset);
    let mut node = machine.start()?;
    node.wait_for_line("mfs-phase: publish", PATIENCE)?;
    assert_eq!(node.bytes_written()?, [0]);
    let run = Run::of(&mut node)?;
    run.check_saved()?;
    assert_eq!((sha256_of(disk)?, fs::metadata(disk)?.mtime()), before, "the disk has changed");

    trial.check_nothing_is_left()?;
    let set = Set::read(&trial.experiment)?;
    assert!(set.is_same_state(&prepared()?.expected), "not what the host's tool makes of it");
    assert!(!set.is_same_state(&prepared()?.previous), "the previous image is still there");
    trial.experiment.prove()?;

    let status = trial.status()?;
    assert_eq!((status.phase, status.result, &status.error), (Phase::Done, Some(0), &None));
    assert_eq!((status.scanned, status.written), (status.total, set.description()?.image_size));
    let logs = trial.logs()?;
    for words in [
        "  verdict",
        "1            2048        73728 ",
        "  aware(FAT32)",
        "3          272384        32768           64  aware(swap)",
        "saved bytes=",
        "peak memory",
    ] {
        assert!(logs.contains(words), "no {words:?} in the log:\n{logs}");
    }
    assert!(!run.console.contains("did not stop"), "{}", run.console);
    Ok(())
}

#[test]
fn a_small_machine_saves_the_same() -> Result<()> {
    let trial = Trial::new("small-machine")?;
    Run::of(&mut trial.node("")?.memory(256).cpus(1).start()?)?.check_saved()?;
    assert!(Set::read(&trial.experiment)?.is_same_state(&prepared()?.expected));
    Ok(())
}

#[test]
fn an_unchanged_disk_gives_an_empty_delta() -> Result<()> {
    let prepared = prepared()?;
    let base_signature = prepared.experiment.base_signature.clone();
    let trial = Trial::of("unchanged", prepared.loaded_disk.clone(), base_signature)?;
    trial.run("")?.check_saved()?;
    let set = Set::read(&trial.experiment)?;
    assert_eq!(set.image.len(), 0);
    let meta = set.description()?;
    assert_eq!((meta.image_size, meta.chunks, meta.sectors_changed), (0, 0, 0));
    let proof = trial.experiment.prove()?;
    assert_eq!(proof.delta_data_bytes, 0);
    Ok(())
}

#[test]
fn one_partition_is_saved_and_fits_into_another_disk() -> Result<()> {
    let mut trial = Trial::new("partition")?;
    // The base: the same partition as the user found it.
    let base_image = trial.experiment.directory.join("root.ndz");
    trial.experiment.base_signature = trial.experiment.directory.join("root.sig");
    let device = FileDevice::open(&prepared()?.loaded_disk.path)?;
    let options = Options::new(LogicalSectorSize::B512);
    let map = scan(&device, Selection::Partition(2), options)?;
    create(&device, &map, None, &base_image, &trial.experiment.base_signature)?;
    trial.experiment.install_part("DISK=vda LOADPART=2 BOOTPART=2")?;

    trial.run("")?.check_saved()?;
    let meta = Set::read(&trial.experiment)?.description()?;
    let root = trial.experiment.disk.root;
    assert_eq!(meta.load_partition, 2);
    assert!(meta.sectors_in_use < root.sectors && meta.sectors_changed < meta.sectors_in_use);

    let place = Slice { start: 8192, sectors: root.sectors };
    let sectors = place.end() + 2048;
    let path = trial.restore(&base_image, sectors, place.start)?;
    let restored = NodeDisk { path, root: place, sectors, ..trial.experiment.disk.clone() };
    restored.check_root()?;
    check_same_files(&trial, &trial.experiment.disk, &restored)?;
    let bytes = fs::read(&restored.path)?;
    let (start, end) = (place.start * SECTOR, place.end() * SECTOR);
    let around = [&bytes[..usize::try_from(start)?], &bytes[usize::try_from(end)?..]];
    assert!(around.concat().iter().all(|byte| *byte == FILLING), "written beside the partition");
    Ok(())
}

/// The power failed while the file system was mounted: its bitmaps are old, and what is true is in
/// the journal.
#[test]
fn a_disk_that_lost_its_power_is_saved_with_its_journal() -> Result<()> {
    if !is_root("a_disk_that_lost_its_power_is_saved_with_its_journal") {
        return Ok(());
    }
    let trial = Trial::new("journal")?.with_own_disk()?;
    let disk = &trial.experiment.disk;
    let scratch = trial.experiment.directory.join("scratch");
    lose_power(disk, &scratch)?;
    let told = stdout(tool("dumpe2fs").arg("-h").arg(disk.root_for_e2fsprogs()))?;
    assert!(told.contains("needs_recovery"), "{told}");

    trial.run("")?.check_saved()?;
    let path = trial.restore(&trial.experiment.base_image, disk.sectors, 0)?;
    let restored = disk.at(&path);
    // This machine's kernel recovers the journals.
    disk.mount_root(&scratch.join("was"), "rw")?.unmount()?;
    restored.mount_root(&scratch.join("is"), "rw")?.unmount()?;
    check_same_files(&trial, disk, &restored)?;
    restored.check_root()?;
    let tree = Tree::of_disk(&restored, &scratch)?;
    assert!(tree.0.contains_key(Path::new("new/39")), "what was synced is gone");
    Ok(())
}

fn check_same_files(trial: &Trial, was: &NodeDisk, is: &NodeDisk) -> Result<()> {
    let scratch = trial.experiment.directory.join("scratch");
    let (was, is) = (Tree::of_disk(was, &scratch)?, Tree::of_disk(is, &scratch)?);
    assert!(was.0.len() > 100, "only {} files", was.0.len());
    assert_eq!(was.differences(&is), Vec::<std::path::PathBuf>::new());
    Ok(())
}

/// Uses the disk's root file system, and leaves the disk as it is when the power fails in the
/// middle of that: after the kernel's `shutdown` nothing is written any more.
fn lose_power(disk: &NodeDisk, scratch: &Path) -> Result<()> {
    // Commits only where something is synced.
    let mounted = disk.mount_root(&scratch.join("in-use"), "commit=1000")?;
    let dir = mounted.path().join("new");
    fs::create_dir(&dir)?;
    for number in 0..40_usize {
        let mut file = File::create(dir.join(number.to_string()))?;
        file.write_all(&vec![b'n'; 3_000 * (number + 1)])?;
        file.sync_all()?;
        if number % 4 == 3 {
            fs::remove_file(dir.join((number - 1).to_string()))?;
        }
    }
    fs::remove_dir_all(mounted.path().join("home"))?;
    File::create(dir.join("last"))?.sync_all()?;
    stdout(tool("xfs_io").args(["-x", "-c", "shutdown"]).arg(mounted.path()))?;
    mounted.unmount()
}
