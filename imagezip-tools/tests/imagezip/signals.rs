//! Being asked and being told to end.

use std::io::{BufRead, BufReader, PipeWriter, Read, Write};
use std::process::{Child, Command, Stdio};

use crate::bench::Bench;
use crate::disks::noise;

/// imagezip, which waits for more to come through the pipe: it has handled signals for long then,
/// since it has taken more than a pipe holds.
fn waiting(bench: &Bench) -> (Child, PipeWriter) {
    let (from, mut to) = std::io::pipe().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_imagezip-tools"))
        .args(["imagezip", "-f", "-z0", "-", "out"])
        .current_dir(bench.path("."))
        .stdin(from)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    to.write_all(&noise(6 << 20, 1)).unwrap();
    (child, to)
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
}

#[test]
fn asked_it_says_how_far_it_is() {
    let bench = Bench::new();
    let (mut child, pipe) = waiting(&bench);
    signal(&child, "-USR1");
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    errors.read_line(&mut line).unwrap();
    assert!(line.contains("bytes in") && line.contains("seconds"), "{line}");
    assert!(!bench.exists("out") || bench.read("out").iter().take(4096).all(|byte| *byte == 0));
    drop(pipe);
    assert!(child.wait().unwrap().success());
    let mut rest = String::new();
    errors.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("Image size: "), "{rest}");
    assert!(bench.content("out").disk == noise(6 << 20, 1));
}

#[test]
fn told_to_end_it_leaves_nothing() {
    for name in ["-TERM", "-INT", "-HUP"] {
        let bench = Bench::new();
        let (mut child, pipe) = waiting(&bench);
        signal(&child, name);
        let status = child.wait().unwrap();
        assert_eq!(status.code(), None, "{name}: {status}");
        assert!(!bench.exists("out"), "{name}");
        drop(pipe);
    }
}
