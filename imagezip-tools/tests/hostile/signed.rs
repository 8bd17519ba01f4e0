//! Images that others have changed since they were signed.

use std::fs;
use std::path::Path;

use crate::bench::Bench;

/// A bench with `base.ndz` signed, and the keys in `public` and `secret`.
fn signed() -> Bench {
    let bench = Bench::new();
    for (name, fixture) in
        [("public", "public.key"), ("secret", "plain.secret"), ("encrypted", "encrypted.secret")]
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/signing/fixtures").join(fixture);
        fs::copy(path, bench.file(name)).unwrap();
    }
    bench.does("imagezip -r -U '' --sign secret disk base.ndz");
    bench
}

#[test]
fn each_tool_that_signs_makes_what_the_others_accept() {
    let bench = signed();
    bench.does("sha256sum -c base.ndz.sha256 && minisign -q -Vm base.ndz.sha256 -p public");
    bench.does("echo pw > password");
    for line in [
        "true",
        "imagehash --sign secret base.ndz",
        "imagehash -c --sign secret base.ndz",
        "imagehash --sign encrypted --password-file password base.ndz",
        "IMAGEZIP_SIGN_PASSWORD=pw imagehash --sign encrypted base.ndz",
        "imagezip -r -U '' --sign encrypted --password-file password disk base.ndz",
    ] {
        bench.does(line);
        bench.does("imagehash --verify public base.ndz && imagehash --verify public base.ndz disk");
        bench.does("imagedump --verify public base.ndz");
        bench.does("imageunzip --signed-by public base.ndz loaded && cmp disk loaded");
    }
}

#[test]
fn what_has_changed_is_not_loaded() {
    let bench = signed();
    fs::write(bench.file("target"), "as it was").unwrap();
    let refuses = |reason: &str| {
        bench.refuses("imageunzip --signed-by public base.ndz target", reason);
        assert_eq!(fs::read(bench.file("target")).unwrap(), b"as it was");
        bench.refuses("imagehash --verify public base.ndz", reason);
        bench.refuses("imagehash --verify public base.ndz disk", reason);
    };
    // Bytes that nobody reads: only the digest knows.
    bench.does("cp base.ndz good; printf x | dd of=base.ndz bs=1 seek=4000 conv=notrunc");
    refuses("not the file that was signed");
    // Signed anew, by another.
    bench.does("minisign -G -W -p other.public -s other > /dev/null");
    bench.does("imagehash --sign other base.ndz");
    refuses("different from public key");
    bench.does("rm base.ndz.sha256.minisig");
    refuses("base.ndz.sha256.minisig");
    bench.does("rm base.ndz.sha256");
    refuses("base.ndz is not signed");
    bench.refuses("imageunzip --signed-by public - target < base.ndz", "");
    assert_eq!(fs::read(bench.file("target")).unwrap(), b"as it was");
}

#[test]
fn without_the_key_nothing_is_done() {
    let bench = signed();
    let names = bench.names();
    for key in ["nowhere", "disk", "public", "encrypted"] {
        let line = format!("setsid imagezip -r --sign {key} disk new");
        bench.refuses(&line, key);
        assert_eq!(bench.names(), names, "{line}");
    }
    bench.refuses("imagezip -r --sign secret disk - | cat; exit 1", "--sign");
}
