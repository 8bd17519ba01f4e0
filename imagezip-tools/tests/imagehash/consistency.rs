//! Checking signatures against their images.

use crate::bench::Bench;

#[test]
fn signatures_of_the_reference_belong_to_their_images() {
    for (case, image, signature) in [
        ("multichunk", "base.ndz", "base.sig"),
        ("multichunk", "base.ndz", "base.U.sig"),
        ("multichunk", "base.ndz", "base.md5.sig"),
        ("multichunk", "base.ndz", "base.b4096.sig"),
        ("multichunk", "base.ndz", "base.v1.sig"),
        ("slicemode", "base.s2.ndz", "base.s2.sig"),
    ] {
        let bench = Bench::new(case, &[image, signature]);
        assert_eq!(bench.prints(&["-S", "-o", signature, image], 0), "", "{case}: {signature}");
    }
    let bench = Bench::new("filemode", &["base.img", "base.r.sig"]);
    bench.prints(&["-S", "-r", "-o", "base.r.sig", "base.img"], 0);
}

#[test]
fn the_status_counts_what_differs_about_the_whole() {
    let bench = Bench::new("multichunk", &["base.ndz", "base.sig", "mod.sig"]);
    let status =
        |options: &[&str]| bench.call(&[&["-S", "-o", "base.sig", "base.ndz"], options].concat());
    assert_eq!(status(&["-D", "md5"]).status, 1);
    assert_eq!(status(&["-D", "md5", "-b", "512"]).status, 3, "digest, size, number of entries");
    let said = status(&["-D", "md5"]).stdout;
    assert!(said.contains("base.sig: digest: SHA-1, not MD5"), "{said}");
    let other = bench.call(&["-S", "-o", "mod.sig", "base.ndz"]);
    assert_eq!(other.status, 1, "the number of entries");
    assert!(other.stdout.contains("): another digest\n"), "{}", other.stdout);
}

#[test]
fn an_entry_that_differs_is_255() {
    let bench = Bench::new("multichunk", &["base.ndz", "base.sig"]);
    let mut signature = bench.get("base.sig");
    signature[32 + 32 * 5 + 12] ^= 1;
    // That another chunk is named says nothing about the data.
    signature[32 + 8] ^= 1;
    bench.put("base.ndz.sig", &signature);
    let outcome = bench.call(&["-S", "base.ndz"]);
    assert_eq!(outcome.status, 255);
    assert_eq!(outcome.stdout.lines().count(), 1);
    assert!(outcome.stdout.ends_with("): another digest\n"));
    assert!(outcome.stderr.contains("1 with another chunk's number"), "{}", outcome.stderr);
    bench.refuses(&["-S", "-o", "none.sig", "base.ndz"], 2, &["none.sig"]);
}
