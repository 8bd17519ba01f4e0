//! Deltas and signatures.

use std::os::unix::fs::MetadataExt;

use imagezip_core::digest::HashType;
use imagezip_core::sector::Sector;
use imagezip_core::signature::Signature;

use crate::bench::Bench;
use crate::disks::{EXT, UNKNOWN, assert_files, disk, mkfs, noise};

fn change(bench: &Bench, from: &str, to: &str, at: u64, bytes: &[u8]) {
    let mut disk = bench.read(from);
    let at = usize::try_from(at * 512).unwrap();
    disk[at..at + bytes.len()].copy_from_slice(bytes);
    bench.write(to, &disk);
}

fn signature(bench: &Bench, name: &str) -> Signature {
    Signature::read(&bench.read(name)).unwrap()
}

/// The sectors that a signature is about, and their digests, but not where they are in an image.
fn entries(signature: &Signature) -> Vec<String> {
    signature.iter().map(|entry| format!("{} {:?}", entry.range, entry.digest)).collect()
}

#[test]
fn a_delta_over_its_base_is_the_disk() {
    let bench = disk();
    bench.save(&["-U", "", "disk", "base"]);
    change(&bench, "disk", "changed", UNKNOWN.0 + 7, &noise(3000, 9));
    let said = bench.save(&["-H", "base.sig", "-U", "new.sig", "changed", "delta"]);
    let delta = bench.content("delta");
    let base = bench.content("base");
    let both = bench.content_over("delta", Some(base.disk.clone()));
    for extent in &base.extents {
        let bytes = crate::bench::bytes_of(extent);
        assert!(both.disk[bytes.clone()] == bench.read("changed")[bytes]);
    }
    // Whole hash blocks of 128 sectors.
    let changed = delta.extents.sector_count().get();
    assert!((6..=256).contains(&changed), "{changed} sectors");
    assert!(said.stderr.contains(&format!("Modified from original: {changed:>10}")));

    // The signature is that of a full image of the changed disk.
    bench.save(&["-U", "full.sig", "changed", "full"]);
    assert_eq!(entries(&signature(&bench, "new.sig")), entries(&signature(&bench, "full.sig")));
    for (image, signature) in [("base", "base.sig"), ("delta", "new.sig")] {
        let time = |name: &str| bench.path(name).metadata().unwrap().mtime();
        assert_eq!(time(image), time(signature));
        assert_eq!(bench.path(signature).metadata().unwrap().mtime_nsec(), 0);
    }
    assert!(said.stderr.ends_with("delta: new signature written to new.sig\n"));
    assert!(said.stderr.contains("Image size: 1048576 bytes\n"), "{}", said.stderr);
}

#[test]
fn nothing_has_changed() {
    let bench = disk();
    bench.save(&["-U", "base.sig", "disk", "base"]);
    let said = bench.save(&["-H", "base.sig", "disk", "delta"]);
    assert!(bench.read("delta").is_empty());
    assert!(said.stderr.contains("Image size: 0 bytes\n"));
    assert!(said.stderr.contains("(100.0%)"));
}

#[test]
fn a_chain_of_deltas_loses_nothing_that_was_free_in_between() {
    let bench = Bench::new();
    bench.write("s1", &noise(16 << 20, 5));
    mkfs(&bench, "s1", 0, 32768);
    bench.save(&["-l", "-U", "s1.sig", "s1", "d1"]);
    // A file goes, and comes back with what its blocks held all the time.
    let run = |line: &str| bench.run("sh", &["-c", line]);
    run("cp s1 s2; debugfs -w -R 'rm sub/text' s2 2>/dev/null; cp s1 s3");
    let mut s3 = bench.read("s3");
    s3[0..512].copy_from_slice(&noise(512, 77));
    bench.write("s3", &s3);
    bench.save(&["-l", "-H", "s1.sig", "-U", "s2.sig", "s2", "d2"]);
    bench.save(&["-l", "-H", "s2.sig", "-U", "s3.sig", "s3", "d3"]);
    let mut disk = bench.content("d1").disk;
    for delta in ["d2", "d3"] {
        disk = bench.content_over(delta, Some(disk)).disk;
    }
    bench.write("fs", &disk);
    assert_files(&bench, "fs");
    assert!(disk[..512] == s3[..512]);
}

