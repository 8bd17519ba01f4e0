//! Signatures that are made, shown and refused.

use std::time::Duration;

use serde_json::Value;

use crate::bench::Bench;
use crate::golden;

/// The reference made these with the same options.
#[test]
fn signatures_are_those_of_the_reference() {
    let made: &[(&str, &str, &str, &[&str])] = &[
        ("multichunk", "base.ndz", "base.sig", &[]),
        ("multichunk", "base.ndz", "base.md5.sig", &["-D", "md5"]),
        ("multichunk", "base.ndz", "base.U.sig", &["-X"]),
        ("multichunk", "base.ndz", "base.b512.sig", &["-b", "512"]),
        ("multichunk", "base.ndz", "base.b4096.sig", &["-b", "4096"]),
        ("multichunk", "base.ndz", "base.b1048576.sig", &["-b", "1048576"]),
        ("multichunk", "base.ndz", "base.b33554432.sig", &["-b33554432"]),
        ("multichunk", "base.ndz", "base.v1.sig", &["--v1"]),
        ("filemode", "base.ndz", "base.sig", &[]),
        ("filemode", "base.img", "base.r.sig", &["-r"]),
        ("slicemode", "base.s2.ndz", "base.s2.sig", &[]),
        ("slicemode", "base.r.ndz", "base.r.sig", &[]),
        ("manyregions", "base.ndz", "base.sig", &["-2"]),
    ];
    for (case, image, signature, options) in made {
        let bench = Bench::new(case, &[image]);
        for threads in [&["-n"][..], &["--threads", "3"]] {
            let line = [&["-c", "-o", "out.sig", image], *options, threads].concat();
            assert_eq!(bench.prints(&line, 0), "");
            assert!(bench.get("out.sig") == golden::file(case, signature), "{case}: {options:?}");
        }
    }
}

#[test]
fn a_signature_is_as_old_as_its_image() {
    let bench = Bench::new("filemode", &["base.ndz"]);
    bench.prints(&["-cq", "base.ndz"], 0);
    assert_eq!(bench.time("base.ndz.sig"), Duration::from_secs(bench.time("base.ndz").as_secs()));
}

/// Pieces of a file as split(1) cuts them, with their digests as sha1sum(1) makes them.
#[test]
fn plain_files_are_hashed_in_pieces() {
    const LARGE: &[&str] = &["65536", "1048576", "1049088", "33554432"];
    let bench = Bench::new("filemode", &[]);
    let bytes: Vec<u8> = (0..1_200_000_u32).flat_map(u32::to_le_bytes).collect();
    for len in [0, 1, 512, 70_000, 1 << 20, (1 << 20) + 1, 4_500_123] {
        bench.put("file", &bytes[..len]);
        let whole = len / 512 * 512;
        bench.put("whole", &bytes[..whole]);
        bench.put("rest", &bytes[whole..len]);
        // A process for each piece.
        let blocks = if len < 100_000 { &["512", "4096"][..] } else { LARGE };
        for block in blocks {
            bench.prints(&["-c", "-r", "-b", block, "-o", "sig", "file"], 0);
            let found: Vec<_> = bench
                .prints(&["-T", "-o", "sig"], 0)
                .lines()
                .map(|line| line.split('\t').next().unwrap().to_owned())
                .collect();
            let mut expected = bench.shell(&format!("split -b {block} --filter=sha1sum whole"));
            if whole < len {
                expected += &bench.shell("sha1sum < rest");
            }
            let expected: Vec<_> = expected.lines().map(|line| &line[..40]).collect();
            assert_eq!(found, expected, "{len} bytes in blocks of {block}");
        }
        bench.prints(&["-q", "-r", "-o", "sig", "file", "file"], 0);
    }
}

#[test]
fn what_a_signature_says_is_shown() {
    let bench = Bench::new("slicemode", &["base.r.ndz", "base.r.sig"]);
    let lines = bench.prints(&["-o", "base.r.sig"], 0);
    let terse = bench.prints(&["-T", "-o", "base.r.sig"], 0);
    let without = bench.prints(&["-C", "-o", "base.r.sig"], 0);
    assert_eq!(lines.lines().count(), (bench.get("base.r.sig").len() - 32) / 32);
    for ((line, terse), without) in lines.lines().zip(terse.lines()).zip(without.lines()) {
        let mut columns = terse.split('\t');
        let digest = columns.next().unwrap();
        let [start, len] = [(); 2].map(|()| columns.next().unwrap().parse::<u64>().unwrap());
        let last = start + len - 1;
        assert_eq!(line, format!("[{start}-{last}] ({len}): chunk 0, hash {digest}"));
        assert_eq!(without, format!("[{start}-{last}] ({len}): hash {digest}"));
    }
    // The same blocks without a signature.
    assert_eq!(bench.prints(&["-q", "-R", "base.r.ndz"], 0), terse);
    let all = bench.prints(&["-q", "-RR", "-F", "17", "base.r.ndz"], 0);
    assert_eq!(all, terse.replace('\n', "\t0\tU\t17\n"));
}

