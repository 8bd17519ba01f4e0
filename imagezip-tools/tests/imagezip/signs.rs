//! What is shown while it works, and options that change how it works but not what comes out.

use crate::bench::Bench;
use crate::disks::{disk, noise};

#[test]
fn a_dot_for_each_chunk() {
    let bench = Bench::new();
    bench.write("data", &noise(64 << 20, 1));
    let said = bench.save(&["-o", "-r", "-z0", "data", "out"]);
    let chunks = bench.read("out").len() >> 20;
    assert!(chunks > 61);
    let mut lines = said.stderr.lines();
    let first = lines.next().unwrap();
    let (dots, rest) = first.split_at(61);
    assert_eq!(dots, ".".repeat(61));
    assert_eq!(rest.len(), 1 + 12 + 1 + 4, "{first}");
    let offset: u64 = rest[1..13].trim().parse().unwrap();
    assert!((32 << 20..=64 << 20).contains(&offset), "{first}");
    let second = lines.next().unwrap();
    assert_eq!(second.bytes().filter(|byte| *byte == b'.').count(), chunks - 61, "{second}");
    assert!(!bench.save(&["-r", "data", "out"]).stderr.contains(".."));
}

#[test]
fn the_result_is_the_same() {
    let bench = disk();
    bench.save(&["disk", "plain"]);
    let plain = bench.read("plain");
    for arguments in [
        &["-D"][..],
        &["--no-verify"],
        &["--threads", "1"],
        &["--threads=3"],
        &["--quiet"],
        &["-dd"],
        &["-X"],
        &["-o"],
        &["-z1", "-z", "4"],
    ] {
        let line: Vec<_> = arguments.iter().copied().chain(["disk", "out"]).collect();
        bench.save(&line);
        assert!(bench.read("out") == plain, "{arguments:?}");
    }
}

#[test]
fn detail() {
    let bench = disk();
    let plain = bench.save(&["disk", "out"]).stderr;
    let words = ["compressed) bytes in", "Image size: ", " MB/second", "Finished in "];
    assert_eq!(plain.lines().count(), words.len(), "{plain}");
    assert!(plain.lines().zip(words).all(|(line, words)| line.contains(words)), "{plain}");
    let said = bench.save(&["-d", "disk", "out"]).stderr;
    assert!(said.contains("aware(ext4)") && said.contains("sectors to save"), "{said}");
    let more = bench.save(&["-d", "-d", "disk", "out"]).stderr;
    assert!(more.lines().count() > said.lines().count(), "{more}");
}

#[test]
fn statistics() {
    let bench = disk();
    bench.save(&["-U", "base.sig", "disk", "base"]);
    let said = bench.save(&["--json", "-H", "base.sig", "-U", "n.sig", "disk", "out"]);
    let statistics: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(statistics["source"], "disk");
    assert_eq!(statistics["sectors"], crate::disks::SECTORS);
    assert_eq!(statistics["unreadable"], 0);
    assert_eq!(statistics["partitions"][1]["verdict"], "aware(swap)");
    assert_eq!(statistics["image"]["delta"], true);
    assert_eq!(statistics["image"]["bytes"], 0);
    assert_eq!(statistics["image"]["signature"], "n.sig");
    assert_eq!(statistics["comparison"]["modified"], 0);
    let in_use = bench.content("base").extents.sector_count().get();
    assert_eq!(statistics["in_use"], in_use);
}
