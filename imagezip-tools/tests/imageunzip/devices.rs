//! Disks as targets: loop devices.

use crate::bench::{Bench, GARBAGE, assert_loaded, untouched};
use crate::golden;

#[test]
fn a_disk_is_loaded() {
    for (sector, manner) in [(512, "-d"), (512, "-f"), (4096, "-d"), (4096, "-f")] {
        let bench = Bench::new("multichunk", &["base.ndz"]);
        let (disk, held) = (golden::file("multichunk", "base.img"), bench.extents("base.ndz"));
        bench.garbage("disk", disk.len());
        {
            let _device = bench.attach("disk", sector);
            bench.unzip(&[manner, "--verify", "base.ndz", "disk.dev"]);
        }
        assert_loaded(&bench.get("disk"), &disk, &held, GARBAGE);
    }
}

#[test]
fn free_space_is_zeroed_or_discarded() {
    let bench = Bench::new("truncfile", &["base.ndz"]);
    let (disk, held) = (golden::file("truncfile", "base.img"), bench.extents("base.ndz"));
    for sector in [512, 4096] {
        bench.garbage("disk", disk.len() + (1 << 20));
        {
            let _device = bench.attach("disk", sector);
            bench.unzip(&["-z", "base.ndz", "disk.dev"]);
        }
        std::fs::remove_file(bench.path("disk.dev")).unwrap();
        assert_loaded(&bench.get("disk"), &disk, &held, 0);

        bench.garbage("disk", disk.len());
        let before = bench.allocated("disk");
        {
            let _device = bench.attach("disk", sector);
            bench.unzip(&["-E", "--verify", "base.ndz", "disk.dev"]);
        }
        std::fs::remove_file(bench.path("disk.dev")).unwrap();
        // Discards work in units; what is left over at the edges stays.
        let free = before - held.sector_count().to_bytes().get();
        assert!(bench.allocated("disk") < before - free + (1 << 20), "{}", bench.allocated("disk"));
    }
}

#[test]
fn file_systems_on_a_loaded_disk_are_whole() {
    let bench = Bench::new("mbr-ext4def-swap", &["base.ndz", "delta.ndz"]);
    bench.garbage("disk", golden::file("mbr-ext4def-swap", "base.img").len());
    let device = bench.attach("disk", 512);
    bench.unzip(&["base.ndz", "disk.dev"]);
    bench.unzip(&["--verify", "delta.ndz", "disk.dev"]);
    bench.shell(&format!("partx --update {0}; e2fsck -fn {0}p1", device.device));
}

#[test]
fn what_is_too_large_is_refused_with_both_sizes() {
    let bench = Bench::new("truncfile", &["base.ndz"]);
    let end = bench.extents("base.ndz").end().unwrap().to_bytes().get();
    bench.garbage("disk", 4 << 20);
    let device = bench.attach("disk", 512);
    bench.refuses(&["-z", "base.ndz", "disk.dev"], 8, &["4194304", &end.to_string(), "disk.dev"]);
    assert!(untouched(&bench.get("disk")));
    drop(device);

    // Only free space is beyond the end of this one.
    bench.garbage("large", usize::try_from(end).unwrap() + 4096);
    std::fs::remove_file(bench.path("disk")).unwrap();
    let device = bench.attach("large", 512);
    let said = bench.unzip(&["-z", "base.ndz", "large.dev"]).stderr;
    assert!(said.contains("20971520") && said.contains("free space"), "{said}");
    drop(device);

    let sectors = (end / 512).to_string();
    let fewer = (end / 512 - 1).to_string();
    bench.refuses(&["-M", &fewer, "base.ndz", "new"], 8, &[&end.to_string()]);
    assert!(!bench.exists("new"));
    // All data fit, and nothing goes beyond.
    bench.garbage("old", 20_971_520);
    bench.unzip(&["-z", "-M", &sectors, "base.ndz", "old"]);
    let found = bench.get("old");
    let (inside, outside) = found.split_at(usize::try_from(end).unwrap());
    let disk = golden::file("truncfile", "base.img");
    assert_loaded(inside, &disk, &bench.extents("base.ndz"), 0);
    assert!(untouched(outside));
}

#[test]
fn a_disk_in_use_is_refused() {
    let bench = Bench::new("truncfile", &["base.ndz"]);
    bench.put("disk", &vec![0; 24 << 20]);
    bench.shell("mkfs.ext4 -q disk; mkdir mounted");
    let before = bench.get("disk");
    let device = bench.attach("disk", 512);
    bench.shell(&format!("mount -o ro {} mounted", device.device));
    let refused = [&["base.ndz", "disk.dev"][..], &["base.ndz", "disk"]]
        .map(|line| bench.call(line, std::process::Stdio::null()));
    let unchanged = bench.get("disk") == before;
    let forced = bench.call(&["--force", "base.ndz", "disk"], std::process::Stdio::null());
    bench.shell("umount mounted");
    drop(device);
    for outcome in refused {
        assert_eq!(outcome.status, 1, "{}", outcome.stderr);
        assert!(outcome.stderr.contains("in use"), "{}", outcome.stderr);
    }
    assert!(unchanged);
    assert_eq!(forced.status, 0, "{}", forced.stderr);
}
