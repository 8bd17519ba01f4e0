//! What is refused, and that nothing has happened then.

use std::process::Stdio;

use imagezip_tools::signing::Signer;

use crate::bench::{Bench, untouched};

/// Calls imageunzip for an existing file, which must stay as it is, and for a new one, which must
/// not stay.
fn refused(bench: &Bench, arguments: &[&str], status: i32, words: &[&str]) {
    bench.garbage("old", 20_971_520);
    bench.refuses(&[arguments, &["old"]].concat(), status, words);
    assert!(untouched(&bench.get("old")), "{arguments:?}");
    bench.refuses(&[arguments, &["new"]].concat(), status, words);
    assert!(!bench.exists("new"), "{arguments:?}");
}

#[test]
fn a_damaged_header_is_found_before_the_first_write() {
    let bench = Bench::new("smallswap", &["base.ndz"]);
    refused(&bench, &["base.ndz"], 6, &["base.ndz", "regions", "chunk 0"]);

    let bench = Bench::new("multichunk", &["base.ndz"]);
    let image = bench.get("base.ndz");
    let last = image.len() - (1 << 20);
    let mut damaged = image.clone();
    damaged[last + 24] ^= 0x10;
    bench.put("damaged.ndz", &damaged);
    refused(&bench, &["damaged.ndz"], 6, &["damaged.ndz", "chunk 1"]);
    bench.put("short.ndz", &image[..last + 1000]);
    refused(&bench, &["short.ndz"], 5, &["short.ndz", "ends too early"]);
    bench.put("none.ndz", &vec![b'x'; 1 << 20]);
    refused(&bench, &["none.ndz"], 6, &["none.ndz", "not a chunk"]);
}

#[test]
fn damaged_data_are_an_error() {
    let bench = Bench::new("truncfile", &["base.ndz"]);
    let mut image = bench.get("base.ndz");
    image[4096 + 50_000] ^= 1;
    bench.put("damaged.ndz", &image);
    bench.refuses(&["damaged.ndz", "new"], 6, &["damaged.ndz", "chunk 0"]);
    assert!(!bench.exists("new"), "a file that is not complete does not stay");
    // What was written of a file that was there can't be taken back, but it is said.
    bench.garbage("old", 20_971_520);
    bench.refuses(&["damaged.ndz", "old"], 6, &["old is not complete", "chunk 0"]);
    // Nor does a file that is made at the end of a link, but the link does.
    std::os::unix::fs::symlink("new", bench.path("link")).unwrap();
    bench.refuses(&["damaged.ndz", "link"], 6, &["chunk 0"]);
    assert!(!bench.exists("new") && bench.path("link").is_symlink());
}

#[test]
fn keys_and_identities_are_demands() {
    let names = ["base.ndz", "base.v4.ndz", "base.enc.ndz", "base.signed.ndz"];
    let keys = ["base.signed.ndz.skey", "key"];
    let bench = Bench::new("formats", &[names.as_slice(), &keys].concat());
    refused(&bench, &["base.enc.ndz"], 7, &["encrypted", "key"]);
    refused(&bench, &["-a", "base.signed.ndz.skey", "base.v4.ndz"], 6, &["not signed"]);
    let other = "00112233445566778899aabbccddeef0";
    refused(&bench, &["-u", other, "base.v4.ndz"], 1, &["00112233445566778899aabbccddeeff"]);
    refused(&bench, &["-u", other, "base.ndz"], 1, &["no identity"]);
    let mut forged = bench.get("base.signed.ndz");
    forged[4096 + 1000] ^= 1;
    bench.put("forged.ndz", &forged);
    refused(&bench, &["-a", "base.signed.ndz.skey", "forged.ndz"], 6, &["forged.ndz"]);
    bench.put("wrong", "ff".repeat(32).as_bytes());
    refused(&bench, &["-k", "wrong", "base.enc.ndz"], 6, &["base.enc.ndz"]);
}

#[test]
fn signed_by_demands_a_signature() {
    let bench = Bench::new("formats", &["base.ndz"]);
    let key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    refused(&bench, &["--signed-by", key, "base.ndz"], 1, &["base.ndz"]);
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/src/signing/fixtures");
    let (secret, public) = (format!("{fixtures}/plain.secret"), format!("{fixtures}/public.key"));
    Signer::load(secret.as_ref(), None).unwrap().sign(&bench.path("base.ndz")).unwrap();
    refused(&bench, &["--signed-by", key, "base.ndz"], 1, &["base.ndz"]);
    bench.unzip(&["--signed-by", &public, "base.ndz", "new"]);
    assert!(bench.exists("new"));
    std::fs::remove_file(bench.path("new")).unwrap();
    let mut image = bench.get("base.ndz");
    image[4096 + 100] ^= 1;
    bench.put("base.ndz", &image);
    refused(&bench, &["--signed-by", &public, "base.ndz"], 1, &["base.ndz"]);
    let bench = Bench::new("formats", &["base.ndz"]);
    bench.refuses(&["--signed-by", &public, "-", "new"], 1, &["--signed-by"]);
}

#[test]
fn what_does_not_go_together_is_named() {
    let bench = Bench::new("formats", &["base.ndz"]);
    for (arguments, word) in [
        (&["-s", "1", "base.ndz"][..], "-s"),
        (&["--verify", "base.ndz", "-"], "--verify"),
        (&["-E", "base.ndz"], "-E"),
        (&["-I", "base.ndz", "out"], "-I"),
        (&["-C", "base.ndz", "out"], "-C"),
        (&["-D", "131", "base.ndz", "out"], "--slice"),
        (&["-I", "-C", "base.ndz"], "cannot be used with"),
        (&["-z", "-E", "base.ndz", "out"], "cannot be used with"),
        (&["-e", "rot13", "base.ndz", "out"], "bf_cbc"),
        (&["base.ndz", "base.ndz"], "itself"),
        (&["base.ndz", "/"], "directory"),
        (&["-s", "1", "base.ndz", "out"], "empty"),
        (&["absent.ndz", "out"], "absent.ndz"),
    ] {
        bench.refuses(arguments, 1, &[word]);
        assert!(!bench.exists("out"), "{arguments:?}");
    }
    let outcome = bench.call(&["--verify", "-", "out"], Stdio::null());
    assert_eq!(outcome.status, 1, "{}", outcome.stderr);
}
