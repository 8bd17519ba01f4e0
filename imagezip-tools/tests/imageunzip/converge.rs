//! Targets that hold some of the image already, and what is read back from them.

use std::process::Stdio;

use crate::bench::{Bench, GARBAGE, assert_loaded, untouched};
use crate::golden;

const IMAGE: &str = "base.ndz";
const SIGNATURE: &str = "base.sig";

/// The numbers at these keys of the statistics.
fn numbers<const N: usize>(stdout: &[u8], keys: [&str; N]) -> [Option<u64>; N] {
    let report: serde_json::Value = serde_json::from_slice(stdout).unwrap();
    keys.map(|key| report[key].as_u64())
}

const COUNTS: [&str; 5] = ["chunks_read", "compared", "avoided", "written", "verified"];

/// A disk or file becomes what a load makes it, whatever it was; what is there is not written.
#[test]
fn the_target_is_what_a_load_makes_it() {
    for device in [None, Some(512), Some(4096)] {
        let bench = Bench::new("multichunk", &[IMAGE, SIGNATURE]);
        let (disk, held) = (golden::file("multichunk", "base.img"), bench.extents(IMAGE));
        let data = held.sector_count().to_bytes().get();
        bench.garbage("disk", disk.len());
        let converge = |manner: &str| {
            let attached = device.map(|sector| bench.attach("disk", sector));
            let target = if attached.is_some() { "disk.dev" } else { "disk" };
            let arguments = [manner, "--json", "--converge", SIGNATURE, IMAGE, target];
            let outcome = bench.unzip(&arguments);
            drop(attached);
            let _ = std::fs::remove_file(bench.path("disk.dev"));
            assert_loaded(&bench.get("disk"), &disk, &held, GARBAGE);
            numbers(&outcome.stdout, COUNTS)
        };
        assert_eq!(converge("-d"), [Some(2), Some(data), Some(0), Some(data), None]);
        assert_eq!(converge("--verify"), [Some(0), Some(data), Some(data), Some(0), Some(0)]);
        // One byte in the last chunk.
        let mut loaded = bench.get("disk");
        let last = held.end().unwrap().to_bytes().get() - 1;
        loaded[usize::try_from(last).unwrap()] ^= 1;
        bench.put("disk", &loaded);
        let [read, compared, avoided, written, verified] = converge("--verify");
        assert_eq!((read, compared), (Some(1), Some(data)));
        assert_eq!(avoided.unwrap() + written.unwrap(), data);
        assert_eq!(verified, written);
        assert!((512..=64 << 10).contains(&written.unwrap()), "{written:?}");
    }
}

#[test]
fn a_new_file_is_loaded_and_free_space_filled() {
    let bench = Bench::new("truncfile", &[IMAGE, SIGNATURE]);
    let (disk, held) = (golden::file("truncfile", "base.img"), bench.extents(IMAGE));
    bench.unzip(&["--converge", SIGNATURE, "--verify", IMAGE, "new"]);
    assert_loaded(&bench.get("new"), &disk, &held, 0);
    bench.garbage("disk", disk.len());
    bench.unzip(&["--converge", SIGNATURE, "-p", "0x01010101", IMAGE, "disk"]);
    assert_loaded(&bench.get("disk"), &disk, &held, 1);
    bench.unzip(&["--converge", SIGNATURE, "-z", IMAGE, "disk"]);
    assert_loaded(&bench.get("disk"), &disk, &held, 0);
}

