//! Standard input and output.

use std::fs::File;
use std::io::Write;
use std::process::Stdio;

use crate::bench::Bench;
use crate::disks::{disk, noise};

/// A pipe that `bytes` come through.
fn pipe(bytes: Vec<u8>) -> Stdio {
    let (from, mut to) = std::io::pipe().unwrap();
    std::thread::spawn(move || {
        // The reader may have seen enough.
        let _ = to.write_all(&bytes);
    });
    from.into()
}

#[test]
fn from_a_pipe() {
    let bench = Bench::new();
    let data = noise(3_000_100, 1);
    bench.write("file", &data);
    bench.save(&["-f", "-U", "file.sig", "file", "file.ndz"]);
    let said = bench.imagezip_from(&["-f", "-U", "pipe.sig", "-", "pipe.ndz"], pipe(data.clone()));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let content = bench.content("pipe.ndz");
    assert!(content.disk.starts_with(&data));
    assert_eq!(content.relocs, bench.content("file.ndz").relocs);
    assert!(bench.read("pipe.sig") == bench.read("file.sig"));

    // Whole sectors without -f; no more than was asked for.
    let said = bench.imagezip_from(&["-r", "-c", "1000", "-", "some.ndz"], pipe(data.clone()));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(bench.content("some.ndz").disk == data[..512_000]);
    let said = bench.imagezip_from(&["-f", "-5", "--json", "-", "five.ndz"], bench.open("file"));
    let statistics: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(statistics["image"]["version"], 5);
    assert!(bench.content("five.ndz").disk.starts_with(&data));
}

#[test]
fn to_a_pipe() {
    let bench = disk();
    bench.save(&["disk", "file"]);
    let said = bench.save(&["--json", "-U", "s.sig", "disk", "-"]);
    assert!(said.stdout == bench.read("file"));
    assert!(said.stderr.contains("-: new signature written to s.sig\n"), "{}", said.stderr);
    let json = said.stderr.lines().last().unwrap();
    let statistics: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(statistics["image"]["bytes"], said.stdout.len());
}

#[test]
fn both() {
    let bench = Bench::new();
    let data = noise(100_000, 2);
    let said = bench.imagezip_from(&["-f", "-", "-"], pipe(data.clone()));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    bench.write("out", &said.stdout);
    assert!(bench.content("out").disk.starts_with(&data));
}

#[test]
fn what_pipes_cannot_do() {
    let bench = disk();
    bench.save(&["-U", "s.sig", "disk", "base"]);
    for (arguments, reason) in [
        (&["-", "none"][..], "only -r and -f"),
        (&["-s1", "-", "none"], "only -r and -f"),
        (&["-r", "-H", "s.sig", "-", "none"], "save it to a file first"),
        (&["-r", "-i", "-"], "before it is saved"),
    ] {
        let said = bench.imagezip_from(arguments, File::open("/dev/null").unwrap());
        assert_eq!(said.code, Some(1), "{arguments:?}");
        assert!(said.stderr.contains(reason), "{arguments:?}: {}", said.stderr);
        assert!(!bench.exists("none"));
    }
}
