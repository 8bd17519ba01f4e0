//! The golden disks with file systems are saved, as a base image and a delta, and loaded onto a
//! full disk; then e2fsprogs and util-linux judge what came back. The reference gets many of them
//! wrong (golden/README.md), so it is no measure here.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use imagezip_core::allocation::{DiskMap, LEAST_FREE, Report, Selection};
use imagezip_core::extent::ExtentSet;
use imagezip_core::filesystem::{FilesystemKind, Verdict};
use imagezip_core::sector::{Sector, SectorCount, SectorRange};
use swapmfs_tests::disk::{Made, differing, filled, load, map, save};
use swapmfs_tests::golden::Case;
use swapmfs_tests::host_tools::DiskFile;

/// A disk in one state, what a scan finds, and what other programs say.
struct State {
    disk: Vec<u8>,
    map: DiskMap,
    file: DiskFile,
}

impl State {
    fn of(case: &Case, name: &str) -> Self {
        let disk = case.disk(name).unwrap();
        let map = map(&disk, Selection::WholeDisk, least_free(case)).unwrap();
        let file = DiskFile::new(&disk).unwrap();
        Self { disk, map, file }
    }

    /// The sectors of a range that are not saved.
    fn left_out(&self, range: SectorRange) -> ExtentSet {
        self.map.in_use.complement(range)
    }

    fn verdicts(&self) -> Vec<String> {
        self.map.partitions.iter().map(|report| report.verdict.to_string()).collect()
    }
}

/// The value of `-F` with which the reference made the case's images.
fn least_free(case: &Case) -> SectorCount {
    if case.name() == "ext4-F0" { SectorCount::ZERO } else { LEAST_FREE }
}

fn is_ext(report: &Report) -> bool {
    report.verdict.to_string().starts_with("aware(ext")
}

/// What of `extents` lies outside of the partitions for which `of` holds.
fn outside(extents: &ExtentSet, state: &State, of: fn(&Report) -> bool) -> ExtentSet {
    let partitions = state.map.partitions.iter().filter(|report| of(report));
    extents.difference(&ExtentSet::from_unsorted(partitions.map(|report| report.range).collect()))
}

/// A full disk of the size of `state` after images were loaded in turn.
fn loaded(state: &State, images: &[&[u8]]) -> Vec<u8> {
    let mut disk = filled(state.disk.len());
    for image in images {
        load(image, &mut disk).unwrap();
    }
    disk
}

/// What was loaded is as good as the disk that was saved.
fn assert_restored(state: &State, restored: &[u8], about: &str) {
    let wrong = |sectors: &ExtentSet| differing(sectors, restored, &state.disk);
    assert_eq!(wrong(&state.map.in_use), ExtentSet::new(), "{about}: sectors in use");
    let file = DiskFile::new(restored).unwrap();
    if state.map.partitions.iter().all(|report| report.number > 0) {
        let table = state.file.partition_table().unwrap();
        assert_eq!(file.partition_table().unwrap(), table, "{about}: partition table");
    }
    for report in &state.map.partitions {
        let about = format!("{about}: partition {}", report.number);
        let identity = state.file.identity(report.range).unwrap();
        assert_eq!(file.identity(report.range).unwrap(), identity, "{about}");
        // To blkid a slice with a label is none of the file systems that it knows.
        let is_known =
            matches!(report.verdict, Verdict::Aware(kind) if kind != FilesystemKind::BsdSlice);
        assert!(identity.code == Some(0) || !is_known, "{about}: {identity:?}");
        if is_ext(report) {
            assert_ext_restored(state, &file, report, &about);
            let free = state.file.ext(report.range.start()).unwrap().free;
            let used = free.complement(report.range);
            assert_eq!(wrong(&used), ExtentSet::new(), "{about}: blocks that dumpe2fs counts used");
        }
    }
}

