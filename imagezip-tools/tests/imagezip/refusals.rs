//! What is not done, and what to do in its place.

use crate::bench::Bench;
use crate::disks::disk;

#[test]
fn options_that_are_refused_name_another_way() {
    let bench = disk();
    for (arguments, replacement) in [
        (&["-a", "SHA1"][..], "--sign"),
        (&["-e", "bf_cbc"], "age or gpg"),
        (&["-e", "bf_cbc", "-k", "key"], "age or gpg"),
        (&["-k", "key"], "age or gpg"),
        (&["-M"], "leave out -M"),
    ] {
        let line: Vec<_> = arguments.iter().copied().chain(["disk", "none"]).collect();
        let message = bench.refuse(&line);
        assert!(message.contains(replacement), "{message}");
        assert!(!bench.exists("none"));
    }
}

#[test]
fn an_image_is_not_written_over_its_disk() {
    let bench = disk();
    let before = bench.read("disk");
    std::os::unix::fs::symlink("disk", bench.path("link")).unwrap();
    std::fs::hard_link(bench.path("disk"), bench.path("other")).unwrap();
    for name in ["disk", "link", "other"] {
        let message = bench.refuse(&["disk", name]);
        assert!(message.contains("are the same"), "{message}");
    }
    assert!(bench.read("disk") == before);
}

#[test]
fn nothing_to_save() {
    let bench = Bench::new();
    bench.write("empty", b"");
    let said = bench.imagezip(&["empty", "none"]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("no valid data"), "{}", said.stderr);
    assert!(!bench.exists("none"));
    let disk = disk();
    let said = disk.imagezip(&["-s", "1", "-I", "1", "disk", "none"]);
    assert_eq!(said.code, Some(1), "{}", said.stderr);
}

#[test]
fn words_that_mean_nothing() {
    let bench = disk();
    for arguments in [
        &["disk"][..],
        &[],
        &["-I", "0", "disk", "none"],
        &["-I", "1z", "disk", "none"],
        &["-s", "129", "disk", "none"],
        &["-S", "x", "disk", "none"],
        &["-S", "256", "disk", "none"],
        &["-B", "0", "disk", "none"],
        &["-P", "x", "disk", "none"],
        &["--no-such-option", "disk", "none"],
        &["-s1", "-l", "disk", "none"],
        &["absent", "none"],
    ] {
        bench.refuse(arguments);
        assert!(!bench.exists("none"), "{arguments:?}");
    }
}