#[test]
fn automatic_choice() {
    let bench = disk();
    bench.save(&["-U", "base.sig", "disk", "base"]);
    change(&bench, "disk", "changed", UNKNOWN.0, &noise(1 << 20, 9));
    let said = bench.save(&["-H", "base.sig", "-P", "60", "changed", "delta"]);
    let full = bench.content("base").extents.sector_count();
    let delta = bench.content("delta").extents.sector_count();
    let sizes = format!("Full image size {full} sect, delta image size {delta} sect\n");
    assert!(
        said.stderr.contains(&(sizes.clone() + "Auto image selection creating delta image.\n"))
    );
    let said = bench.save(&["-H", "base.sig", "-P", "1", "-U", "", "changed", "auto"]);
    assert!(said.stderr.contains(&(sizes + "Auto image selection creating full image.\n")));
    bench.save(&["-U", "full.sig", "changed", "full"]);
    assert!(bench.read("auto") == bench.read("full"));
    assert!(bench.read("auto.sig") == bench.read("full.sig"));
    // Without a base there is nothing to choose.
    let said = bench.save(&["-P", "1", "changed", "auto"]);
    assert!(!said.stderr.contains("Auto image"));
}

#[test]
fn information_only() {
    let bench = disk();
    bench.save(&["-U", "base.sig", "disk", "base"]);
    change(&bench, "disk", "changed", EXT.0 + EXT.1 - 100, &noise(512, 9));
    let said = bench.save(&["-i", "-H", "base.sig", "changed", "none"]);
    assert!(!bench.exists("none"));
    let ext = format!("\n1    {:>12} {:>12} ", EXT.0, EXT.1);
    for part in [
        "  verdict\n",
        &ext,
        "aware(ext4)",
        "aware(swap)",
        "raw(unknown)",
        "HASH STATS",
        "Hash blocks compared",
    ] {
        assert!(said.stderr.contains(part), "{part}: {}", said.stderr);
    }
    let said = bench.save(&["--info", "--json", "-H", "base.sig", "changed"]);
    let statistics: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    let comparison = &statistics["comparison"];
    assert!((1..=128).contains(&comparison["modified"].as_u64().unwrap()), "{comparison}");
    assert_eq!(statistics["image"], serde_json::Value::Null);
}

#[test]
fn deltas_of_raw_devices_and_files() {
    let bench = disk();
    for how in ["-r", "-f"] {
        let mut bytes = bench.read("disk");
        if how == "-f" {
            bytes.truncate(bytes.len() - 100);
        }
        bench.write("old", &bytes);
        bench.save(&[how, "-U", "old.sig", "old", "base"]);
        let at = bytes.len() - 50;
        bytes[at] ^= 1;
        bench.write("new", &bytes);
        bench.save(&[how, "-H", "old.sig", "-U", "new.sig", "new", "delta"]);
        let delta = bench.content("delta");
        assert!((1..=128).contains(&delta.extents.sector_count().get()));
        bench.save(&[how, "-U", "full.sig", "new", "full"]);
        assert_eq!(entries(&signature(&bench, "new.sig")), entries(&signature(&bench, "full.sig")));
        assert!(!signature(&bench, "full.sig").is_empty());
    }
}

#[test]
fn a_disk_that_is_smaller_than_its_base() {
    let bench = disk();
    bench.save(&["-r", "-U", "base.sig", "disk", "base"]);
    let mut bytes = bench.read("disk");
    // In the middle of a hash block.
    bytes.truncate(40_000 * 512 + 512);
    bench.write("smaller", &bytes);
    let said = bench.save(&["-r", "-d", "-H", "base.sig", "-U", "s.sig", "smaller", "delta"]);
    assert!(said.stderr.contains("entries are about sectors after the end"), "{}", said.stderr);
    assert!(said.stderr.contains("Original sectors:            49152\n"), "{}", said.stderr);
    // Only what was part of the block that is cut.
    assert_eq!(bench.content("delta").extents.as_slice(), [crate::bench::range(39_936, 40_001)]);
    assert_eq!(signature(&bench, "s.sig").end(), Sector::new(40_001));
}

#[test]
fn signatures_go_on_as_they_were_made() {
    let bench = disk();
    bench.save(&["-U", "sha1.sig", "disk", "base"]);
    let old = signature(&bench, "sha1.sig");
    assert_eq!((old.hash_type(), old.block().sectors()), (HashType::Sha1, 128));
    let mut md5 = Signature::new(HashType::Md5, old.block());
    let disk = bench.read("disk");
    for mut entry in old.iter() {
        entry.digest = HashType::Md5.digest(&disk[crate::bench::bytes_of(entry.range)]);
        md5.push(entry).unwrap();
    }
    let mut file = Vec::new();
    md5.write(&mut file).unwrap();
    bench.write("md5.sig", &file);
    bench.save(&["-H", "md5.sig", "-U", "next.sig", "disk", "delta"]);
    assert_eq!(entries(&signature(&bench, "next.sig")), entries(&md5));
    assert!(bench.read("delta").is_empty());

    let message = bench.refuse(&["-H", "disk", "disk", "none"]);
    assert!(message.contains("not a signature file"), "{message}");
    let message = bench.refuse(&["-U", "no/where.sig", "disk", "none"]);
    assert!(message.contains("no/where.sig"), "{message}");
    assert!(!bench.exists("none"));
}