/// The file system is clean, and by each of its superblocks it is what it was.
fn assert_ext_restored(state: &State, file: &DiskFile, report: &Report, about: &str) {
    let start = report.range.start();
    let check = file.e2fsck(start).unwrap();
    assert_eq!(check.code, Some(0), "{about}: {}", check.messages);
    assert_eq!(check, state.file.e2fsck(start).unwrap(), "{about}");
    let ext = state.file.ext(start).unwrap();
    for backup in &ext.backups {
        // Backups have old counts of free blocks; of that e2fsck complains in the disk, too.
        let check = file.e2fsck_by_backup(start, &ext, *backup).unwrap();
        let expected = state.file.e2fsck_by_backup(start, &ext, *backup).unwrap();
        assert_eq!(check, expected, "{about}: by the superblock in block {backup}");
    }
}

/// Nothing in use is left out, and hardly anything that is free is not.
fn assert_tight(case: &Case, state: &State, about: &str) {
    for report in state.map.partitions.iter().filter(|report| is_ext(report)) {
        let free = state.file.ext(report.range.start()).unwrap().free;
        let left_out = state.left_out(report.range);
        assert_eq!(left_out.difference(&free), ExtentSet::new(), "{about}: {}", report.number);
        let worthwhile = free.without_short(least_free(case)).sector_count().get();
        let left_out = left_out.sector_count().get();
        assert!(left_out * 100 >= worthwhile * 99, "{about}: {left_out} of {worthwhile} free");
    }
}

/// The file systems that the manifest tells of are found.
fn assert_found(case: &Case, state: &State) {
    for expected in case.manifest()["fs"].as_array().unwrap() {
        let (start, sectors) = (expected[1].as_u64().unwrap(), expected[2].as_u64().unwrap());
        let range =
            SectorRange::with_len(Sector::new(start).unwrap(), SectorCount::new(sectors).unwrap());
        let range = range.unwrap();
        let found = state.map.partitions.iter().find(|report| report.range.contains(range));
        let found = found.map(|report| (report.range.start(), is_ext(report)));
        assert_eq!(found, Some((range.start(), expected[0] == "ext")), "{}", case.name());
    }
}

fn full(state: &State) -> Made {
    save(&state.disk, &state.map, None).unwrap()
}

/// Saves and restores a disk in both states, over our base image and over the reference's.
fn check_round_trip(name: &str, verdicts: &[&str]) {
    let case = Case::open(name).unwrap();
    let (base, state) = (State::of(&case, "base.img"), State::of(&case, "mod.img"));
    for state in [&base, &state] {
        assert_eq!(state.verdicts(), verdicts, "{name}");
        assert_found(&case, state);
        assert_tight(&case, state, name);
    }
    let first = full(&base);
    assert_restored(&base, &loaded(&base, &[&first.image]), &format!("{name}: base"));
    let delta = save(&state.disk, &state.map, Some(&first.saved.signature)).unwrap();
    let restored = loaded(&state, &[&first.image, &delta.image]);
    assert_restored(&state, &restored, &format!("{name}: base and delta"));

    if case.has("base.sig") {
        // What its image lacks is not in its signature either, and so comes with the delta.
        let signature = case.signature("base.sig").unwrap();
        let delta = save(&state.disk, &state.map, Some(&signature)).unwrap();
        let restored = loaded(&state, &[&case.file("base.ndz").unwrap(), &delta.image]);
        assert_restored(&state, &restored, &format!("{name}: base.ndz and delta"));

        // Outside of ext file systems the scan finds what the reference finds.
        let golden = case.image("mod.ndz").unwrap().extents;
        let ours = outside(&state.map.in_use, &state, is_ext);
        assert_eq!(ours, outside(&golden, &state, is_ext), "{name}: mod.ndz");
    }
}

macro_rules! round_trips {
    ($($test:ident $name:literal [$($verdict:literal),*])*) => {
        $(
            #[test]
            fn $test() {
                check_round_trip($name, &[$(concat!("aware(", $verdict, ")")),*]);
            }
        )*
    };
}