/// Of blocks that lie in two chunks, too: they are compared once more in the end.
#[test]
fn a_new_file_is_loaded_from_several_chunks() {
    let bench = Bench::new("multichunk", &[IMAGE, SIGNATURE]);
    let (disk, held) = (golden::file("multichunk", "base.img"), bench.extents(IMAGE));
    for existing in [None, Some(1_000_000)] {
        if let Some(bytes) = existing {
            bench.put("new", &disk[..bytes]);
        }
        bench.unzip(&["--converge", SIGNATURE, IMAGE, "new"]);
        assert_loaded(&bench.get("new"), &disk, &held, 0);
        bench.shell("rm new");
    }
    bench.shell("head -c 1500160 /dev/urandom > noise");
    bench.shell("( exec -a imagezip $TOOLS -r -U noise.sig noise noise.ndz )");
    bench.unzip(&["--converge", "noise.sig", "noise.ndz", "new"]);
    assert!(bench.get("new") == bench.get("noise"));
}

/// A disklabel is always written: what it has to be depends on where the partition lies.
#[test]
fn a_disklabel_moves() {
    let bench = Bench::new("slicemode", &["base.r.ndz", "base.r.sig"]);
    for (name, start) in [("one", 4096), ("other", 10_240)] {
        bench.garbage(name, (start + 61_440 + 2048) * 512);
        bench.shell(&format!("echo 'label: dos\n{start} 61440 a5' | sfdisk --quiet {name}"));
        bench.garbage("model", 0);
        bench.shell(&format!("cp {name} model"));
        bench.unzip(&["-s", "1", "base.r.ndz", "model"]);
        for _ in 0..2 {
            bench.unzip(&["-s", "1", "--verify", "--converge", "base.r.sig", "base.r.ndz", name]);
            assert!(bench.get(name) == bench.get("model"), "{name}");
        }
    }
}

#[test]
fn another_images_signature_is_refused() {
    let bench = Bench::new("multichunk", &[IMAGE, SIGNATURE]);
    bench.put("other.sig", &golden::file("truncfile", SIGNATURE));
    bench.garbage("disk", golden::file("multichunk", "base.img").len());
    let words = ["base.ndz", "signature is not this image's"];
    bench.refuses(&["--converge", "other.sig", IMAGE, "disk"], 6, &words);
    assert!(untouched(&bench.get("disk")));
    bench.refuses(&["--converge", "other.sig", IMAGE, "new"], 6, &words);
    assert!(!bench.exists("new"));
    bench.refuses(&["--converge", IMAGE, IMAGE, "disk"], 6, &["not a signature"]);
    bench.refuses(&["--converge", "absent", IMAGE, "disk"], 1, &["absent"]);
}

#[test]
fn what_it_needs_is_named() {
    let bench = Bench::new("multichunk", &[IMAGE, SIGNATURE]);
    bench.refuses(&["--converge", SIGNATURE, IMAGE, "-"], 1, &["--converge"]);
    bench.refuses(&["--converge", SIGNATURE, "-F", IMAGE, "x"], 1, &["cannot be used with"]);
    bench.refuses(&["--converge", SIGNATURE, "-C", IMAGE], 1, &["cannot be used with"]);
    let outcome = bench.call(&["--converge", SIGNATURE, "-", "x"], Stdio::null());
    assert_eq!(outcome.status, 1, "{}", outcome.stderr);
    assert!(!bench.exists("x"));
}

/// A disk that takes everything into the cache, and then has no room for it.
#[test]
fn a_target_that_does_not_keep_what_was_written_is_not_loaded() {
    let bench = Bench::new("multichunk", &[IMAGE]);
    std::fs::create_dir(bench.path("small")).unwrap();
    bench.shell("mount -t tmpfs -o size=256k none small; truncate -s 64M small/disk");
    let device = bench.attach("small/disk", 512);
    std::os::unix::fs::symlink(&device.device, bench.path("small.dev")).unwrap();
    let outcome = bench.call(&["--verify", IMAGE, "small.dev"], Stdio::null());
    drop(device);
    bench.shell("umount small");
    // Whether writing out has failed before the data are read back: then zeros come.
    assert!([3, 4, 6].contains(&outcome.status), "{}: {}", outcome.status, outcome.stderr);
    assert!(outcome.stderr.contains("small.dev is not complete"), "{}", outcome.stderr);
}
