//! Comparing disks with signatures and images.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::bench::Bench;
use crate::golden;

/// The reference counted these on the same disks.
#[test]
fn counts_are_those_of_the_reference() {
    let counted = [
        ("ext4-1k", "mod.sig", 0, "0 of 120 hashes bad"),
        ("ext4-1k", "delta.sig", 0, "0 of 122 hashes bad"),
        ("ext4-F8-Z", "mod.sig", 1, "5 of 145 hashes bad"),
        ("ext4-F8-Z", "delta.sig", 1, "5 of 146 hashes bad"),
        ("gpt-esp-ext4-swap", "mod.sig", 0, "0 of 65 hashes bad"),
        ("mbr-ufs2-rel", "delta.sig", 0, "0 of 106 hashes bad"),
    ];
    for (case, signature, status, count) in counted {
        let bench = Bench::new(case, &["mod.ndz", "mod.img", signature]);
        for threads in [&["-n"][..], &["--threads", "4"]] {
            let line = [&["-o", signature, "mod.ndz", "mod.img"], threads].concat();
            let outcome = bench.call(&line);
            assert_eq!(outcome.status, status, "{case}: {}", outcome.stderr);
            assert!(outcome.stderr.starts_with(count), "{case}: {}", outcome.stderr);
            assert_eq!(outcome.stdout.is_empty(), status == 0);
        }
    }
}

/// The sectors of a disk in which it differs from another, by cmp(1).
fn differing_sectors(bench: &Bench, one: &str, other: &str) -> Vec<u64> {
    let listed = bench.shell(&format!("cmp -l {one} {other} || true"));
    let position = |line: &str| line.split_whitespace().next().unwrap().parse::<u64>().unwrap();
    let mut sectors: Vec<_> = listed.lines().map(|line| (position(line) - 1) / 512).collect();
    sectors.dedup();
    sectors
}

/// The ranges in lines like `[2-4] (3): differs`, the ends included.
fn ranges(text: &str) -> Vec<(u64, u64)> {
    let range = |line: &str| {
        let (range, rest) = line.strip_prefix('[')?.split_once(']').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let (start, end) = (start.parse::<u64>().unwrap(), end.parse::<u64>().unwrap());
        assert!(rest.starts_with(&format!(" ({}): ", end - start + 1)), "{line}");
        Some((start, end))
    };
    text.lines().filter_map(range).collect()
}

#[test]
fn what_differs_is_named() {
    let bench = Bench::new("multichunk", &["base.ndz", "base.img", "mod.img"]);
    let expected: Vec<_> = {
        let all = differing_sectors(&bench, "base.img", "mod.img");
        let blocks = bench.prints(&["-q", "-R", "-b", "512", "base.ndz"], 0);
        let of = |line: &str| line.split('\t').nth(1).unwrap().parse::<u64>().unwrap();
        let held: BTreeSet<_> = blocks.lines().map(of).collect();
        all.into_iter().filter(|sector| held.contains(sector)).collect()
    };
    assert!(expected.len() > 100);
    let sectors = |text: &str| {
        ranges(text).into_iter().flat_map(|(start, end)| start..=end).collect::<Vec<_>>()
    };
    assert_eq!(sectors(&bench.prints(&["-b", "512", "base.ndz", "mod.img"], 1)), expected);
    let raw = bench.prints(&["-D", "raw", "base.ndz", "mod.img"], 1);
    assert_eq!(sectors(&raw), expected);
    assert_eq!(bench.prints(&["-D", "raw", "base.ndz", "base.img"], 0), "");
    // Blocks of 64 KiB, each on a line of its own.
    let lines = bench.prints(&["-d", "base.ndz", "mod.img"], 1);
    let mut blocks: Vec<_> = expected.iter().map(|sector| sector / 128).collect();
    blocks.dedup();
    let mut found: Vec<_> = ranges(&lines).into_iter().map(|(start, _)| start / 128).collect();
    found.dedup();
    assert_eq!(found, blocks);
}

#[test]
fn bytes_that_differ_are_shown() {
    let bench = Bench::new("filemode", &["base.ndz", "base.img"]);
    let mut disk = bench.get("base.img");
    disk[1000..1003].copy_from_slice(b"\x00A\n");
    bench.put("disk", &disk);
    let original = bench.get("base.img")[1000..1003].to_vec();
    let count = original.iter().zip(b"\x00A\n").filter(|(a, b)| a != b).count();
    let text = bench.prints(&["-D", "raw", "base.ndz", "disk"], 1);
    assert!(
        text.starts_with(&format!("[1-1] (1): differs, {count} bytes from byte 100")),
        "{text}"
    );
    assert!(text.contains("\n    device: 00 41 0a"), "{text}");
    let text = bench.prints(&["-V", "-D", "raw", "base.ndz", "disk"], 1);
    assert!(text.contains("\n    device: \\x00A\\n"), "{text}");
}

