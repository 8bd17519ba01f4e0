//! `imagedump` on files that the reference programs made, and on what is none of them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The images of the golden case `formats`, and its keys.
fn bench() -> TempDir {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/formats");
    let bench = tempfile::tempdir().unwrap();
    for name in ["base", "base.v1", "base.v4", "base.signed", "base.enc"] {
        let stored = File::open(golden.join(format!("{name}.ndz.zst"))).unwrap();
        let image = zstd::decode_all(stored).unwrap();
        fs::write(bench.path().join(format!("{name}.ndz")), image).unwrap();
    }
    fs::copy(golden.join("base.signed.ndz.skey"), bench.path().join("its.skey")).unwrap();
    fs::copy(golden.join("key"), bench.path().join("cipher.key")).unwrap();
    bench
}

fn imagedump(bench: &TempDir, arguments: &[&str], stdin: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_imagezip-tools"));
    command.arg("imagedump").args(arguments).current_dir(bench.path());
    command.stdin(match stdin {
        Some(name) => File::open(bench.path().join(name)).unwrap().into(),
        None => Stdio::null(),
    });
    command.output().unwrap()
}

/// The exit status, and what is on standard output and standard error.
fn run(bench: &TempDir, arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = imagedump(bench, arguments, None);
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_status_is_the_number_of_bad_files() {
    let bench = bench();
    fs::write(bench.path().join("text"), "not an image\n").unwrap();
    let line = ["base.ndz", "absent.ndz", "base.v1.ndz", "text", "."];
    let (status, stdout, stderr) = run(&bench, &line);
    assert_eq!(status, 3);
    // The good files are shown whatever else is there.
    for name in ["base.ndz", "base.v1.ndz"] {
        assert!(stdout.contains(&format!("{name}: 1048576 bytes, 1 chunks, version ")), "{stdout}");
    }
    for name in ["absent.ndz", "text", "."] {
        let line = stderr.lines().find(|line| line.starts_with(&format!("imagedump: {name}: ")));
        assert!(line.is_some(), "{name}: {stderr}");
    }
    let many = vec!["absent.ndz"; 300];
    assert_eq!(run(&bench, &many).0, 125);
}

#[test]
fn standard_input_is_as_good_as_a_file() {
    let bench = bench();
    let (_, file, _) = run(&bench, &["-dd", "-c", "base.ndz"]);
    let stream = imagedump(&bench, &["-dd", "-c", "-"], Some("base.ndz"));
    assert!(stream.status.success());
    assert_eq!(text(stream.stdout), file.replacen("base.ndz", "-", 1));
}

#[test]
fn a_quick_look_is_silent() {
    let bench = bench();
    fs::write(bench.path().join("empty"), "").unwrap();
    let silent = |status| (status, String::new(), String::new());
    for good in [&["-q", "base.ndz"][..], &["-q", "base.v4.ndz", "base.v1.ndz"]] {
        assert_eq!(run(&bench, good), silent(0));
    }
    for bad in [&["-q", "its.skey"][..], &["-q", "base.ndz", "empty"], &["-q", "absent"]] {
        assert_eq!(run(&bench, bad), silent(1));
    }
}

#[test]
fn signed_checksums_need_a_key() {
    let bench = bench();
    let (status, _, stderr) = run(&bench, &["-c", "base.signed.ndz"]);
    assert!(status == 1 && stderr.contains("--checksum-key"), "{stderr}");
    let key = "--checksum-key=its.skey";
    assert_eq!(run(&bench, &["-c", key, "base.signed.ndz"]).0, 0);
    // As imagezip leaves it there.
    fs::copy(bench.path().join("its.skey"), bench.path().join("base.signed.ndz.skey")).unwrap();
    assert_eq!(run(&bench, &["-c", "base.signed.ndz"]).0, 0);
    let (status, _, stderr) = run(&bench, &["-c", key, "base.ndz"]);
    assert!(status == 1 && stderr.contains("not signed"), "{stderr}");

    let path = bench.path().join("base.signed.ndz");
    let mut image = fs::read(&path).unwrap();
    image[4096] ^= 1;
    fs::write(&path, image).unwrap();
    let (status, _, stderr) = run(&bench, &["-c", "base.signed.ndz"]);
    assert!(status == 1 && stderr.contains("not signed with this key"), "{stderr}");
}

#[test]
fn encrypted_data_need_a_key() {
    let bench = bench();
    let (status, stdout, stderr) = run(&bench, &["-c", "base.enc.ndz"]);
    assert_eq!(status, 0);
    assert!(stdout.starts_with("base.enc.ndz: 1048576 bytes, 1 chunks, version 4, encrypted (1)"));
    assert!(stderr.contains("only checksums are checked"), "{stderr}");
    let (status, _, stderr) = run(&bench, &["-c", "--key=cipher.key", "base.enc.ndz"]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    fs::write(bench.path().join("other.key"), "00".repeat(32)).unwrap();
    assert_eq!(run(&bench, &["-c", "--key=other.key", "base.enc.ndz"]).0, 1);
}

#[test]
fn json_has_the_same_facts() {
    let bench = bench();
    let (status, stdout, stderr) = run(&bench, &["--json", "-dd", "-m", "base.ndz", "absent.ndz"]);
    assert_eq!((status, stderr.as_str()), (1, ""));
    let files: Value = serde_json::from_str(&stdout).unwrap();
    let base = &files[0];
    assert_eq!((base["file"].as_str(), base["version"].as_u64()), (Some("base.ndz"), Some(3)));
    assert_eq!(base["covered"]["end"], 16384);
    assert_eq!(base["allocated"]["bytes"], 1_635_328);
    assert_eq!(base["chunk_list"][0]["regions"][1]["start"], 12290);
    let map = base["map"].as_array().unwrap();
    assert_eq!(map.len(), 8);
    assert_eq!(map[7]["end"], 16384);
    assert_eq!(base["problems"].as_array().map(Vec::len), Some(0));
    assert_eq!(files[1]["problems"].as_array().map(Vec::len), Some(1));
}
