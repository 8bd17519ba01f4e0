//! Where signatures go, and images that are signed.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::disks::disk;

/// A secret key of minisign without a password, and the public key (src/signing/fixtures).
const SECRET: &str = include_str!("../../src/signing/fixtures/plain.secret");
const PUBLIC: &str = include_str!("../../src/signing/fixtures/public.key");

#[test]
fn a_signed_image_is_known_to_other_programs() {
    let bench = disk();
    bench.write("key", SECRET.as_bytes());
    bench.write("public", PUBLIC.as_bytes());
    bench.save(&["--sign", "key", "-U", "", "disk", "out.ndz"]);
    let said = bench.run("sha256sum", &["-c", "out.ndz.sha256"]);
    assert_eq!(said, "out.ndz: OK\nout.ndz.sig: OK\n");
    let verifier = imagezip_tools::signing::Verifier::load(bench.path("public").as_os_str());
    verifier.unwrap().verify(&bench.path("out.ndz")).unwrap();

    bench.write("bad", b"no key");
    let message = bench.refuse(&["--sign", "bad", "disk", "none"]);
    assert!(message.contains("bad is not a secret key"), "{message}");
    let message = bench.refuse(&["--sign", "key", "disk", "-"]);
    assert!(message.contains("write it to a file"), "{message}");
    assert!(!bench.exists("none"));
}

#[test]
fn the_signature_of_an_image_in_a_pipe_does_not_follow_links() {
    let bench = disk();
    bench.write("victim", b"precious");
    let name = "/tmp/stdout.sig";
    // Somebody else may have left one there.
    let _ = fs::remove_file(name);
    std::os::unix::fs::symlink(bench.path("victim"), name).unwrap();
    let said = bench.save(&["-U", "", "disk", "-"]);
    assert!(said.stderr.contains("-: new signature written to /tmp/stdout.sig"));
    assert_eq!(bench.read("victim"), b"precious");
    let metadata = fs::symlink_metadata(name).unwrap();
    assert!(metadata.is_file());
    assert_eq!(metadata.permissions().mode() & 0o022, 0);
    bench.save(&["-U", "named.sig", "disk", "-"]);
    assert!(fs::read(name).unwrap() == bench.read("named.sig"));
    assert!(metadata.size() > 32);
    fs::remove_file(name).unwrap();
}
