//! Images of partitions: `-s` and `-D`.

use crate::bench::{Bench, GARBAGE, assert_loaded};
use crate::golden;

/// The sectors before the partition in which the reference restored its image.
const START: usize = 10_240;
const SIZE: usize = 61_440;

/// A disk with the partition of that case.
fn disk_for_slices(bench: &Bench) {
    bench.garbage("disk", (START + SIZE + 2048) * 512);
    bench.shell(&format!("echo 'label: dos\n{START} {SIZE} a5' | sfdisk --quiet disk"));
}

/// A disklabel's offsets are those of the place where it was loaded; nothing outside changes.
#[test]
fn a_disklabel_moves() {
    for to_device in [false, true] {
        let bench = Bench::new("slicemode", &["base.r.ndz", "delta.r.ndz"]);
        disk_for_slices(&bench);
        let before = bench.get("disk");
        {
            let _device = to_device.then(|| bench.attach("disk", 512));
            let target = if to_device { "disk.dev" } else { "disk" };
            bench.unzip(&["-s", "1", "--verify", "base.r.ndz", target]);
        }
        let found = bench.get("disk");
        let label = (START + 1) * 512;
        assert!(found[label..label + 512] == golden::file("slicemode", "restored.label.bin"));
        let (from, to) = (START * 512, (START + SIZE) * 512);
        assert!(found[..from] == before[..from] && found[to..] == before[to..]);
        // The rest is as in the disk that the image was made of, where the slice began elsewhere.
        let mut slice = golden::file("slicemode", "base.r.img").split_off(2048 * 512);
        slice[512..1024].copy_from_slice(&golden::file("slicemode", "restored.label.bin"));
        assert_loaded(&found[from..to], &slice, &bench.extents("base.r.ndz"), GARBAGE);
        bench.unzip(&["-s", "1", "delta.r.ndz", "disk"]);
    }
    // As a whole disk, the image has the label that was made for any place.
    let bench = Bench::new("slicemode", &["base.r.ndz"]);
    bench.unzip(&["base.r.ndz", "slice"]);
    assert!(bench.get("slice")[512..1024] != golden::file("slicemode", "restored.label.bin")[..]);
}

#[test]
fn a_partition_is_loaded_and_gets_its_type() {
    for (label, kind, code, expected) in [
        ("dos", "83", "0xa5", "a5"),
        ("dos", "7", "131", "83"),
        ("gpt", "L", "0x8200", "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"),
        ("gpt", "S", "0x83", "0FC63DAF-8483-4772-8E79-3D69D8477DE4"),
    ] {
        for sector in [512, 4096] {
            let bench = Bench::new("slicemode", &["base.s2.ndz"]);
            bench.garbage("disk", 44 << 20);
            let device = bench.attach("disk", sector);
            // In the units of the device's own sectors.
            let (first, second) = ((1 << 20) / sector, (9 << 20) / sector);
            let script = format!(
                "label: {label}\nstart={first}, size={first}, type={kind}\n\
                 start={second}, type={kind}\n"
            );
            bench.shell(&format!("echo '{script}' | sfdisk --quiet --wipe always disk.dev"));
            bench.unzip(&["-s", "2", "-D", code, "--verify", "base.s2.ndz", "disk.dev"]);
            let types = bench.shell("sfdisk --part-type disk.dev 1; sfdisk --part-type disk.dev 2");
            let types: Vec<_> = types.lines().collect();
            assert_eq!(types[1], expected, "{label} {sector}");
            let complaints = bench.shell("sfdisk --verify disk.dev");
            assert!(!complaints.to_lowercase().contains("corrupt"), "{complaints}");
            bench.shell(&format!("partx --update {0}; e2fsck -fn {0}p2", device.device));
            let other = types[0].to_owned();
            assert_ne!(other, expected, "the other partition keeps its type");
        }
    }
}

#[test]
fn a_partition_has_limits() {
    let bench = Bench::new("slicemode", &["base.s2.ndz"]);
    let sectors = 2048 + 40_960;
    bench.garbage("disk", sectors * 512);
    let disk = "label: dos\nstart=2048, size=40960\n";
    bench.shell(&format!("echo '{disk}' | sfdisk --quiet disk"));
    let before = bench.get("disk");
    bench.refuses(&["-s", "2", "base.s2.ndz", "disk"], 1, &["no partition 2, only 1"]);
    bench.refuses(&["-s", "1", "base.s2.ndz", "disk"], 8, &["22020096"]);
    bench.refuses(&["-s", "1", "--force", "base.s2.ndz", "disk"], 8, &["22020096"]);
    assert!(bench.get("disk") == before);
    bench.put("empty", &vec![0; 1 << 20]);
    bench.refuses(&["-s", "1", "base.s2.ndz", "empty"], 1, &["no partition table"]);
}

/// With -z free space is filled in the partition only, and only as far as the image goes.
#[test]
fn what_is_around_a_partition_stays() {
    let bench = Bench::new("slicemode", &["base.r.ndz"]);
    disk_for_slices(&bench);
    let before = bench.get("disk");
    bench.unzip(&["-z", "-s", "1", "base.r.ndz", "disk"]);
    let (found, end) = (bench.get("disk"), (START + SIZE) * 512);
    assert!(found[..START * 512] == before[..START * 512]);
    assert!(found[end..] == before[end..]);
}
