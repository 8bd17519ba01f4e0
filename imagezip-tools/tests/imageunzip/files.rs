//! Regular files as targets.

use crate::bench::{Bench, GARBAGE, assert_loaded, untouched};
use crate::golden;

/// The disk of most of the cases here.
const DISK_BYTES: usize = 20_971_520;

/// What the classic program gets wrong: it truncates the file, so the delta has no base.
#[test]
fn a_delta_goes_onto_its_base() {
    let bench = Bench::new("truncfile", &["base.ndz", "delta.ndz"]);
    bench.unzip(&["base.ndz", "disk"]);
    assert_loaded(
        &bench.get("disk"),
        &golden::file("truncfile", "base.img"),
        &bench.extents("base.ndz"),
        0,
    );
    assert_eq!(bench.get("disk").len(), DISK_BYTES, "all of what the image was made of");
    assert!(bench.allocated("disk") < 4 << 20, "free space and zeros are holes");

    bench.unzip(&["delta.ndz", "disk", "--verify"]);
    let held = bench.extents("base.ndz").union(&bench.extents("delta.ndz"));
    assert_loaded(&bench.get("disk"), &golden::file("truncfile", "mod.img"), &held, 0);
}

#[test]
fn a_file_keeps_what_the_image_does_not_hold() {
    let bench = Bench::new("truncfile", &["base.ndz"]);
    bench.garbage("disk", DISK_BYTES + 1000);
    bench.unzip(&["base.ndz", "disk"]);
    let (disk, held) = (golden::file("truncfile", "base.img"), bench.extents("base.ndz"));
    assert_loaded(&bench.get("disk"), &disk, &held, GARBAGE);
    // Free space becomes zeros and holes, up to the end of the file.
    bench.unzip(&["-z", "base.ndz", "disk"]);
    assert_loaded(&bench.get("disk"), &disk, &held, 0);
    assert_eq!(bench.get("disk").len(), DISK_BYTES + 1000);
    assert!(bench.allocated("disk") < 4 << 20, "{}", bench.allocated("disk"));
    bench.unzip(&["--truncate", "base.ndz", "disk"]);
    assert_eq!(bench.get("disk").len(), DISK_BYTES);
}

#[test]
fn free_space_gets_a_pattern() {
    let bench = Bench::new("truncfile", &["base.ndz"]);
    bench.unzip(&["-p", "0x5a5a5a5a", "base.ndz", "disk"]);
    let (disk, held) = (golden::file("truncfile", "base.img"), bench.extents("base.ndz"));
    assert_loaded(&bench.get("disk"), &disk, &held, GARBAGE);
    bench.unzip(&["-p", "0x04030201", "base.ndz", "disk"]);
    let found = bench.get("disk");
    let free = held.complement(imagezip_core::device::ReadAt::sectors(&found));
    let first = usize::try_from(free.iter().next().unwrap().start().to_bytes().get()).unwrap();
    assert_eq!(found[first..first + 5], [1, 2, 3, 4, 1]);
}

#[test]
fn a_file_has_the_length_that_it_had() {
    let bench = Bench::new("filemode", &["base.ndz", "base.img"]);
    for manner in ["-d", "-f", "-z", "-n"] {
        bench.unzip(&[manner, "--verify", "base.ndz", "file"]);
        assert!(bench.get("file") == bench.get("base.img"), "{manner}");
        std::fs::remove_file(bench.path("file")).unwrap();
    }
    // A longer one keeps its end, and that is said.
    bench.garbage("file", 200_000);
    let said = bench.unzip(&["base.ndz", "file"]).stderr;
    let end = bench.get("base.img").len();
    assert!(bench.get("file")[..end] == bench.get("base.img"));
    assert!(untouched(&bench.get("file")[end..]));
    assert!(said.contains("103333") && said.contains("--truncate"), "{said}");
    bench.unzip(&["--truncate", "base.ndz", "file"]);
    assert!(bench.get("file") == bench.get("base.img"));
}

/// Every format has the same content; the chunks may come in any order.
#[test]
fn all_versions_are_loaded() {
    let keys = ["base.signed.ndz.skey", "key"];
    let names = ["base.ndz", "base.v1.ndz", "base.v4.ndz", "base.signed.ndz", "base.enc.ndz"];
    let bench = Bench::new("formats", &[keys.as_slice(), &names].concat());
    let (disk, held) = (golden::file("formats", "base.img"), bench.extents("base.ndz"));
    for arguments in [
        &["base.ndz"][..],
        &["base.v1.ndz"],
        &["-c", "base.v4.ndz"],
        &["-u", "00112233445566778899aabbccddeeff", "base.v4.ndz"],
        &["base.signed.ndz"],
        &["-a", "base.signed.ndz.skey", "base.signed.ndz"],
        &["-k", "key", "base.enc.ndz"],
        &["-e", "-k", "key", "base.enc.ndz"],
        &["-e", "bf_cbc", "-k", "key", "base.enc.ndz"],
        &["-W", "32", "-r", "2", "-n", "base.ndz"],
    ] {
        bench.garbage("disk", disk.len());
        bench.unzip(&[arguments, &["disk"]].concat());
        assert_loaded(&bench.get("disk"), &disk, &held, GARBAGE);
    }
    let said = bench.unzip(&["-z", "base.v1.ndz", "disk"]).stderr;
    assert!(said.contains("version 1"), "{said}");
    let bench = Bench::new("multichunk", &["base.ndz", "base.img"]);
    bench.unzip(&["-F", "--verify", "base.ndz", "disk"]);
    assert_loaded(&bench.get("disk"), &bench.get("base.img"), &bench.extents("base.ndz"), 0);
}

#[test]
fn an_empty_delta_changes_nothing() {
    let bench = Bench::new("nochange", &[]);
    bench.put("delta.ndz", &[]);
    bench.garbage("disk", 1_000_000);
    bench.unzip(&["delta.ndz", "disk"]);
    assert!(untouched(&bench.get("disk")));
}
