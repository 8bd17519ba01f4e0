//! One partition is saved, and loaded into a partition of another disk, which lies elsewhere and
//! is larger.

use std::fs;
use std::sync::OnceLock;

use anyhow::{Result, anyhow, ensure};
use imagezip_core::allocation::{Options, Selection, scan};
use imagezip_core::partition::LogicalSectorSize;
use imagezip_tools::create::create;
use imagezip_tools::host::FileDevice;
use swapmfs_tests::disk::filled;
use swapmfs_tests::trial::{Run, Set, Trial, prepared};
use xtask::command::{fed, stdout, tool};
use xtask::experiment::{Experiment, SERIAL};
use xtask::node_disk::{NodeDisk, SECTOR, Slice, Tree};

use crate::swapin::Loading;

/// The size of the disks that are loaded.
const DISK_SECTORS: usize = 160 * 2048;

/// What a GPT takes at the disk's start and end.
const TABLE_SECTORS: usize = 34;

/// What `.part` says at swapout and swapin.
fn part() -> String {
    format!("DISK=vda LOADPART=2 BOOTPART=2 SERIAL={SERIAL}")
}

/// The experiment with a base image of the partition alone, and what a node saved of it.
fn saved() -> Result<&'static (Experiment, Set)> {
    static SAVED: OnceLock<Result<(Experiment, Set), String>> = OnceLock::new();
    let saved = SAVED.get_or_init(|| save().map_err(|error| format!("{error:?}")));
    saved.as_ref().map_err(|error| anyhow!("saving the partition failed: {error}"))
}

fn save() -> Result<(Experiment, Set)> {
    let prepared = prepared()?;
    let directory = &prepared.experiment.directory;
    let (image, signature) = (directory.join("partition.ndz"), directory.join("partition.sig"));
    let device = FileDevice::open(&prepared.loaded_disk.path)?;
    let map = scan(&device, Selection::Partition(2), Options::new(LogicalSectorSize::B512))?;
    create(&device, &map, None, &image, &signature)?;

    let mut experiment = prepared.experiment.clone();
    experiment.base_image = image;
    experiment.base_signature = signature;
    let trial = trial(&experiment, "partition-save")?;
    trial.run("")?.check_saved()?;
    let set = Set::read(&trial.experiment)?;
    let said = set.description()?;
    ensure!(said.load_partition == 2 && said.base.is_some(), "{said:?}");
    Ok((experiment, set))
}

/// A node of the experiment whose `.part` names the partition.
fn trial(experiment: &Experiment, name: &str) -> Result<Trial> {
    let Experiment { disk, base_image, base_signature, .. } = experiment;
    let mut trial = Trial::of(name, disk.clone(), base_signature.clone())?;
    base_image.clone_into(&mut trial.experiment.base_image);
    fs::remove_file(trial.experiment.swapinfo().join("testbed-BASE.ndz"))?;
    trial.experiment.install_base_image()?;
    trial.experiment.install_part(&part())?;
    Ok(trial)
}

/// Another node's disk with partitions as sfdisk is told, full of another user's data.
fn another(name: &str, table: &str) -> Result<Loading> {
    let (experiment, set) = saved()?;
    let trial = trial(experiment, name)?;
    set.write(&trial.experiment)?;
    let disk = trial.experiment.directory.join("restored.img");
    fs::write(&disk, filled(DISK_SECTORS * 512))?;
    fed(tool("sfdisk").arg("--quiet").arg(&disk), table)?;
    Ok(Loading { trial, disk })
}

/// Loads the disk, whose partition 2 is `partition`, and returns what was there before and after,
/// with the partition cut out.
fn load(loading: &Loading, partition: Slice, words: &str) -> Result<[Vec<u8>; 2]> {
    load_with(loading.saved_disk(), loading, partition, words)
}

/// As [`load`], with the root of another disk than the one that was saved.
fn load_with(
    saved: &NodeDisk,
    loading: &Loading,
    partition: Slice,
    words: &str,
) -> Result<[Vec<u8>; 2]> {
    let before = fs::read(&loading.disk)?;
    loading.run(words)?.check_loaded()?;
    let after = fs::read(&loading.disk)?;

    // What was saved is there, and what is beyond its end is as it was, or zeros.
    let was = fs::read(&saved.path)?;
    let at = |sector: u64| usize::try_from(sector * SECTOR);
    for slice in saved.sectors_in_use()? {
        if slice.start < saved.root.start || slice.end() > saved.root.end() {
            continue;
        }
        let start = at(slice.start - saved.root.start + partition.start)?;
        let expected = &was[at(slice.start)?..at(slice.end())?];
        ensure!(after[start..start + expected.len()] == *expected, "{slice:?} is not as saved");
    }
    let slack = at(partition.start + saved.root.sectors)?..at(partition.end())?;
    let rest = &after[slack.clone()];
    let cleared = words.contains("mfs.free=zero");
    let right = if cleared { rest.iter().all(|b| *b == 0) } else { *rest == before[slack] };
    ensure!(right, "the rest of the partition is not as it should be");

    let root = Slice { start: partition.start, sectors: saved.root.sectors };
    let loaded = NodeDisk { root, ..saved.at(&loading.disk) };
    loaded.check_root()?;
    let scratch = loading.trial.experiment.directory.join("scratch");
    let different = Tree::of_disk(saved, &scratch)?.differences(&Tree::of_disk(&loaded, &scratch)?);
    ensure!(different.is_empty(), "files differ: {different:?}");

    let within = at(partition.start)?..at(partition.end())?;
    Ok([before, after].map(|mut bytes| {
        bytes.drain(within.clone());
        bytes
    }))
}