#[test]
fn statistics_are_for_people_or_programs() {
    let bench = Bench::new("filemode", &["base.ndz"]);
    let outcome = bench.call(&["-c", "base.ndz"]);
    assert!(outcome.stderr.starts_with("base.ndz: 2 hashes; SHA-1, blocks of 65536 bytes\n"));
    assert!(outcome.stderr.contains("103424 bytes in "));
    let outcome = bench.call(&["-c", "--json", "-D", "md5", "base.ndz"]);
    let json: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((&json["entries"], &json["bytes"]), (&Value::from(2), &Value::from(103_424)));
    assert_eq!((json["digest"].as_str(), outcome.stderr.as_str()), (Some("MD5"), ""));
    assert_eq!(bench.call(&["-c", "-q", "base.ndz"]).stderr, "");
}

#[test]
fn blocks_with_relocations_can_be_left_out() {
    // The last sector of the file is short, in the second of two blocks.
    let bench = Bench::new("filemode", &["base.ndz"]);
    bench.prints(&["-c", "-N", "-o", "sig", "base.ndz"], 0);
    assert!(bench.prints(&["-C", "-o", "sig"], 0).starts_with("[0-127] (128): hash "));
    assert_eq!(bench.prints(&["-o", "sig"], 0).lines().count(), 1);
}

#[test]
fn protected_images_need_their_keys() {
    let names = ["base.enc.ndz", "base.signed.ndz", "base.sig", "key", "base.signed.ndz.skey"];
    let bench = Bench::new("formats", &names);
    bench.refuses(&["-c", "base.enc.ndz"], 2, &["base.enc.ndz", "key"]);
    bench.prints(&["-c", "-o", "enc.sig", "-k", "key", "base.enc.ndz"], 0);
    assert!(bench.get("enc.sig") == bench.get("base.sig"));
    let key = "base.signed.ndz.skey";
    bench.prints(&["-c", "-o", "signed.sig", "--checksum-key", key, "base.signed.ndz"], 0);
    assert!(bench.get("signed.sig") == bench.get("base.sig"));
}

#[test]
fn an_empty_image_has_an_empty_signature() {
    let bench = Bench::new("filemode", &["base.img"]);
    bench.put("empty.ndz", b"");
    bench.prints(&["-c", "empty.ndz"], 0);
    assert_eq!(bench.get("empty.ndz.sig").len(), 32);
    assert_eq!(bench.prints(&["-o", "empty.ndz.sig"], 0), "");
    assert_eq!(bench.prints(&["empty.ndz", "base.img"], 0), "");
    bench.prints(&["-S", "empty.ndz"], 0);
}

#[test]
fn what_cannot_be_made_is_refused_and_leaves_no_file() {
    let bench = Bench::new("filemode", &["base.ndz", "base.sig"]);
    bench.refuses(&["-c", "-D", "sha256", "base.ndz"], 2, &["SHA-256", "SHA-1"]);
    bench.refuses(&["-c", "--v1", "-b", "512", "base.ndz"], 2, &["64 KiB"]);
    bench.refuses(&["-c", "none.ndz"], 2, &["none.ndz"]);
    bench.refuses(&["-c", "-o", "none/out.sig", "base.ndz"], 2, &["none/out.sig"]);
    bench.refuses(&["-c", "-D", "raw", "base.ndz"], 1, &["raw"]);
    bench.refuses(&["-c", "-o", "out.sig"], 1, &["image"]);
    bench.refuses(&["-c", "base.ndz", "base.ndz"], 1, &["cannot be used with"]);
    bench.refuses(&["-c", "-S", "base.ndz"], 1, &["cannot be used with"]);
    bench.refuses(&["base.ndz"], 1, &["base.ndz", "-c"]);
    bench.refuses(&["-o", "base.ndz"], 2, &["base.ndz", "signature"]);
    let damaged = [&bench.get("base.ndz")[..5000], &[0xff; 16], &bench.get("base.ndz")[5016..]];
    bench.put("damaged.ndz", &damaged.concat());
    bench.refuses(&["-c", "damaged.ndz"], 2, &["damaged.ndz", "chunk 0"]);
    bench.put("cut.sig", &bench.get("base.sig")[..95]);
    bench.refuses(&["-o", "cut.sig"], 2, &["cut.sig", "too early"]);
    let names = bench.shell("ls");
    assert_eq!(names, "base.ndz\nbase.sig\ncut.sig\ndamaged.ndz\n", "{:?}", bench.directory());
}
