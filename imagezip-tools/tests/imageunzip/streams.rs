//! Images from pipes, data into pipes, checksums.

use crate::bench::{Bench, from_file};
use crate::golden;

/// The disk as a stream has it: zeros where the image has nothing.
fn stream_of(bench: &Bench, case: &str) -> Vec<u8> {
    let disk = golden::file(case, "base.img");
    let mut found = vec![0; disk.len()];
    for extent in &bench.extents("base.ndz") {
        let (from, to) = (extent.start().to_bytes().get(), extent.end().to_bytes().get());
        let range = usize::try_from(from).unwrap()..usize::try_from(to).unwrap();
        found[range.clone()].copy_from_slice(&disk[range]);
    }
    found
}

#[test]
fn a_stream_has_zeros_for_free_space() {
    let bench = Bench::new("multichunk", &["base.ndz"]);
    let expected = stream_of(&bench, "multichunk");
    assert!(bench.unzip(&["base.ndz"]).stdout == expected);
    assert!(bench.unzip(&["base.ndz", "-"]).stdout == expected);
    assert!(bench.unzip(&["-n", "base.ndz", "/dev/stdout"]).stdout == expected);
    assert!(bench.call(&["-"], from_file(&bench, "base.ndz")).stdout == expected);
    bench.put("expected", &expected);
    bench.shell("cat base.ndz | imageunzip - | cmp - expected");
    bench.shell("mkfifo pipe; cmp pipe expected & imageunzip base.ndz pipe; wait $!");
    bench.shell("imageunzip -p 0 base.ndz > all; cmp all expected");
    bench.shell(
        "echo before > all; imageunzip base.ndz >> all; (echo before; cat expected) | cmp - all",
    );
}

#[test]
fn an_image_from_a_pipe_is_loaded() {
    for case in ["multichunk", "manyregions"] {
        let bench = Bench::new(case, &["base.ndz"]);
        bench.shell("cat base.ndz | imageunzip - disk; imageunzip base.ndz other; cmp disk other");
    }
    let bench = Bench::new("formats", &["base.v1.ndz"]);
    bench
        .shell("cat base.v1.ndz | imageunzip - disk; imageunzip base.v1.ndz other; cmp disk other");
}

#[test]
fn a_pipe_that_ends_too_early_is_an_error() {
    let bench = Bench::new("multichunk", &["base.ndz"]);
    let said = bench.shell("head -c 1500000 base.ndz | imageunzip - disk && exit 1; echo $?");
    assert!(said.contains("5\n") && said.contains("standard input"), "{said}");
    assert!(!bench.exists("disk"));
    let bench = Bench::new("smallswap", &["base.ndz"]);
    let said = bench.shell("cat base.ndz | imageunzip - disk && exit 1; echo $?");
    assert!(said.contains("6\n"), "{said}");
    // Chunks of version 1 say how many there are.
    let bench = Bench::new("formats", &["base.v1.ndz"]);
    let mut image = bench.get("base.v1.ndz");
    image[12] = 2;
    bench.put("part.ndz", &image);
    let said = bench.shell("cat part.ndz | imageunzip - disk && exit 1; echo $?");
    assert!(said.contains("5\n"), "{said}");
}

#[test]
fn the_checksum_is_that_of_cksum() {
    let bench = Bench::new("multichunk", &["base.ndz"]);
    assert_eq!(bench.shell("imageunzip base.ndz | cksum"), bench.shell("imageunzip -C base.ndz"));
    let with_pattern = bench.shell("imageunzip -p 7 base.ndz | cksum");
    assert_eq!(with_pattern, bench.shell("cat base.ndz | imageunzip -p 7 -C -"));
    let bench = Bench::new("filemode", &["base.ndz", "base.img"]);
    assert_eq!(bench.shell("cksum < base.img"), bench.shell("imageunzip -C base.ndz"));
}

#[test]
fn only_the_data_can_be_written() {
    let bench = Bench::new("multichunk", &["base.ndz"]);
    let disk = golden::file("multichunk", "base.img");
    let mut data = Vec::new();
    for extent in &bench.extents("base.ndz") {
        let (from, to) = (extent.start().to_bytes().get(), extent.end().to_bytes().get());
        data.extend(&disk[usize::try_from(from).unwrap()..usize::try_from(to).unwrap()]);
    }
    bench.put("data", &data);
    bench.shell("imageunzip -I base.ndz | cmp - data; imageunzip -I base.ndz > out; cmp out data");
}

#[test]
fn chunks_are_copied_as_they_are() {
    for (case, image) in [("multichunk", "base.ndz"), ("formats", "base.enc.ndz")] {
        let bench = Bench::new(case, &[image]);
        bench.shell(&format!("imageunzip -N {image} copy; cmp {image} copy"));
        bench.shell(&format!("cat {image} | imageunzip -N - | cmp - {image}"));
    }
    let bench = Bench::new("smallswap", &["base.ndz"]);
    bench.refuses(&["-N", "base.ndz", "copy"], 6, &["base.ndz"]);
    assert!(!bench.exists("copy"));
}

#[test]
fn scripts_get_their_dots() {
    let bench = Bench::new("multichunk", &["base.ndz"]);
    let chunks = bench.get("base.ndz").len() >> 20;
    let said = bench.unzip(&["-o", "base.ndz", "disk"]).stderr;
    let (dots, rest) = said.split_at(67);
    assert_eq!(dots.trim_end(), ".".repeat(chunks));
    assert_eq!(rest.len(), " 0000 000000\n".len(), "{rest:?}");
    assert!(rest.ends_with("      0\n"), "{rest:?}");
    // Less than a gigabyte.
    assert_eq!(bench.unzip(&["-o", "-O", "-W", "32", "base.ndz", "disk"]).stderr, "");
}

#[test]
fn statistics_are_json() {
    let bench = Bench::new("truncfile", &["base.ndz"]);
    let held = bench.extents("base.ndz").sector_count().to_bytes().get();
    let json = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).unwrap();
    let report = json(&bench.unzip(&["--json", "--verify", "base.ndz", "disk"]).stdout);
    assert_eq!(report["written"], held);
    assert_eq!(report["verified"], held);
    assert_eq!(report["skipped"], 20_971_520 - held);
    assert_eq!((&report["chunks"], &report["filled"]), (&1.into(), &0.into()));
    assert_eq!(report["end"], 20_971_520);
    let streamed = json(bench.unzip(&["--json", "base.ndz"]).stderr.as_bytes());
    assert_eq!(streamed["filled"], 20_971_520 - held);
}
