//! imagerestore, called as people call it: a saved disk onto another one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench;

use std::fs;
use std::io::Read;
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use bench::{Bench, GARBAGE, SIZE};

const BOTH: &str = "base.ndz node-swap.ndz";

#[test]
fn a_larger_disk_becomes_the_one_that_was_saved() {
    let bench = Bench::new();
    bench.garbage("other", SIZE + 7 * 512 * 1001);
    let report = bench.tool("imagerestore", &format!("--json --free zero {BOTH} other"));
    bench.assert_restored("other");
    let number = |key| Bench::number(&report, key);
    let all = bench.extents("base.ndz").union(&bench.extents("node-swap.ndz"));
    assert_eq!(number("written"), all.sector_count().to_bytes().get());
    assert_eq!(number("base") + number("delta"), number("written"));
    assert_eq!((number("verified"), number("avoided")), (number("written"), 0));
    assert!(number("replaced") > 0);
    let left = bench.read("other");
    assert!(!left.chunks(512).any(|sector| sector.iter().all(|byte| *byte == GARBAGE)));
    // The backup table is at the end of this disk.
    assert!(left[left.len() - 512..].starts_with(b"EFI PART"));
}

#[test]
fn what_is_there_is_not_written() {
    let bench = Bench::new();
    bench.garbage("other", SIZE);
    bench.tool("imageunzip", "base.ndz other");
    let report = bench.tool("imagerestore", &format!("--json {BOTH} other"));
    bench.assert_restored("other");
    let changed = bench.extents("node-swap.ndz").sector_count().to_bytes().get();
    assert!(Bench::number(&report, "written") < 2 * changed, "{report}");
    let chunks = bench.read("base.ndz").len() as u64 >> 20;
    assert!(Bench::number(&report, "chunks_read") < chunks, "{report}");
    let again = bench.tool("imagerestore", &format!("--json {BOTH} other"));
    bench.assert_restored("other");
    assert!(Bench::number(&again, "written") < changed / 4, "{again}");
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let bench = Bench::new();
    bench.garbage("other", SIZE);
    let refuses = |words| bench.refuses(&format!("{BOTH} other"), "other", 1, words);
    bench.describe(|meta| meta.base.as_mut().unwrap().signature_sha256 = [1; 32]);
    refuses("base.ndz.sig has SHA-256");
    bench.describe(|meta| meta.base.as_mut().unwrap().image_sha256 = Some([1; 32]));
    refuses("base.ndz has SHA-256");
    bench.describe(|meta| meta.signature_sha256 = Some([1; 32]));
    refuses("node-swap.sig has SHA-256");
    bench.describe(|meta| meta.image_sha256 = [1; 32]);
    refuses("node-swap.ndz has SHA-256");
    bench.describe(|meta| meta.base = None);
    refuses("is a full image by its .meta");
    bench.describe(|meta| meta.load_partition = 2);
    refuses("LOADPART=2");
    bench.describe(|_| {});
    bench.refuses("node-swap.ndz other", "other", 1, "must come before it");
    bench.refuses("--slice 1 base.ndz node-swap.ndz other", "other", 1, "LOADPART=0");

    fs::remove_file(bench.path("node-swap.meta")).unwrap();
    refuses("--no-meta");
    // The signatures alone tell another base image from the right one.
    bench.shell("cp base.ndz right.ndz; cp base.ndz.sig right.ndz.sig; cp node-swap.ndz base.ndz");
    bench.refuses(&format!("--no-meta {BOTH} other"), "other", 6, "is not the image of");
    bench.tool("imagerestore", "--no-meta right.ndz node-swap.ndz other");
    bench.assert_restored("other");
}

#[test]
fn a_disk_that_is_too_small_is_refused() {
    let bench = Bench::new();
    bench.garbage("other", SIZE - 4096);
    bench.shell("echo 'label: gpt\nstart=2048, size=70000, type=linux' | sfdisk --quiet other");
    bench.describe(|meta| meta.load_partition = 1);
    bench.refuses(&format!("-s 1 {BOTH} other"), "other", 1, "nothing was written");
    bench.describe(|_| {});
    bench.refuses(&format!("{BOTH} base.ndz"), "base.ndz", 1, "onto itself");
}

#[test]
fn a_full_image_needs_no_base() {
    let bench = Bench::new();
    bench.tool("imagezip", "-U full.ndz.sig disk full.ndz");
    bench.garbage("other", SIZE);
    bench.tool("imagerestore", "full.ndz other");
    bench.assert_restored("other");
}

/// Killed when it has written so much, and done again, until it comes to its end.
#[test]
fn killed_at_20_random_moments_it_can_be_done_again() {
    let bench = Bench::new();
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed: u64 = seed.unwrap_or(u64::from(now.subsec_nanos()));
    println!("SEED={seed}");
    let mut state = seed | 1;
    let all = bench.extents("base.ndz").union(&bench.extents("node-swap.ndz"));
    let all = all.sector_count().to_bytes().get();
    let mut killed = 0;
    for round in 0..20 {
        if round % 5 == 0 {
            bench.garbage("other", SIZE + 512);
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let moment = (state >> 33) % all;
        let manner = ["sampled", "converge", "full"][round % 3];
        let line = format!("--load {manner} --free zero {BOTH} other");
        let mut child =
            bench.command("imagerestore", &line).stderr(Stdio::piped()).spawn().unwrap();
        let counters = format!("/proc/{}/io", child.id());
        while child.try_wait().unwrap().is_none() {
            let text = fs::read_to_string(&counters).unwrap_or_default();
            let written = text.lines().find_map(|line| line.strip_prefix("wchar: "));
            if written.is_some_and(|written| written.parse::<u64>().unwrap() > moment) {
                child.kill().unwrap();
                break;
            }
        }
        killed += usize::from(!child.wait().unwrap().success());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "", "SEED={seed}");
        if round % 5 == 4 {
            bench.tool("imagerestore", &format!("--free zero {BOTH} other"));
            bench.assert_restored("other");
        }
    }
    assert!(killed > 5, "only {killed} runs were killed; SEED={seed}");
}
