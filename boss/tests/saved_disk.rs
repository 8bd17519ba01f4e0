//! The map of what a node has saved, and the files that changed, against what e2fsprogs say and the
//! bytes of the disks.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, unreachable_pub, reason = "all tests share it, and each uses a part")]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use boss::db::experiments::Experiment;
use boss::image::Description;
use boss::saved_disk::{
    Area, Category, ChangedFiles, Changes, Difference, DiskMap, SavedDisks, Scope, svg,
};
use boss::swapinfo::Purpose;
use imagezip_core::digest::Sha256;
use imagezip_core::signature::Signature;
use imagezip_core::swapinfo::{Base, Meta};
use support::{Site, describe, sites, write_script};

/// Where partition 1 begins, in sectors, and how long it is.
const START: usize = 2048;
const SECTORS: usize = 64 << 11;
const DISK: usize = 80 << 20;
/// Sectors in a block of the file system, and in a hash block.
const BLOCK: usize = 8;
const HASH_BLOCK: usize = 128;

fn run(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).env("LC_ALL", "C").output().unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8(done.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn noise(seed: u32, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

/// The blocks of a file system that are in use, as dumpe2fs says.
fn used(part: &Path) -> BTreeSet<usize> {
    let said = run("dumpe2fs", &[text(part)]);
    let mut used: BTreeSet<_> = (0..SECTORS / BLOCK).collect();
    for line in said.lines().filter_map(|line| line.strip_prefix("  Free blocks: ")) {
        for range in line.split(", ").filter(|range| !range.is_empty()) {
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            for block in from.parse().unwrap()..=to.parse().unwrap() {
                used.remove(&block);
            }
        }
    }
    used
}

/// A file system as it was and as it is.
struct Parts {
    before: PathBuf,
    after: PathBuf,
}

fn parts(site: &Site) -> Parts {
    let (tree, before, after) = (site.path("tree"), site.path("before"), site.path("after"));
    fs::create_dir_all(tree.join("dir")).unwrap();
    for (name, seed, len) in
        [("same", 1, 3 << 20), ("gone", 2, 2 << 20), ("changed", 3, 1 << 20), ("dir/in", 4, 9000)]
    {
        fs::write(tree.join(name), noise(seed, len)).unwrap();
    }
    fs::File::create(&before).unwrap().set_len(SECTORS as u64 * 512).unwrap();
    run("mkfs.ext4", &["-q", "-b", "4096", "-d", text(&tree), text(&before)]);
    fs::copy(&before, &after).unwrap();
    let new = site.path("new");
    fs::write(&new, noise(5, 5 << 20)).unwrap();
    let small = site.path("small");
    fs::write(&small, noise(6, 700)).unwrap();
    // So that it doesn't take the place of the one that goes.
    let write = format!("write {} dir/new", text(&new));
    let replace = format!("write {} changed", text(&small));
    for command in [write.as_str(), "rm gone", "rm changed", replace.as_str()] {
        run("debugfs", &["-w", "-R", command, text(&after)]);
    }
    Parts { before, after }
}

/// A disk with a file system in partition 1, and swap space in partition 2.
fn disk(site: &Site, name: &str, part: &Path) -> PathBuf {
    let (path, table, swap) = (site.path(name), site.path("table"), site.path("swap"));
    fs::File::create(&path).unwrap().set_len(DISK as u64).unwrap();
    let lines = format!(
        "label: dos\nlabel-id: 0x1234\nstart={START}, size={SECTORS}, type=83\nsize=8192, type=82"
    );
    fs::write(&table, lines).unwrap();
    run("sh", &["-c", &format!("sfdisk -q {} < {}", text(&path), text(&table))]);
    fs::File::create(&swap).unwrap().set_len(4 << 20).unwrap();
    run("mkswap", &["-U", "clear", text(&swap)]);
    for (from, at) in [(part, START), (&swap, START + SECTORS)] {
        let (input, output) = (format!("if={}", text(from)), format!("of={}", text(&path)));
        let seek = format!("seek={at}");
        run("dd", &[&input, &output, &seek, "bs=512", "conv=notrunc,sparse", "status=none"]);
    }
    path
}

/// A site with an experiment whose node `a` has saved `after` as a delta to `before`.
async fn saved(site: &Site, load_partition: u8, before: &Path, after: &Path) -> Experiment {
    let imagezip = site.path("tools/imagezip");
    let image = site.path("base.ndz");
    // Every free sector is left out.
    run(text(&imagezip), &["-F", "0", text(before), text(&image)]);
    let length = if load_partition == 0 { 4 } else { 1 };
    let boot_partition = load_partition.max(1);
    let description =
        Description { load_partition, load_length: length, boot_partition, ..describe() };
    let made = site.images.import(&image, &"testbed/BASE".parse().unwrap(), &description).await;
    let made = made.unwrap();
    made.signature.unwrap();
    let experiment = site.experiment("testbed", &made.image, &["a", "b"]).await;
    let scope = boss::swapinfo::Scope::All;
    site.swapinfo.collect(&experiment, scope, Purpose::Save).await.unwrap();
    let directory = swapinfo(site);
    let [base, delta, state] =
        ["a.sig", "a-swap.ndz", "a-swap.sig"].map(|name| directory.join(name));
    let arguments = ["-F", "0", "-H", text(&base), "-U", text(&state), text(after), text(&delta)];
    run(text(&imagezip), &arguments);
    let bytes = fs::read(&state).unwrap();
    let signature = Signature::read(&bytes).unwrap();
    let meta = Meta {
        pid: "testbed".to_owned(),
        eid: "trial".to_owned(),
        vname: "a".to_owned(),
        base: Some(Base {
            name: "BASE.ndz.sig".to_owned(),
            signature_sha256: Sha256::of(&fs::read(&base).unwrap()).0,
            image_sha256: Some(Sha256::of(&fs::read(&image).unwrap()).0),
        }),
        disk: "sda".to_owned(),
        load_partition,
        disk_size: DISK as u64,
        sector_size: 512,
        image_sha256: Sha256::of(&fs::read(&delta).unwrap()).0,
        image_size: fs::metadata(&delta).unwrap().len(),
        signature_sha256: Some(Sha256::of(&bytes).0),
        chunks: 1,
        regions: 1,
        sectors_in_use: signature.iter().map(|entry| entry.range.len().get()).sum(),
        sectors_changed: 1,
        decided: Vec::new(),
        agent: "test".to_owned(),
        engine_sha256: None,
        created: 1,
    };
    fs::write(directory.join("a-swap.meta"), meta.to_string()).unwrap();
    experiment
}

fn swapinfo(site: &Site) -> PathBuf {
    site.path("proj/testbed/exp/trial/swapinfo")
}

async fn map(disks: &SavedDisks, experiment: &Experiment) -> anyhow::Result<DiskMap> {
    let map = disks.map(experiment, &"a".parse().unwrap()).await?;
    Ok(DiskMap::clone(&map.unwrap()))
}

/// Waits for the comparison.
async fn changes(disks: &SavedDisks, experiment: &Experiment) -> Result<ChangedFiles, String> {
    for _ in 0..600 {
        match disks.changes(experiment, &"a".parse().unwrap()).await {
            Ok(Some(Changes::Ready(files))) => return Ok(ChangedFiles::clone(&files)),
            Ok(Some(Changes::Failed(why))) => return Err(why),
            Ok(Some(Changes::Working)) => tokio::time::sleep(Duration::from_millis(100)).await,
            Ok(None) => panic!("nothing was saved"),
            Err(error) => return Err(format!("{error:#}")),
        }
    }
    panic!("the comparison does not end")
}

/// Compares a map of the file system with what dumpe2fs says, and the bytes.
fn check_area(area: &Area, parts: &Parts) {
    let (before, after) = (used(&parts.before), used(&parts.after));
    let (old, new) = (fs::read(&parts.before).unwrap(), fs::read(&parts.after).unwrap());
    let sectors = |blocks: usize| (blocks * BLOCK) as u64;
    let count = |category| area.usage.sectors(category);
    assert_eq!(area.usage.size().get(), SECTORS as u64 * 512);
    assert_eq!(area.usage.in_use().get(), sectors(after.len()) * 512, "in use");
    assert_eq!(count(Category::New), sectors(after.difference(&before).count()), "new");
    assert_eq!(count(Category::Gone), sectors(before.difference(&after).count()), "gone");
    assert!(count(Category::New) > 8000 && count(Category::Gone) > 4000);
    // What is contiguous in a hash block has one digest, and changes as a whole.
    let mut changed = BTreeSet::new();
    for block in 0..SECTORS / HASH_BLOCK {
        let blocks = block * HASH_BLOCK / BLOCK..(block + 1) * HASH_BLOCK / BLOCK;
        let inside: Vec<_> = blocks.filter(|block| before.contains(block)).collect();
        for run in inside.chunk_by(|a, b| a + 1 == *b) {
            let bytes = run[0] * BLOCK * 512..(run[run.len() - 1] + 1) * BLOCK * 512;
            if old[bytes.clone()] != new[bytes] {
                changed.extend(run.iter().filter(|block| after.contains(block)));
            }
        }
    }
    assert!(!changed.is_empty());
    assert_eq!(count(Category::Changed), sectors(changed.len()), "changed");
    // And cell by cell.
    let cell = usize::try_from(area.cell.get()).unwrap();
    assert_eq!(area.cells.len(), SECTORS.div_ceil(cell));
    for (number, found) in area.cells.iter().enumerate() {
        let blocks = number * cell / BLOCK..(number + 1) * cell / BLOCK;
        let of = |set: &BTreeSet<usize>| sectors(set.range(blocks.clone()).count());
        assert_eq!(found.sectors(Category::Changed), of(&changed), "cell {number}");
        assert_eq!(found.in_use().get(), of(&after) * 512, "cell {number}");
    }
}

fn check_files(files: &boss::saved_disk::PartitionFiles) {
    let found: Vec<_> = files
        .files
        .iter()
        .filter(|file| file.kind != "directory")
        .map(|file| (file.difference, file.path.as_str(), file.old_size, file.new_size))
        .collect();
    let expected = [
        (Difference::Modified, "/changed", Some(1 << 20), Some(700)),
        (Difference::Added, "/dir/new", None, Some(5 << 20)),
        (Difference::Deleted, "/gone", Some(2 << 20), None),
    ];
    assert_eq!(found, expected, "{files:?}");
    assert_eq!((files.more, files.problem.as_deref()), (0, None));
}

#[tokio::test]
async fn a_disk_with_partitions() {
    let site = sites().await.swap_remove(0);
    let parts = parts(&site);
    let (before, after) =
        (disk(&site, "disk-before", &parts.before), disk(&site, "disk-after", &parts.after));
    let experiment = saved(&site, 0, &before, &after).await;
    let disks = SavedDisks::new(&site.config, &site.db);
    let map = map(&disks, &experiment).await.unwrap();
    assert_eq!((map.scope, map.disk_size.get()), (Scope::Disk, DISK as u64));
    assert!(map.has_base && map.knows_gone);
    assert_eq!(map.notes, Vec::<String>::new());
    let [root, swap] = map.areas.as_slice() else { panic!("{:?}", map.areas) };
    let places = [root, swap].map(|area| (area.number, area.label.as_str()));
    assert_eq!(places, [(Some(1), "ext4"), (Some(2), "swap space")]);
    check_area(root, &parts);
    // The header of the swap space, and the table, as they were.
    let is_same = |usage: &boss::saved_disk::Usage| {
        usage.in_use() == usage.bytes(Category::Allocated) && usage.in_use().get() > 0
    };
    assert!(is_same(&swap.usage) && is_same(&map.outside));
    assert_eq!(map.total.size().get(), DISK as u64);
    let drawing = svg(&map);
    assert!(drawing.contains("Partition 1, ext4, 67.1 MB"), "{drawing}");
    // Somebody may want to look at it.
    if let Ok(path) = std::env::var("SAVED_DISK_SVG") {
        fs::write(path, &drawing).unwrap();
    }

    let files = changes(&disks, &experiment).await.unwrap();
    let [root, swap] = files.partitions.as_slice() else { panic!("{files:?}") };
    assert_eq!((root.number, root.holds.as_deref()), (Some(1), Some("ext4")));
    check_files(root);
    let problem = swap.problem.as_deref().unwrap();
    assert!(swap.number == Some(2) && problem.contains("swap space"), "{problem}");
    let nobody = disks.map(&experiment, &"b".parse().unwrap()).await.unwrap();
    assert!(nobody.is_none(), "it has saved nothing");
}

#[tokio::test]
async fn a_partition_alone() {
    let site = sites().await.swap_remove(0);
    let parts = parts(&site);
    let experiment = saved(&site, 2, &parts.before, &parts.after).await;
    let disks = SavedDisks::new(&site.config, &site.db);
    let map = map(&disks, &experiment).await.unwrap();
    assert_eq!((map.scope, map.disk_size.get()), (Scope::Partition(2), DISK as u64));
    let [root] = map.areas.as_slice() else { panic!("{:?}", map.areas) };
    assert_eq!((root.number, root.label.as_str()), (Some(2), "ext4"));
    check_area(root, &parts);
    assert_eq!(map.outside.size().get(), 0);
    let files = changes(&disks, &experiment).await.unwrap();
    let [root] = files.partitions.as_slice() else { panic!("{files:?}") };
    check_files(root);
}

#[tokio::test]
async fn what_users_put_in_the_place_of_files() {
    let site = sites().await.swap_remove(0);
    let parts = parts(&site);
    let experiment = saved(&site, 2, &parts.before, &parts.after).await;
    let directory = swapinfo(&site);
    let [meta, delta, state] =
        ["a-swap.meta", "a-swap.ndz", "a-swap.sig"].map(|name| directory.join(name));
    let good = [&meta, &delta, &state].map(|path| fs::read(path).unwrap());
    let whole = map(&SavedDisks::new(&site.config, &site.db), &experiment).await.unwrap();
    let put_back = || {
        for (path, bytes) in [&meta, &delta, &state].into_iter().zip(&good) {
            let _ = fs::remove_file(path);
            fs::write(path, bytes).unwrap();
        }
    };
    let fails = async |why: &str| {
        let disks = SavedDisks::new(&site.config, &site.db);
        let error = format!("{:#}", map(&disks, &experiment).await.unwrap_err());
        assert!(error.contains(why), "{error}");
        changes(&disks, &experiment).await
    };
    // Another size.
    fs::write(&delta, &good[1][..good[1].len() - 1]).unwrap();
    fails("bytes, not the").await.unwrap_err();
    // A link to something that boss can read.
    fs::remove_file(&delta).unwrap();
    symlink("/etc/passwd", &delta).unwrap();
    fails("is a link").await.unwrap_err();
    put_back();
    // Anything at all, as long.
    fs::write(&delta, noise(1, good[1].len())).unwrap();
    let said = fails("reading what was saved").await.unwrap();
    let problem = said.partitions[0].problem.as_deref().unwrap();
    assert!(problem.contains("what was saved") && !problem.contains("/proc/"), "{problem}");
    put_back();
    // A signature of something else: what was freed isn't known, and is not made up.
    fs::write(&state, &good[2][..good[2].len() - 7]).unwrap();
    let found = map(&SavedDisks::new(&site.config, &site.db), &experiment).await.unwrap();
    assert!(!found.knows_gone && found.total.sectors(Category::Gone) == 0);
    assert!(found.notes[0].contains("What was freed isn't known"), "{:?}", found.notes);
    assert_eq!(found.total.sectors(Category::Changed), whole.total.sectors(Category::Changed));
    put_back();
    // A `.meta` of a disk of any size.
    let text = String::from_utf8(good[0].clone()).unwrap();
    let huge = text.replace(&format!("DISKSIZE={DISK}"), &format!("DISKSIZE={}", u64::MAX));
    for huge in [huge.clone(), huge.replace("LOADPART=2", "LOADPART=0")] {
        fs::write(&meta, huge).unwrap();
        let disks = SavedDisks::new(&site.config, &site.db);
        // There is no base image of a whole disk.
        if let Ok(map) = map(&disks, &experiment).await {
            assert!(svg(&map).len() < 60_000);
        }
    }
    put_back();
    // The base image is another project's.
    sqlx::any::install_default_drivers();
    let database = format!("sqlite://{}", site.path("boss.db").display());
    let pool = sqlx::AnyPool::connect(&database).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let moved = "UPDATE images SET pid = 'others'";
    for statement in ["PRAGMA foreign_keys = OFF", moved] {
        sqlx::query(statement).execute(&mut *connection).await.unwrap();
    }
    fails("of another project").await.unwrap_err();
}

#[tokio::test]
async fn nothing_is_compared_twice_at_once() {
    let site = sites().await.swap_remove(0);
    let parts = parts(&site);
    let experiment = saved(&site, 2, &parts.before, &parts.after).await;
    let log = site.path("log");
    let script = format!("#!/bin/sh\necho \"$1\" >> {}\n/bin/sleep 0.3\necho '[]'\n", text(&log));
    write_script(&site.path("tools/imagefs"), &script);
    let disks = SavedDisks::new(&site.config, &site.db);
    for _ in 0..20 {
        let first = disks.changes(&experiment, &"a".parse().unwrap()).await.unwrap();
        assert!(matches!(first, Some(Changes::Working)), "it doesn't wait");
    }
    changes(&disks, &experiment).await.unwrap();
    changes(&disks, &experiment).await.unwrap();
    assert_eq!(fs::read_to_string(&log).unwrap(), "diff\n");
    // What is saved anew is another.
    let delta = swapinfo(&site).join("a-swap.ndz");
    let bytes = fs::read(&delta).unwrap();
    fs::remove_file(&delta).unwrap();
    fs::write(&delta, bytes).unwrap();
    changes(&disks, &experiment).await.unwrap();
    assert_eq!(fs::read_to_string(&log).unwrap(), "diff\ndiff\n");
}