round_trips! {
    ext4_1k_comes_back "ext4-1k" ["ext4"]
    ext4_64bit_1k_comes_back "ext4-64bit-1k" ["ext4"]
    ext4_f0_comes_back "ext4-F0" ["ext4"]
    ext4_f8_z_comes_back "ext4-F8-Z" ["ext4"]
    ext4_bigalloc_comes_back "ext4-bigalloc" ["ext4"]
    ext4_deleted_comes_back "ext4-deleted" ["ext4"]
    ext4_metabg_comes_back "ext4-metabg" ["ext4"]
    ext4_noflexbg_comes_back "ext4-noflexbg" ["ext4"]
    ext4_uninitbg_comes_back "ext4-uninitbg" ["ext4"]
    mbr_ext4_swap_comes_back "mbr-ext4-swap" ["ext4", "swap"]
    mbr_ext4def_swap_comes_back "mbr-ext4def-swap" ["ext4", "swap"]
    mbr_ext4_64bit_only_comes_back "mbr-ext4-64bit-only" ["ext4"]
    mbr_ext2_logical_ext3_comes_back "mbr-ext2-logical-ext3" ["ext2", "ext3", "ext3"]
    wholedev_ext4_comes_back "wholedev-ext4" ["ext4"]
}

/// How many sectors that dumpe2fs counts used are not in an image.
fn lacking(case: &Case, disk: &str, image: &str, range: SectorRange) -> u64 {
    let file = DiskFile::new(&case.disk(disk).unwrap()).unwrap();
    let used = file.ext(range.start()).unwrap().free.complement(range);
    used.difference(&case.image(image).unwrap().extents).sector_count().get()
}

/// The measure is right: by it the reference's images lack as many sectors as an independent look
/// at the bitmaps found, none where the reference is right; and e2fsck misses their backups of the
/// superblock.
#[test]
fn what_the_reference_leaves_out_is_seen() {
    let mut faulty = 0;
    // The image of this one can't be read.
    for name in Case::names().unwrap().into_iter().filter(|name| name != "smallswap") {
        let case = Case::open(&name).unwrap();
        let checks = &case.manifest()["checks"];
        for fs in case.manifest()["fs"].as_array().unwrap().iter().filter(|fs| fs[0] == "ext") {
            let (start, sectors) = (fs[1].as_u64().unwrap(), fs[2].as_u64().unwrap());
            let len = SectorCount::new(sectors).unwrap();
            let range = SectorRange::with_len(Sector::new(start).unwrap(), len).unwrap();
            for (check, state) in [("base alone", "base"), ("base+delta", "mod")] {
                let expected = &checks[check][format!("ext@{start}")];
                let Some(expected) = expected["allocated but not in full image"].as_u64() else {
                    continue;
                };
                let (disk, image) = (format!("{state}.img"), format!("{state}.ndz"));
                assert_eq!(lacking(&case, &disk, &image, range), expected, "{name}: {image}");
                faulty += u32::from(expected > 0);
            }
        }
    }
    assert!(faulty >= 15, "only {faulty}");

    let case = Case::open("ext4-1k").unwrap();
    let state = State::of(&case, "base.img");
    let start = state.map.partitions[0].range.start();
    let file = DiskFile::new(&loaded(&state, &[&case.file("base.ndz").unwrap()])).unwrap();
    let ext = state.file.ext(start).unwrap();
    let is_missed = |backup: &u64| {
        let [found, expected] =
            [&file, &state.file].map(|file| file.e2fsck_by_backup(start, &ext, *backup).unwrap());
        found != expected
    };
    assert!(ext.backups.iter().any(is_missed));
}

/// Where our signatures come after each other, no free sector that a signature covers is taken
/// for what it was.
#[test]
fn a_chain_of_deltas_comes_back() {
    let case = Case::open("gapsig-chain").unwrap();
    let names = ["base", "s2", "mod"];
    let states = names.map(|name| State::of(&case, &format!("{name}.img")));
    let mut signature = None;
    let mut images = Vec::new();
    for (number, state) in states.iter().enumerate() {
        let golden = case.image(&format!("{}.ndz", names[number])).unwrap();
        assert_eq!(state.map.in_use, golden.extents);
        assert_eq!(state.verdicts(), ["aware(ext2)"]);
        assert_tight(&case, state, "gapsig-chain");
        let made = save(&state.disk, &state.map, signature.as_ref()).unwrap();
        images.push(made.image);
        signature = Some(made.saved.signature);
        let images = images.iter().map(Vec::as_slice).collect::<Vec<_>>();
        let restored = loaded(state, &images);
        assert_restored(state, &restored, &format!("gapsig-chain: {number} deltas"));
    }
    // The one that the reference makes when its signature covers no free sectors.
    let delta3 = case.image("delta3ok.ndz").unwrap();
    let mut disk = filled(states[2].disk.len());
    assert_eq!(load(&images[2], &mut disk).unwrap(), delta3.extents);
}

