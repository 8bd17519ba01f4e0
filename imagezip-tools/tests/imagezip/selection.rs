//! Which sectors are saved.

use imagezip_core::sector::SectorRange;

use crate::bench::{Bench, Content, FILLING, range};
use crate::disks::{EXT, SECTORS, SWAP, UNKNOWN, assert_files, disk, mkfs, noise};

fn of(partition: (u64, u64)) -> SectorRange {
    range(partition.0, partition.0 + partition.1)
}

fn saved_in(content: &Content, range: SectorRange) -> u64 {
    content.extents.within(range).map(|extent| extent.len().get()).sum()
}

/// What is loaded from the image, made with `arguments`, of the usual disk.
fn content(bench: &Bench, arguments: &[&str]) -> Content {
    let arguments: Vec<_> = arguments.iter().copied().chain(["disk", "out"]).collect();
    bench.save(&arguments);
    let content = bench.content("out");
    content.assert_of(&bench.read("disk"));
    content
}

fn extract(bench: &Bench, content: &Content, partition: (u64, u64)) {
    let bytes = crate::bench::bytes_of(of(partition));
    bench.write("fs", &content.disk[bytes]);
}

#[test]
fn a_whole_disk() {
    let bench = disk();
    let whole = content(&bench, &[]);
    assert_eq!(whole.disk.len() as u64, SECTORS * 512);
    assert_eq!(saved_in(&whole, of(SWAP)), 64);
    assert_eq!(saved_in(&whole, of(UNKNOWN)), UNKNOWN.1);
    assert_eq!(saved_in(&whole, range(0, EXT.0)), EXT.0);
    assert_eq!(saved_in(&whole, range(UNKNOWN.0 + UNKNOWN.1, SECTORS)), 0);
    extract(&bench, &whole, EXT);
    assert_files(&bench, "fs");
    let free = EXT.1 - saved_in(&whole, of(EXT));
    assert!(free > 10_000, "only {free} free sectors left out");
}

#[test]
fn one_partition() {
    let bench = disk();
    for number in ["-s1", "--slice=1"] {
        bench.save(&[number, "disk", "out"]);
        let content = bench.content("out");
        content.assert_of(&bench.read("disk")[crate::bench::bytes_of(of(EXT))]);
        bench.write("fs", &content.disk);
        assert_files(&bench, "fs");
    }
    let message = bench.refuse(&["-s", "4", "disk", "none"]);
    assert!(message.contains("has no partition"), "{message}");
    assert!(!bench.exists("none"));
}

#[test]
fn partitions_are_left_out_or_saved_whole() {
    let bench = disk();
    let said = bench.save(&["-I1", "-I", "3", "-R", "2", "disk", "out"]);
    for line in [
        "P1: forcing skip, NOT SAVING.",
        "P2: forcing raw compression.",
        "P3: forcing skip, NOT SAVING.",
    ] {
        assert!(said.stderr.lines().any(|said| said == line), "{}", said.stderr);
    }
    let content = bench.content("out");
    content.assert_of(&bench.read("disk"));
    assert_eq!(saved_in(&content, of(EXT)) + saved_in(&content, of(UNKNOWN)), 0);
    assert_eq!(saved_in(&content, of(SWAP)), SWAP.1);
    let raw = self::content(&bench, &["--raw-slice", "1"]);
    assert_eq!(saved_in(&raw, of(EXT)), EXT.1);
    let said = bench.save(&["-I", "9", "disk", "out"]);
    assert!(said.stderr.contains("no partition 9"), "{}", said.stderr);
}

#[test]
fn the_rest_of_a_partition_after_its_file_system() {
    let bench = disk();
    let (with, without) = (content(&bench, &[]), content(&bench, &["-x"]));
    // The file system is 4 MiB smaller.
    let rest = range(EXT.0 + EXT.1 - 8192, EXT.0 + EXT.1);
    assert_eq!((saved_in(&with, rest), saved_in(&without, rest)), (8192, 0));
    let before = range(0, EXT.0 + EXT.1 - 8192);
    assert_eq!(saved_in(&with, before), saved_in(&without, before));
}

