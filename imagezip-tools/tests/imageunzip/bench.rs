//! A directory to work in, the tool in it, and the programs of the system.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::Image;
use tempfile::TempDir;

use crate::golden;

/// What disks are full of before an image is loaded.
pub(crate) const GARBAGE: u8 = 0x5a;

/// A directory.
pub(crate) struct Bench(TempDir);

/// What came of a call.
pub(crate) struct Outcome {
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Bench {
    /// A directory with these files of a golden case.
    pub(crate) fn new(case: &str, names: &[&str]) -> Self {
        let bench = Self(TempDir::new().unwrap());
        for name in names {
            bench.put(name, &golden::file(case, name));
        }
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Makes a file.
    pub(crate) fn put(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).unwrap();
    }

    /// The content of a file.
    pub(crate) fn get(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// The bytes that a file takes on its disk.
    pub(crate) fn allocated(&self, name: &str) -> u64 {
        fs::metadata(self.path(name)).unwrap().blocks() * 512
    }

    /// The sectors that an image holds.
    pub(crate) fn extents(&self, name: &str) -> ExtentSet {
        Image::open(&self.get(name)).unwrap().extents().unwrap()
    }

    /// Calls imageunzip; `input` is what it reads from standard input: a file, or else a pipe.
    pub(crate) fn call(&self, arguments: &[&str], input: Stdio) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imagezip-tools"));
        let output = command
            .arg0("imageunzip")
            .args(arguments)
            .current_dir(self.0.path())
            .stdin(input)
            .output()
            .unwrap();
        outcome(output, &format!("imageunzip {}", arguments.join(" ")))
    }

    /// Calls imageunzip, which has to do it.
    pub(crate) fn unzip(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.call(arguments, Stdio::null());
        assert_eq!(outcome.status, 0, "{arguments:?}: {}", outcome.stderr);
        outcome
    }

    /// Calls imageunzip, which has to refuse it with this status and these words.
    pub(crate) fn refuses(&self, arguments: &[&str], status: i32, words: &[&str]) {
        let outcome = self.call(arguments, Stdio::null());
        let said = &outcome.stderr;
        assert_eq!(outcome.status, status, "{arguments:?}: {said}");
        assert!(said.starts_with("imageunzip: "), "{said}");
        for word in words {
            assert!(said.contains(word), "{arguments:?}: {word}: {said}");
        }
    }

    /// Runs a command line of the shell, which has to end well; what it says.
    pub(crate) fn shell(&self, line: &str) -> String {
        let tool = format!(
            "imageunzip() {{ ( exec -a imageunzip {} \"$@\" ); }}\n",
            env!("CARGO_BIN_EXE_imagezip-tools")
        );
        let output = Command::new("bash")
            .args(["-o", "pipefail", "-c", &(tool + line)])
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("TOOLS", env!("CARGO_BIN_EXE_imagezip-tools"))
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let outcome = outcome(output, line);
        assert_eq!(outcome.status, 0, "{line}: {}", outcome.stderr);
        String::from_utf8(outcome.stdout).unwrap() + &outcome.stderr
    }

    /// A file full of garbage.
    pub(crate) fn garbage(&self, name: &str, bytes: usize) {
        self.put(name, &vec![GARBAGE; bytes]);
    }

    /// A loop device over a file, with sectors of so many bytes. Its name in the directory is
    /// that of the file with `.dev`.
    ///
    /// One that was there for the same file may not be gone yet, so it is not taken instead
    /// (`losetup --nooverlap`): it has the file's former size.
    pub(crate) fn attach(&self, name: &str, sector: u32) -> Loop<'_> {
        let arguments = format!("--find --show --partscan --sector-size={sector}");
        let device = self.shell(&format!("losetup {arguments} {name}")).trim().to_owned();
        std::os::unix::fs::symlink(&device, self.path(&format!("{name}.dev"))).unwrap();
        Loop { bench: self, device }
    }
}

/// A loop device; goes when this is dropped.
pub(crate) struct Loop<'a> {
    bench: &'a Bench,
    /// Its name.
    pub(crate) device: String,
}

impl Drop for Loop<'_> {
    fn drop(&mut self) {
        self.bench.shell(&format!("losetup --detach {}", self.device));
    }
}

fn outcome(Output { status, stdout, stderr }: Output, line: &str) -> Outcome {
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    assert!(!stderr.contains("panicked"), "{line}: {stderr}");
    let status = status.code().unwrap_or_else(|| panic!("{line}: {status}: {stderr}"));
    Outcome { status, stdout, stderr }
}

/// A file of the directory as standard input.
pub(crate) fn from_file(bench: &Bench, name: &str) -> Stdio {
    File::open(bench.path(name)).unwrap().into()
}

/// Compares what was loaded with the disk that the image was made of, wherever the image has data;
/// elsewhere it must be `free`.
pub(crate) fn assert_loaded(found: &[u8], disk: &[u8], held: &ExtentSet, free: u8) {
    let mut expected = vec![free; found.len()];
    for extent in held {
        let (from, to) = (extent.start().to_bytes().get(), extent.end().to_bytes().get());
        let range = usize::try_from(from).unwrap()..usize::try_from(to).unwrap();
        expected[range.clone()].copy_from_slice(&disk[range]);
    }
    // Built without optimisation, a search takes long.
    if found != expected {
        let first = found.iter().zip(&expected).position(|(a, b)| a != b);
        panic!("byte {first:?} differs");
    }
}

/// Whether nothing has been written.
pub(crate) fn untouched(found: &[u8]) -> bool {
    found == vec![GARBAGE; found.len()]
}