#[test]
fn programs_learn_what_differs() {
    let bench = Bench::new("filemode", &["base.ndz", "base.img"]);
    let mut disk = bench.get("base.img");
    disk[70_000] ^= 1;
    bench.put("disk", &disk);
    let json = |arguments: &[&str]| -> Value {
        serde_json::from_str(&bench.prints(arguments, 1)).unwrap()
    };
    let blocks = json(&["--json", "base.ndz", "disk"]);
    assert_eq!((&blocks["differing"], &blocks["entries"]), (&Value::from(1), &Value::from(2)));
    let range = &blocks["differences"][0];
    assert_eq!((&range["start"], &range["end"]), (&Value::from(128), &Value::from(202)));
    assert_eq!(range["relocations"][0], "short sector at sector 201");
    let bytes = json(&["--json", "-D", "raw", "base.ndz", "disk"]);
    assert_eq!(bytes["differences"][0]["first_byte"], 70_000);
    assert_eq!(bytes["differing_bytes"], 1);
}

#[test]
fn a_device_that_is_too_short_differs() {
    let bench = Bench::new("filemode", &["base.ndz", "base.img"]);
    bench.put("short", &bench.get("base.img")[..136 * 512]);
    let outcome = bench.call(&["base.ndz", "short"]);
    assert_eq!(outcome.status, 1);
    assert!(outcome.stdout.starts_with("[128-201] (74): missing: the device is too short"));
    assert!(outcome.stderr.contains("1 of 2 hashes bad, 1 of them beyond the end of the device"));
    let raw = bench.prints(&["-D", "raw", "base.ndz", "short"], 1);
    assert!(raw.starts_with("[136-201] (66): missing"), "{raw}");
}

/// A signature of other data tells whether it is used.
#[test]
fn the_signature_beside_an_image_is_used_if_it_is_as_old() {
    let bench = Bench::new("filemode", &["base.ndz", "base.img", "mod.img"]);
    bench.prints(&["-c", "-r", "-o", "base.ndz.sig", "mod.img"], 0);
    let check = |disk: &str| bench.call(&["base.ndz", disk]);
    bench.set_time("base.ndz.sig", bench.time("base.ndz") + Duration::from_secs(2));
    assert_eq!((check("mod.img").status, check("base.img").status), (0, 1), "the signature's");

    bench.set_time("base.ndz.sig", bench.time("base.ndz") + Duration::from_secs(4));
    assert_eq!((check("mod.img").status, check("base.img").status), (1, 0), "the image's");
    let said = check("base.img").stderr;
    assert!(said.contains("base.ndz.sig is not as old as its image"), "{said}");
    bench.prints(&["-o", "base.ndz.sig", "base.ndz", "mod.img"], 0);

    bench.put("base.ndz.sig", b"none");
    assert!(check("base.img").stderr.contains("base.ndz.sig: ends too early"));
    assert_eq!(check("base.img").status, 0);
    bench.refuses(&["-o", "base.ndz.sig", "base.ndz", "base.img"], 2, &["base.ndz.sig"]);
    bench.refuses(&["base.img", "base.img"], 2, &["base.img"]);
}

#[test]
fn the_kind_of_digest_that_is_asked_for_is_used() {
    let bench = Bench::new("filemode", &["base.ndz", "base.img"]);
    bench.prints(&["-c", "base.ndz"], 0);
    for (option, name) in [("md5", "MD5"), ("SHA1", "SHA-1"), ("sha256", "SHA-256")] {
        let said = bench.call(&["-D", option, "base.ndz", "base.img"]).stderr;
        assert!(said.contains(&format!("0 of 2 hashes bad; {name}, ")), "{said}");
    }
}

#[test]
fn signatures_of_version_3_are_read() {
    let bench = Bench::new("filemode", &["base.img"]);
    // SHA-256 of both blocks, in the form of newer programs.
    let mut padded = bench.get("base.img");
    padded.resize(202 * 512, 0);
    bench.put("padded", &padded);
    let digest = |range: &str| {
        let line = bench.shell(&format!("{range} padded | sha256sum"));
        let byte = |at: usize| u8::from_str_radix(&line[2 * at..2 * at + 2], 16).unwrap();
        (0..32).map(byte).collect::<Vec<_>>()
    };
    let mut file = b".ndzsig\0".to_vec();
    file.extend([0x2024_0101_u32, 4, 2, 128, 0, 0].into_iter().flat_map(u32::to_le_bytes));
    for (start, size, range) in [(0_u64, 128_u32, "head -c 65536"), (128, 74, "tail -c +65537")] {
        file.extend(start.to_le_bytes());
        file.extend([size, 0].into_iter().flat_map(u32::to_le_bytes));
        file.extend(digest(range));
    }
    bench.put("v3.sig", &file);
    bench.put("any.ndz", &golden::file("filemode", "base.ndz"));
    let outcome = bench.call(&["-o", "v3.sig", "any.ndz", "base.img"]);
    assert!(outcome.stderr.starts_with("0 of 2 hashes bad; SHA-256"), "{}", outcome.stderr);
    assert_eq!(outcome.status, 0);
    assert_eq!(bench.prints(&["-o", "v3.sig"], 0).lines().count(), 2);
}