#[test]
fn only_the_first_sectors() {
    let bench = disk();
    let whole = content(&bench, &[]);
    for count in [1, 2048, 40_000, SECTORS, SECTORS + 1] {
        let some = content(&bench, &["-c", &count.to_string()]);
        let area = range(0, count.min(SECTORS));
        assert_eq!(some.disk.len() as u64, area.len().to_bytes().get());
        assert_eq!(some.extents, whole.extents.within(area).collect());
    }
    bench.refuse(&["-c", "100", "-s", "1", "disk", "none"]);
    bench.refuse(&["-c", "0", "disk", "none"]);
}

#[test]
fn short_free_ranges() {
    let bench = disk();
    let fine = content(&bench, &["-F0"]);
    let coarse = content(&bench, &["-F", "100000"]);
    assert!(fine.extents.extent_count() > coarse.extents.extent_count());
    // But for the space after the last partition, which is longer only with what follows it.
    assert_eq!(saved_in(&coarse, range(0, UNKNOWN.0)), UNKNOWN.0);

    // What is saved although it is free can be zeros.
    bench.save(&["-F", "100000", "-Z", "disk", "out"]);
    let zeroed = bench.content("out");
    assert_eq!(zeroed.extents, coarse.extents);
    let swap = crate::bench::bytes_of(range(SWAP.0 + 64, SWAP.0 + SWAP.1));
    assert!(zeroed.disk[swap].iter().all(|byte| *byte == 0));
    for extent in &fine.extents {
        let bytes = crate::bench::bytes_of(extent);
        assert!(zeroed.disk[bytes.clone()] == fine.disk[bytes]);
    }
    extract(&bench, &zeroed, EXT);
    assert_files(&bench, "fs");
}

#[test]
fn a_bare_file_system() {
    let bench = Bench::new();
    bench.write("disk", &noise(16 << 20, 3));
    mkfs(&bench, "disk", 0, 32768);
    for how in ["-l", "-S131", "--filesystem=0x83", "-b", "-n"] {
        let content = content(&bench, &[how]);
        bench.write("fs", &content.disk);
        assert_files(&bench, "fs");
        assert!(content.extents.sector_count().get() < 20_000);
        let said = bench.save(&[how, "disk", "out"]);
        let expected = !matches!(how, "-b" | "-n");
        assert_eq!(!said.stderr.contains("was expected"), expected, "{}", said.stderr);
    }
    // Without saying what it is, too; or everything.
    assert!(content(&bench, &[]).extents.sector_count().get() < 20_000);
    assert_eq!(content(&bench, &["-r"]).extents.as_slice(), [range(0, 32768)]);
    assert_eq!(content(&bench, &["-f", "-c", "1000"]).extents.as_slice(), [range(0, 1000)]);
    bench.refuse(&["-l", "-r", "disk", "none"]);
}

#[test]
fn too_much_data() {
    let bench = disk();
    let said = bench.save(&["-i", "--json", "disk"]);
    let statistics: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    let count = |name: &str| statistics[name].as_u64().unwrap();
    let mib = (count("in_use") - count("forgotten")).div_ceil(2048);
    bench.save(&["-A", &mib.to_string(), "disk", "out"]);
    let message = bench.refuse(&["-A", &(mib - 1).to_string(), "disk", "none"]);
    assert!(message.contains(&format!("{mib} MiB are in use")), "{message}");
    assert!(!bench.exists("none"));
}

#[test]
fn a_boot_image() {
    let bench = disk();
    bench.save(&["-B", "1", "disk", "out"]);
    let content = bench.content("out");
    assert_eq!(content.disk.len() as u64, (EXT.0 + EXT.1) * 512);
    bench.write("booted", &content.disk);
    let dump = bench.run("sfdisk", &["--dump", "booted"]);
    assert_eq!(dump.lines().filter(|line| line.starts_with("booted")).count(), 1, "{dump}");
    extract(&bench, &content, EXT);
    assert_files(&bench, "fs");
    bench.save(&["-B", "3", "disk", "out"]);
    let content = bench.content("out");
    assert_eq!(saved_in(&content, range(EXT.0, UNKNOWN.0)), 0);
    assert_eq!(content.disk[usize::try_from(EXT.0 * 512).unwrap()], FILLING);
    for with in ["-s1", "-S131", "-r", "-f", "-l"] {
        bench.refuse(&["-B", "1", with, "disk", "none"]);
    }
}
