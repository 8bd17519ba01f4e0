//! The tools where things go wrong: they are killed, disks are full, names are odd, outputs are
//! inputs. Whatever happens, nothing that was there is lost and nothing half-made looks complete.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

const TOOLS: [&str; 8] = [
    "imagezip",
    "imageunzip",
    "imagehash",
    "imagedelta",
    "imageundelta",
    "imagerebase",
    "imagerezip",
    "imagedump",
];

/// A directory in which the tools run.
struct Bench(TempDir);

impl Bench {
    /// With a small image, its disk and its signature: `disk`, `base.ndz`, `base.ndz.sig`.
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        fs::set_permissions(bench.0.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(bench.path("bin")).unwrap();
        for tool in TOOLS {
            symlink(env!("CARGO_BIN_EXE_imagezip-tools"), bench.path("bin").join(tool)).unwrap();
        }
        fs::create_dir(bench.path("work")).unwrap();
        fs::write(bench.file("disk"), noise(3 << 20)).unwrap();
        bench.does("imagezip -r -U '' disk base.ndz");
        bench
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file in the working directory.
    fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path("work").join(name)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.path("bin").display());
        command.current_dir(self.path("work")).env("PATH", path);
        command
    }

    /// Runs a line of shell.
    fn shell(&self, line: &str) -> Output {
        let mut command = self.command("sh");
        command.args(["-c", line]).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a line of shell that must succeed.
    fn does(&self, line: &str) -> String {
        let output = self.shell(line);
        assert_eq!(output.status.code(), Some(0), "{line}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a line of shell that must fail: not by a signal, and with a reason.
    fn refuses(&self, line: &str, reason: &str) {
        let output = self.shell(line);
        let said = String::from_utf8_lossy(&output.stderr);
        let status = output.status.code().unwrap_or_else(|| panic!("{line}: {output:?}"));
        assert!((1..=8).contains(&status), "{line}: {status}: {said}");
        assert!(said.contains(reason), "{line}: {said}");
    }

    /// The names of the files, sorted.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("work")).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// Starts a program that reads from a pipe.
    fn start(&self, program: &str, arguments: &[&str]) -> Child {
        let mut command = self.command(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null());
        command.stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// Bytes that can hardly be compressed.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state ^ (state >> 29)).to_le_bytes()
    };
    std::iter::repeat_with(next).take(len / 8).flatten().collect()
}

/// Feeds a program; when this returns it has read all but what the pipe holds.
fn feed(child: &mut Child, bytes: &[u8]) {
    child.stdin.as_mut().unwrap().write_all(bytes).unwrap();
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args(["-s", name, &child.id().to_string()]).status();
    assert!(status.unwrap().success());
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
            assert_eq!(child.wait().unwrap().signal(), Some(number));
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
        assert_eq!(child.wait().unwrap().signal(), Some(15));
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

/// A file system of 2 MiB.
struct Small<'a>(&'a Bench);

impl<'a> Small<'a> {
    fn new(bench: &'a Bench) -> Self {
        bench.does("mkdir small && mount -t tmpfs -o size=2M tmpfs small");
        Self(bench)
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        self.0.does("umount small");
    }
}

#[test]
fn full_disks() {
    let bench = Bench::new();
    let small = Small::new(&bench);
    fs::write(bench.file("small/old"), "old").unwrap();
    for line in [
        "imagezip -r disk small/new",
        "imagezip -r disk small/old",
        "imagezip -r - small/new < disk",
        "imageunzip base.ndz small/new",
        "imageunzip - small/new < base.ndz",
        "imagerezip base.ndz small/new",
        "imagerezip base.ndz small/old",
    ] {
        bench.refuses(line, "No space left on device");
        assert_eq!(bench.does("ls -A small"), "old\n", "{line}");
        assert_eq!(fs::read(bench.file("small/old")).unwrap(), b"old", "{line}");
    }
    bench.does("dd if=/dev/zero of=small/fill bs=4k 2>/dev/null; true");
    bench.refuses("imagehash -c -o small/sig base.ndz", "No space left on device");
    assert_eq!(bench.does("ls -A small"), "fill\nold\n");
    drop(small);
    for line in [
        "imagezip -r disk - > /dev/full",
        "imagezip -r disk /dev/full",
        "imagezip -r -U /dev/full disk new",
        "imageunzip base.ndz - > /dev/full",
        "imageunzip base.ndz /dev/full",
        "imagedump base.ndz > /dev/full",
        "imagehash -R base.ndz > /dev/full",
    ] {
        bench.refuses(line, "No space left on device");
    }
}

#[test]
fn nobody_needs_to_read_messages() {
    let bench = Bench::new();
    for (number, end) in ["2>/dev/full", "2>&-", "2>&- </dev/null >/dev/full"].iter().enumerate() {
        bench.does(&format!("imagezip -o -d -r disk {number}.ndz {end}"));
        bench.does(&format!("imageunzip -o -d {number}.ndz {number} {end}"));
        bench.does(&format!("cmp disk {number} && imagehash -q {number}.ndz disk {end}"));
        assert_eq!(bench.shell(&format!("imagezip -r /nowhere x {end}")).status.code(), Some(1));
    }
}

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

#[test]
fn closed_standard_input_and_output() {
    let bench = Bench::new();
    bench.refuses("imagezip - new <&-", "-");
    bench.does("imagezip -r disk new <&- >&-");
    bench.does("imageunzip new loaded <&- >&- && cmp disk loaded");
    // What reads the output may stop early.
    let mut child = bench.command("imageunzip");
    let mut child = child.args(["base.ndz", "-"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(141));
    drop(File::open(bench.file("loaded")).unwrap());
}