/// What sfdisk says is the type of partition 2.
fn kind(loading: &Loading) -> Result<String> {
    let kind = stdout(tool("sfdisk").arg("--part-type").arg(&loading.disk).arg("2"))?;
    stdout(tool("sfdisk").arg("--verify").arg(&loading.disk))?;
    Ok(kind.trim().to_owned())
}

#[test]
fn a_partition_is_loaded_into_another_of_an_mbr() -> Result<()> {
    let partition = Slice { start: 50_008, sectors: 212_992 };
    let table = "label: dos\nstart=2048, size=20480, type=c\n\
                 start=50008, size=212992, type=82\nstart=264192, size=20480, type=83\n";
    let loading = another("partition-mbr", table)?;
    let [before, after] = load(&loading, partition, "")?;
    ensure!(before == after, "something outside of the partition was written");
    assert_eq!(kind(&loading)?, "82");

    // Again, with another type for the partition: a byte of the table.
    let [mut before, after] = load(&loading, partition, "mfs.parttype=0x83")?;
    before[446 + 16 + 4] = 0x83;
    ensure!(before == after, "more than the type was written outside of the partition");
    assert_eq!(kind(&loading)?, "83");
    Ok(())
}

#[test]
fn a_partition_is_loaded_into_another_of_a_gpt() -> Result<()> {
    let partition = Slice { start: 100_008, sectors: 200_000 };
    let table = "label: gpt\nfirst-lba: 34\nstart=2048, size=20480, type=uefi\n\
                 start=100008, size=200000, type=swap, name=another\n";
    let loading = another("partition-gpt", table)?;
    let [before, after] = load(&loading, partition, "mfs.parttype=0x8300 mfs.free=zero")?;
    let others = TABLE_SECTORS * 512..before.len() - TABLE_SECTORS * 512;
    ensure!(before[others.clone()] == after[others], "another partition was written");
    assert_eq!(kind(&loading)?, "0FC63DAF-8483-4772-8E79-3D69D8477DE4");
    let dump = stdout(tool("sfdisk").arg("--dump").arg(&loading.disk))?;
    for place in ["start=        2048, size=       20480", "start=      100008, size=      200000"]
    {
        ensure!(dump.contains(place), "the table was changed: {dump}");
    }
    Ok(())
}

#[test]
fn a_partition_gets_the_base_image_alone() -> Result<()> {
    let partition = Slice { start: 50_008, sectors: 212_992 };
    let table = "label: dos\nstart=2048, size=20480, type=c\n\
                 start=50008, size=212992, type=83\nstart=264192, size=20480, type=83\n";
    let loading = another("partition-base", table)?;
    let words = "mfs.job=load mfs.free=zero";
    let [before, after] = load_with(&prepared()?.loaded_disk, &loading, partition, words)?;
    ensure!(before == after, "something outside of the partition was written");
    Ok(())
}

#[test]
fn a_partition_that_does_not_fit_or_is_not_there_is_not_loaded() -> Result<()> {
    let first = "label: gpt\nstart=2048, size=20480, type=uefi\n";
    let small = format!("{first}start=100008, size=100000, type=linux\n");
    let enough = format!("{first}start=100008, size=200000, type=linux\n");
    let whole = part().replace("LOADPART=2", "LOADPART=0");
    for (table, part, code, words) in [
        (small.as_str(), part(), 44, "partition 2 ends at 102404096"),
        (first, part(), 28, "has no partition 2"),
        (enough.as_str(), whole, 44, "was saved with LOADPART=2, but .part says LOADPART=0"),
    ] {
        let loading = another("partition-refused", table)?;
        loading.trial.experiment.install_part(&part)?;
        let before = fs::read(&loading.disk)?;
        let mut node = loading.trial.loading(loading.drive(), "")?.start()?;
        Run::of(&mut node)?.check_failed(code, words)?;
        let status = loading.trial.status()?;
        ensure!(status.result == Some(code), "the status is {status:?}");
        ensure!(fs::read(&loading.disk)? == before, "{words}: the disk was written");
    }
    Ok(())
}
