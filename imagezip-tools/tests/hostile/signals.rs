//! Told to end, killed, asked how far it is.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};

use crate::bench::{Bench, noise};

/// Feeds a program; when this returns it has read all but what the pipe holds.
fn feed(child: &mut Child, bytes: &[u8]) {
    child.stdin.as_mut().unwrap().write_all(bytes).unwrap();
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args(["-s", name, &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

/// Waits for the end of a program whose input goes on: it must not come to the input's end first.
fn end(child: &mut Child) -> ExitStatus {
    let _input = child.stdin.take();
    child.wait().unwrap()
}

#[test]
fn a_save_that_is_told_to_end_leaves_nothing() {
    let bench = Bench::new();
    let names = bench.names();
    fs::write(bench.file("old"), "old").unwrap();
    for (name, number) in [("TERM", 15), ("INT", 2), ("HUP", 1)] {
        for output in ["new", "old"] {
            let mut child = bench.start("imagezip", &["-r", "-", output]);
            feed(&mut child, &noise(8 << 20));
            assert!(bench.names().len() > names.len() + 1 || output == "new");
            signal(&child, name);
            assert_eq!(end(&mut child).signal(), Some(number));
        }
        assert_eq!(fs::read(bench.file("old")).unwrap(), b"old");
        assert_eq!(bench.names().len(), names.len() + 1, "{:?}", bench.names());
    }
}

#[test]
fn a_save_that_is_killed_leaves_no_image() {
    let bench = Bench::new();
    fs::write(bench.file("old"), "old").unwrap();
    for output in ["new", "old"] {
        let mut child = bench.start("imagezip", &["-r", "-", output]);
        feed(&mut child, &noise(8 << 20));
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }
    assert_eq!(fs::read(bench.file("old")).unwrap(), b"old");
    assert!(fs::metadata(bench.file("new")).unwrap().len() > 0);
    bench.refuses("imageunzip new target", "new");
    assert!(!bench.file("target").exists());
    assert_eq!(bench.shell("imagedump -q new").status.code(), Some(1));
}

#[test]
fn what_nohup_starts_goes_on() {
    let bench = Bench::new();
    let mut child = bench.start("nohup", &["imagezip", "-r", "-", "new"]);
    feed(&mut child, &noise(4 << 20));
    signal(&child, "HUP");
    feed(&mut child, &noise(4 << 20));
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    bench.does("imagedump -q new");
}

#[test]
fn a_load_that_is_told_to_end_keeps_what_was_there() {
    let bench = Bench::new();
    let image = fs::read(bench.file("base.ndz")).unwrap();
    fs::write(bench.file("old"), noise(5 << 20)).unwrap();
    for output in ["new", "old"] {
        let mut child = bench.start("imageunzip", &["-", output]);
        feed(&mut child, &image[..image.len() / 2]);
        signal(&child, "TERM");
        assert_eq!(end(&mut child).signal(), Some(15));
    }
    assert!(!bench.file("new").exists());
    assert_eq!(fs::metadata(bench.file("old")).unwrap().len(), 5 << 20);
}

#[test]
fn who_asks_is_told_how_far_it_is() {
    let bench = Bench::new();
    let mut child = bench.start("imagezip", &["-r", "-", "new"]);
    feed(&mut child, &noise(8 << 20));
    signal(&child, "USR1");
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let words: Vec<_> = line.split_whitespace().collect();
    assert!(words[0].parse::<u64>().unwrap() <= 8 << 20, "{line}");
    assert_eq!((words[1], words[3..].first()), ("input", Some(&"compressed)")), "{line}");
    drop(child.stdin.take());
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let ends = ["Image size: ", "MB/second", "Finished in "];
    assert!(ends.iter().all(|end| rest.contains(end)), "{rest}");
}