/// The reference's image of it can't be restored: it keeps 32 KiB of swap space by its type, and
/// the partition has 20. Nor is there anything in it, so that by its content it is not known.
#[test]
fn a_partition_too_small_for_swap_comes_back() {
    let case = Case::open("smallswap").unwrap();
    let state = State::of(&case, "base.img");
    assert_eq!(state.verdicts(), ["raw(unknown)", "aware(ext2)"]);
    assert_found(&case, &state);
    assert_tight(&case, &state, "smallswap");
    let made = full(&state);
    assert_restored(&state, &loaded(&state, &[&made.image]), "smallswap");
    let again = save(&state.disk, &state.map, Some(&made.saved.signature)).unwrap();
    assert!(again.image.is_empty());
}

/// How what our scan finds stands to what the reference has saved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Against {
    /// It is the same.
    Same,
    /// It holds that and more.
    More,
    /// The reference lacks what is in use.
    Wrong,
}

/// File systems other than ext come back.
fn check_other(name: &str, verdicts: &[&str], against: Against) {
    let case = Case::open(name).unwrap();
    let (base, state) = (State::of(&case, "base.img"), State::of(&case, "mod.img"));
    for (state, image) in [(&base, "base.ndz"), (&state, "mod.ndz")] {
        assert_eq!(state.verdicts(), verdicts, "{name}");
        let golden = case.image(image).unwrap().extents;
        match against {
            Against::Same => assert_eq!(state.map.in_use, golden, "{name}: {image}"),
            Against::More => {
                let lacking = golden.difference(&state.map.in_use);
                assert_eq!(lacking, ExtentSet::new(), "{name}: {image}");
            }
            Against::Wrong => {}
        }
    }
    let first = full(&base);
    let delta = save(&state.disk, &state.map, Some(&first.saved.signature)).unwrap();
    let over_ours = loaded(&state, &[&first.image, &delta.image]);
    assert_restored(&state, &over_ours, &format!("{name}: base and delta"));

    let signature = case.signature("base.sig").unwrap();
    let delta = save(&state.disk, &state.map, Some(&signature)).unwrap();
    let over_theirs = loaded(&state, &[&case.file("base.ndz").unwrap(), &delta.image]);
    assert_restored(&state, &over_theirs, &format!("{name}: base.ndz and delta"));

    for report in state.map.partitions.iter().filter(|report| is_fat(report)) {
        for disk in [&over_ours, &over_theirs] {
            let check = DiskFile::new(disk).unwrap().fsck_fat(report.range).unwrap();
            assert_eq!(check.code, Some(0), "{name}: {}", check.messages);
        }
    }
}

fn is_fat(report: &Report) -> bool {
    report.verdict.to_string().starts_with("aware(FAT")
}

macro_rules! others {
    ($($test:ident $name:literal [$($verdict:literal),*] $against:ident)*) => {
        $(
            #[test]
            fn $test() {
                check_other($name, &[$($verdict),*], Against::$against);
            }
        )*
    };
}

others! {
    fat16_comes_back "mbr-fat16" ["aware(FAT16)"] Same
    fat16_of_large_sectors_comes_back "mbr-fat16-4ksec" ["aware(FAT16)"] Wrong
    fat32_comes_back "mbr-fat32-lba" ["aware(FAT32)"] Same
    // Of pagefile.sys and hiberfil.sys we save more.
    ntfs_comes_back "mbr-ntfs" ["aware(NTFS)"] More
    ufs2_in_a_gpt_comes_back "gpt-ufs2" ["raw(unknown)", "aware(UFS2)", "skipped(FreeBSD swap)"] Same
    ufs2_in_a_slice_comes_back "mbr-ufs2-rel" ["aware(BSD slice)", "aware(ext2)"] Same
    an_esp_comes_back "gpt-esp-ext4-swap" ["aware(FAT32)", "aware(ext4)", "aware(swap)"] Same
}
