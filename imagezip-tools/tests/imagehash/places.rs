//! Images on partitions, and on devices.

use std::fs;
use std::os::unix::fs::FileExt;

use crate::bench::Bench;

/// Where a partition of a disk with an MBR begins, and how many sectors it has.
fn partition(disk: &[u8], number: usize) -> (u64, u64) {
    let entry = &disk[446 + 16 * (number - 1)..][..16];
    let word = |at: usize| u64::from(u32::from_le_bytes(entry[at..at + 4].try_into().unwrap()));
    (word(8), word(12))
}

#[test]
fn an_image_of_a_partition_is_compared_with_the_partition() {
    let bench = Bench::new("slicemode", &["base.s2.ndz", "base.s2.sig", "base.img"]);
    let (start, len) = partition(&bench.get("base.img"), 2);
    let signature = ["-o", "base.s2.sig", "base.s2.ndz", "base.img"];
    let with = |option: &[&str]| bench.call(&[&signature, option].concat()).status;
    assert_eq!(with(&["--partition", "2"]), 0);
    assert_eq!(with(&["--offset", &start.to_string()]), 0);
    assert_eq!(with(&["--base", &start.to_string()]), 0);
    assert_eq!(with(&[]), 1);
    assert_eq!(with(&["--partition", "1"]), 1);
    let raw = ["-D", "raw", "--partition", "2", "base.s2.ndz", "base.img"];
    assert_eq!(bench.prints(&raw, 0), "");

    // As a file of its own, and only that long.
    let disk = bench.get("base.img");
    let [from, to] = [start, start + len].map(|sector| usize::try_from(sector * 512).unwrap());
    bench.put("part", &disk[from..to]);
    assert_eq!(bench.call(&["base.s2.ndz", "part"]).status, 0);

    bench.refuses(
        &["--partition", "7", "base.s2.ndz", "base.img"],
        1,
        &["partition 7", "base.img"],
    );
    bench.refuses(&["--partition", "1", "base.s2.ndz", "part"], 1, &["part", "partition"]);
    bench.refuses(&["--offset", "36028797018963968", "base.s2.ndz", "part"], 1, &["--offset"]);
    bench.refuses(&["--offset", "1", "-c", "base.s2.ndz"], 1, &["--offset", "--create"]);
    bench.refuses(&["--offset", "1", "-o", "base.s2.sig"], 1, &["DEVICE"]);
}

/// A disklabel was adjusted to where the image went.
#[test]
fn relocations_are_named_or_left_out() {
    let bench = Bench::new("slicemode", &["base.r.ndz", "base.r.sig", "base.r.img"]);
    let line = ["--partition", "1", "base.r.ndz", "base.r.img"];
    let found = bench.prints(&line, 1);
    assert_eq!(found, "[0-127] (128): differs; relocations: FreeBSD disklabel at sector 1\n");
    let raw = bench.prints(&[&["-D", "raw"], &line[..]].concat(), 1);
    assert!(raw.starts_with("[1-1] (1): differs, "), "{raw}");
    for options in [&["-N"][..], &["-N", "-o", "base.r.sig"]] {
        assert_eq!(bench.prints(&[options, &line].concat(), 0), "");
    }
}

#[test]
fn devices_are_compared() {
    let bench = Bench::new("mbr-ext4-swap", &["base.ndz", "base.img"]);
    let device = bench.shell("losetup --find --show base.img").trim().to_owned();
    let detach = Detach(&bench, device);
    let Detach(_, device) = &detach;
    assert_eq!(bench.prints(&["base.ndz", device], 0), "");
    let file = fs::File::options().write(true).open(device).unwrap();
    file.write_all_at(b"changed", 512 * 2048 + 1024 + 120).unwrap();
    file.sync_all().unwrap();
    assert!(bench.prints(&["base.ndz", device], 1).starts_with("[2048-"));
}

/// A loop device that goes when this is dropped.
struct Detach<'a>(&'a Bench, String);

impl Drop for Detach<'_> {
    fn drop(&mut self) {
        self.0.shell(&format!("losetup --detach {}", self.1));
    }
}
