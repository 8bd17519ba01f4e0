//! A directory, programs that run in it, and images that are loaded there.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::{Image, Reloc};
use imagezip_core::sector::{Sector, SectorRange};
use imagezip_tools::host::FileDevice;
use imagezip_tools::load::load;
use tempfile::TempDir;

/// What is on a disk before an image is loaded.
pub(crate) const FILLING: u8 = 0x5a;

/// A directory in which programs run.
pub(crate) struct Bench(TempDir);

/// How a program ended, and what it said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// Something that is undone at the end of a test, whatever happens.
pub(crate) struct Undo<'a>(pub(crate) &'a Bench, pub(crate) &'static str, pub(crate) Vec<String>);

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        let arguments: Vec<_> = self.2.iter().map(String::as_str).collect();
        self.0.run(self.1, &arguments);
    }
}

/// What an image holds.
pub(crate) struct Content {
    /// The sectors that it is about, with what they hold after it was loaded.
    pub(crate) disk: Vec<u8>,
    /// The sectors that it holds.
    pub(crate) extents: ExtentSet,
    pub(crate) relocs: Vec<Reloc>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// Runs imagezip.
    pub(crate) fn imagezip(&self, arguments: &[&str]) -> Said {
        self.imagezip_from(arguments, Stdio::null())
    }

    /// Runs imagezip with that standard input.
    pub(crate) fn imagezip_from(&self, arguments: &[&str], input: impl Into<Stdio>) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imagezip-tools"));
        command.arg("imagezip").args(arguments).current_dir(self.0.path()).stdin(input);
        command.output().unwrap().into()
    }

    /// Runs imagezip, which must do what it is told.
    pub(crate) fn save(&self, arguments: &[&str]) -> Said {
        let said = self.imagezip(arguments);
        assert_eq!(said.code, Some(0), "imagezip {}: {}", arguments.join(" "), said.stderr);
        said
    }

    /// Runs imagezip, which must fail, and returns its message.
    pub(crate) fn refuse(&self, arguments: &[&str]) -> String {
        let said = self.imagezip(arguments);
        assert_ne!(said.code, Some(0), "imagezip {}", arguments.join(" "));
        assert_ne!(said.code, None, "imagezip {}: {}", arguments.join(" "), said.stderr);
        assert!(said.stderr.starts_with("imagezip: "), "{}", said.stderr);
        said.stderr
    }

    /// Runs another program, which must end with 0, and returns what it said.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        let outcome = Command::new(program)
            .args(arguments)
            .current_dir(self.0.path())
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .output();
        let said = Said::from(outcome.unwrap_or_else(|error| panic!("{program}: {error}")));
        let line = arguments.join(" ");
        assert_eq!(said.code, Some(0), "{program} {line}: {}", said.stderr);
        String::from_utf8_lossy(&said.stdout).into_owned()
    }

    /// What an image holds.
    pub(crate) fn content(&self, name: &str) -> Content {
        self.content_over(name, None)
    }

    /// What is there when an image is loaded over `disk`.
    pub(crate) fn content_over(&self, name: &str, disk: Option<Vec<u8>>) -> Content {
        let path = self.path(name);
        let file = FileDevice::open(&path).unwrap();
        let image = Image::open(&file).unwrap();
        let sectors = image.sectors().unwrap();
        let len = usize::try_from(sectors.to_bytes().get()).unwrap();
        let target = self.path("loaded");
        let disk = disk.unwrap_or_else(|| vec![FILLING; len]);
        fs::write(&target, &disk).unwrap();
        let device = FileDevice::open_for_writing(&target).unwrap();
        load(&path, &device, Sector::ZERO).unwrap();
        let mut relocs = Vec::new();
        let mut chunks = image.chunks();
        while let Some(chunk) = chunks.next_chunk().unwrap() {
            relocs.extend(chunk.header().relocs());
        }
        let disk = fs::read(&target).unwrap();
        fs::remove_file(&target).unwrap();
        Content { disk, extents: image.extents().unwrap(), relocs }
    }

    /// Makes a device of the file `disk`, with sectors of so many bytes.
    pub(crate) fn attach(&self, sector: u32) -> (String, Undo<'_>) {
        let size = format!("--sector-size={sector}");
        let arguments = ["--find", "--show", "--partscan", &size, "disk"];
        let device = self.run("losetup", &arguments).trim().to_owned();
        let detach = vec!["--detach".to_owned(), device.clone()];
        (device, Undo(self, "losetup", detach))
    }

    /// A file for a program to read.
    pub(crate) fn open(&self, name: &str) -> File {
        File::open(self.path(name)).unwrap()
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { code: output.status.code(), stdout: output.stdout, stderr }
    }
}

impl Content {
    /// All sectors in the image are as on `source`; the others got nothing.
    pub(crate) fn assert_of(&self, source: &[u8]) {
        let all = imagezip_core::sector::SectorCount::new((self.disk.len() / 512) as u64).unwrap();
        for extent in &self.extents {
            let bytes = bytes_of(extent);
            assert!(self.disk[bytes.clone()] == source[bytes], "sectors {extent} differ");
        }
        for gap in &self.extents.complement(SectorRange::first(all)) {
            let got = self.disk[bytes_of(gap)].iter().any(|byte| *byte != FILLING);
            assert!(!got, "sectors {gap} got something");
        }
    }
}

pub(crate) fn bytes_of(range: SectorRange) -> std::ops::Range<usize> {
    let at = |sector: Sector| usize::try_from(sector.to_bytes().get()).unwrap();
    at(range.start())..at(range.end())
}

pub(crate) fn range(start: u64, end: u64) -> SectorRange {
    SectorRange::new(Sector::new(start).unwrap(), Sector::new(end).unwrap()).unwrap()
}
