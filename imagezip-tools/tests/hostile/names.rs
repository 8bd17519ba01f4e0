//! Outputs that are inputs, odd names, directories that are closed.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use crate::bench::Bench;

#[test]
fn outputs_are_not_inputs() {
    let bench = Bench::new();
    bench.does("imagezip -r -U mod.ndz.sig disk mod.ndz");
    for file in ["disk", "base.ndz", "mod.ndz"] {
        bench.does(&format!("ln -s {file} {file}.soft; ln {file} {file}.hard"));
    }
    let before: Vec<_> = ["disk", "base.ndz", "mod.ndz", "base.ndz.sig"]
        .map(|name| (name, fs::read(bench.file(name)).unwrap()))
        .into();
    for (line, input) in [
        ("imagezip -r disk", "disk"),
        ("imagezip -r -H base.ndz.sig disk", "disk"),
        ("imageunzip base.ndz", "base.ndz"),
        ("imagedelta base.ndz mod.ndz", "base.ndz"),
        ("imagedelta base.ndz mod.ndz", "mod.ndz"),
        ("imageundelta base.ndz mod.ndz", "base.ndz"),
        ("imageundelta base.ndz mod.ndz", "mod.ndz"),
        ("imagerebase base.ndz mod.ndz", "mod.ndz"),
        ("imagerezip base.ndz", "base.ndz"),
        ("imagerestore base.ndz", "base.ndz"),
        ("imagerestore --no-meta base.ndz mod.ndz", "mod.ndz"),
        ("imagezip -r disk new -U", "disk"),
    ] {
        for kind in ["", ".soft", ".hard"] {
            bench.refuses(&format!("{line} ./../work/{input}{kind}"), input);
        }
    }
    bench.refuses("imagezip -r -U new disk ./new", "new");
    bench.refuses("imagehash -c -o base.ndz base.ndz", "base.ndz");
    assert!(!bench.file("new").exists());
    for (name, content) in before {
        assert!(fs::read(bench.file(name)).unwrap() == content, "{name} has changed");
    }
    // These are meant: a signature that goes on, and nothing to keep.
    bench.does("cp base.ndz.sig on.sig && imagezip -r -H on.sig -U on.sig disk delta");
    bench.does("imagezip -r -U /dev/null disk /dev/null");
}

#[test]
fn odd_names() {
    let bench = Bench::new();
    let odd = OsStr::from_bytes(b"\xff\n'- \\");
    let long = "n".repeat(251);
    for name in [odd, OsStr::new(&long), OsStr::new("-r"), OsStr::new("@x")] {
        let run = |tool: &str, arguments: &[&OsStr]| {
            let output = bench.command(tool).args(arguments).output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{tool} {arguments:?}: {output:?}");
        };
        let path = bench.path("work/names");
        fs::create_dir(&path).unwrap();
        let [image, loaded, again] = [".ndz", ".1", ".2"].map(|suffix| {
            path.join(OsStr::from_bytes(&[name.as_bytes(), suffix.as_bytes()].concat()))
        });
        let disk = bench.file("disk");
        let (c, q, r, f) = (OsStr::new("-c"), OsStr::new("-q"), OsStr::new("-r"), OsStr::new("-f"));
        run("imagezip", &[r, disk.as_ref(), image.as_ref()]);
        run("imageunzip", &[image.as_ref(), loaded.as_ref()]);
        assert!(fs::read(&loaded).unwrap() == fs::read(&disk).unwrap());
        run("imagedump", &[image.as_ref()]);
        if name.len() < 250 {
            run("imagehash", &[c, q, image.as_ref()]);
            run("imagerezip", &[f, image.as_ref(), again.as_ref()]);
        }
        fs::remove_dir_all(&path).unwrap();
    }
    // Where there is no room for `.sig`, or for the name itself.
    bench.refuses(&format!("imagezip -r -U '' disk {long}.ndz"), "File name too long");
    bench.refuses(&format!("imagezip -r disk {long}.long"), "File name too long");
    bench.refuses(&format!("imageunzip base.ndz {long}.long"), "File name too long");
}

#[test]
fn directories_that_are_closed() {
    let bench = Bench::new();
    bench.does("mkdir closed drop && chmod 555 closed && chmod 333 drop");
    let nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --";
    bench.refuses(&format!("{nobody} imagezip -r disk closed/new"), "ermission denied");
    bench.refuses(&format!("{nobody} imageunzip base.ndz closed/new"), "ermission denied");
    bench.refuses(&format!("{nobody} imagerezip base.ndz closed/new"), "ermission denied");
    assert_eq!(bench.does("ls -A closed"), "");
    // One that can be written to, but not read.
    bench.does(&format!("{nobody} imagezip -r -U '' disk drop/new"));
    bench.does("imagehash -q drop/new disk");
    bench.does("chmod 600 disk");
    bench.refuses(&format!("{nobody} imagezip -r disk drop/other"), "ermission denied");
    bench.refuses("imagezip -r disk nowhere/new", "not found");
    bench.refuses("imagezip -r disk .", "directory");
    bench.refuses("imageunzip base.ndz .", "directory");
    bench.refuses("imagezip -r . new", "directory");
    assert!(!bench.file("new").exists());
}
