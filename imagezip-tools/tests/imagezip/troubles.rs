//! Disks that are broken or in use.

use crate::bench::{Bench, Undo};
use crate::disks::{disk, noise};

fn mount<'a>(bench: &'a Bench, options: &str, what: &str, at: &str) -> Undo<'a> {
    std::fs::create_dir_all(bench.path(at)).unwrap();
    bench.run("mount", &["-o", options, what, at]);
    Undo(bench, "umount", vec![at.to_owned()])
}

/// A file of which some sectors can't be read: one of its blocks of extents is damaged, which the
/// kernel notices by its checksum.
fn broken_file(bench: &Bench) -> Undo<'_> {
    bench.write("fs", &[]);
    bench.run("truncate", &["-s", "64M", "fs"]);
    bench.run("mke2fs", &["-q", "-F", "-t", "ext4", "-b", "4096", "-O", "metadata_csum", "fs"]);
    {
        let _mounted = mount(bench, "loop", "fs", "at");
        // With a hole after each block, so that many extents are needed.
        let file = std::fs::File::create(bench.path("at/file")).unwrap();
        for number in 0..1000_u64 {
            let block = noise(4096, number + 1);
            std::os::unix::fs::FileExt::write_all_at(&file, &block, number * 8192).unwrap();
        }
        file.set_len(1000 * 8192).unwrap();
        file.sync_all().unwrap();
    }
    let extents = bench.run("debugfs", &["-R", "dump_extents file", "fs"]);
    // The second block of extents: level 1 of 1, its own place is the third column from the end.
    let leaves: Vec<u64> = extents
        .lines()
        .filter(|line| line.trim_start().starts_with("0/ 1"))
        .filter_map(|line| line.split_whitespace().rev().nth(1)?.parse().ok())
        .collect();
    let leaf = *leaves.get(1).unwrap_or_else(|| panic!("{extents}"));
    let mut disk = bench.read("fs");
    disk[usize::try_from(leaf).unwrap() * 4096 + 100] ^= 1;
    bench.write("fs", &disk);
    mount(bench, "loop,ro", "fs", "at")
}

#[test]
fn sectors_that_cannot_be_read() {
    let bench = Bench::new();
    let _mounted = broken_file(&bench);
    let said = bench.imagezip(&["-r", "at/file", "out"]);
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    assert!(said.stderr.contains("reading at/file"), "{}", said.stderr);
    assert!(!bench.exists("out"));

    let said = bench.save(&["-X", "--json", "-r", "at/file", "out"]);
    let statistics: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    let lost = statistics["unreadable"].as_u64().unwrap();
    assert!(said.stderr.contains(&format!("WARNING: {lost} sectors")), "{}", said.stderr);
    let content = bench.content("out");
    let mut zeros = 0;
    for (number, pair) in (1_u64..).zip(content.disk.chunks(8192)) {
        if pair.iter().all(|byte| *byte == 0) {
            zeros += 1;
        } else {
            assert!(pair[..4096] == noise(4096, number) && pair[4096..].iter().all(|b| *b == 0));
        }
    }
    assert!((300..400).contains(&zeros), "{zeros} blocks lost");
    assert!((zeros * 8..=zeros * 16 + 8).contains(&lost), "{lost} sectors lost, {zeros} blocks");
}

#[test]
fn a_disk_that_is_in_use_is_worth_a_warning() {
    let bench = disk();
    let run = |line: &str| bench.run("sh", &["-c", line]).trim().to_owned();
    let (device, _attached) = bench.attach(512);
    let said = bench.save(&[&device, "out"]);
    assert!(!said.stderr.contains("WARNING"), "{}", said.stderr);
    assert_eq!(bench.content("out").disk.len() as u64, crate::disks::SECTORS * 512);
    // A loop device of the first partition's sectors alone.
    let offset = (crate::disks::EXT.0 * 512).to_string();
    let size = ((crate::disks::EXT.1 - 8192) * 512).to_string();
    let part = run(&format!("losetup --find --show --offset {offset} --sizelimit {size} disk"));
    let _part = Undo(&bench, "losetup", vec!["--detach".to_owned(), part.clone()]);
    let _mounted = mount(&bench, "rw", &part, "at");
    let said = bench.save(&["-l", &part, "out"]);
    assert!(said.stderr.contains("is mounted for writing on"), "{}", said.stderr);
}
