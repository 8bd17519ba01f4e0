//! Disks, images of them, and the tools.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};

use imagezip_core::allocation::DiskMap;
use imagezip_core::codec::Decompressor;
use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::{Image, Reloc, RelocType};
use imagezip_core::pipeline::{Hashing, Progress, SingleThread, Source, hash_image, save};
use imagezip_core::sector::{Sector, SectorCount, SectorRange};
use imagezip_core::signature::Signature;
use proptest::prelude::*;
use tempfile::TempDir;

pub(crate) const SECTOR: usize = 512;

/// What a sector of a disk that no image gave data to holds.
pub(crate) const UNTOUCHED: u8 = 0xee;

pub(crate) fn range(start: u32, end: u32) -> SectorRange {
    SectorRange::new(Sector::from_u32(start), Sector::from_u32(end)).unwrap()
}

/// A disk whose sectors each hold one value, which of them are in use, and the relocations.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) values: Vec<u8>,
    pub(crate) in_use: ExtentSet,
    pub(crate) relocs: Vec<Reloc>,
}

impl State {
    /// A disk all of which is in use.
    pub(crate) fn full(values: Vec<u8>) -> Self {
        let all = range(0, u32::try_from(values.len()).unwrap());
        Self { values, in_use: all.into(), relocs: Vec::new() }
    }

    /// The same disk with some data at its end that never change.
    pub(crate) fn with_common_end(mut self) -> Self {
        self.values.resize(512, 8);
        self.values.resize(640, 9);
        self.in_use = self.in_use.union(&range(512, 640).into());
        self
    }

    /// The image of the disk.
    pub(crate) fn image(&self) -> Vec<u8> {
        let disk: Vec<u8> = self.values.iter().flat_map(|value| [*value; SECTOR]).collect();
        let area = SectorRange::first(SectorCount::new(self.values.len() as u64).unwrap());
        let map = DiskMap::known(area, self.in_use.clone());
        let source = Source { relocs: &self.relocs, ..Source::new(&disk, &map) };
        let mut file = Vec::new();
        save(&SingleThread, source, &mut file, &Progress::default()).unwrap();
        file
    }

    /// The relocations in sectors that are in use.
    pub(crate) fn kept_relocs(&self) -> Vec<Reloc> {
        let one = |reloc: &Reloc| SectorRange::with_len(reloc.sector, SectorCount::from_u32(1));
        let kept = |reloc: &&Reloc| self.in_use.contains(one(reloc).unwrap());
        self.relocs.iter().filter(kept).copied().collect()
    }

    /// Checks that `disk` holds all that is in use here, with the relocations that belong to it.
    pub(crate) fn assert_on(&self, disk: &Disk) {
        for sector in self.in_use.iter().flat_map(|e| e.start().get()..e.end().get()) {
            let sector = usize::try_from(sector).unwrap();
            assert_eq!(disk.values[sector], self.values[sector], "sector {sector}");
        }
        let mine = |reloc: &&Reloc| {
            let one = SectorRange::with_len(reloc.sector, SectorCount::from_u32(1)).unwrap();
            self.in_use.contains(one)
        };
        let found: Vec<_> = disk.relocs.iter().filter(mine).copied().collect();
        assert_eq!(found, self.kept_relocs());
    }
}

/// Few values and long runs, so that sectors come to be the same again by chance.
pub(crate) fn state() -> impl Strategy<Value = State> {
    let run = (0..500_u32, 1..40_u32, 0..3_u8);
    let extent = (0..500_u32, 1..60_u32);
    let reloc = (0..500_u32, 1..4_u32);
    let extents = prop::collection::vec(extent, 1..8);
    let relocs = prop::collection::vec(reloc, 0..3);
    (300..500_u32, prop::collection::vec(run, 0..12), extents, relocs).prop_map(
        |(size, runs, extents, relocs)| {
            let mut values = vec![0; size as usize];
            for (start, len, value) in runs {
                let end = (start + len).min(size);
                values[start.min(end) as usize..end as usize].fill(value);
            }
            let extents = extents.into_iter().map(|(start, len)| {
                let end = (start + len).min(size);
                range(start.min(end), end)
            });
            let in_use = ExtentSet::from_unsorted(extents.collect());
            let mut relocs: Vec<_> = relocs
                .into_iter()
                .filter(|(sector, _)| *sector < size)
                .map(|(sector, kind)| Reloc {
                    kind: RelocType(kind),
                    sector: Sector::from_u32(sector),
                    offset: 0,
                    size: 5,
                })
                .collect();
            relocs.sort_by_key(|reloc| reloc.sector);
            State { values, in_use, relocs }
        },
    )
}

/// What loading images in turn makes.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    /// The first byte of each sector.
    pub(crate) values: Vec<u8>,
    pub(crate) held: ExtentSet,
    pub(crate) relocs: Vec<Reloc>,
}

impl Disk {
    /// Loads `images` in turn.
    pub(crate) fn load(images: &[&[u8]]) -> Self {
        let mut disk =
            Self { values: vec![UNTOUCHED; 640], held: ExtentSet::new(), relocs: Vec::new() };
        for image in images {
            disk.add(image);
        }
        disk
    }

    fn add(&mut self, image: &[u8]) {
        let image = Image::open(image).unwrap();
        let (mut chunks, mut scratch) = (image.chunks(), Decompressor::new());
        let extents = image.extents().unwrap();
        let one = |sector| SectorRange::with_len(sector, SectorCount::from_u32(1)).unwrap();
        self.relocs.retain(|reloc| !extents.contains(one(reloc.sector)));
        while let Some(chunk) = chunks.next_chunk().unwrap() {
            self.relocs.extend(chunk.relocs());
            let mut put = |start: Sector, data: &[u8]| {
                let start = usize::try_from(start.get()).unwrap();
                for (sector, bytes) in data.chunks(SECTOR).enumerate() {
                    assert!(bytes.iter().all(|byte| *byte == bytes[0]));
                    self.values[start + sector] = bytes[0];
                }
                Ok(())
            };
            chunk.decode(&mut scratch, &mut put).unwrap();
        }
        self.relocs.sort_by_key(|reloc| reloc.sector);
        self.held = self.held.union(&extents);
    }
}

/// A directory to work in.
pub(crate) struct Bench(TempDir);

impl Bench {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Writes an image with its signature.
    pub(crate) fn put(&self, name: &str, image: &[u8]) {
        self.write(name, image);
        let mut bytes = Vec::new();
        signature_of(image, Hashing::default()).write(&mut bytes).unwrap();
        self.write(&format!("{name}.sig"), &bytes);
        self.date(name, 5);
        self.date(&format!("{name}.sig"), 5);
    }

    /// Makes a file so many hours old.
    pub(crate) fn date(&self, name: &str, hours: u64) {
        let time = SystemTime::now() - Duration::from_secs(3600 * hours);
        let file = File::options().write(true).open(self.path(name)).unwrap();
        file.set_modified(time).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub(crate) fn modified(&self, name: &str) -> SystemTime {
        fs::metadata(self.path(name)).unwrap().modified().unwrap()
    }

    pub(crate) fn signature(&self, name: &str) -> Signature {
        Signature::read(&self.read(name)).unwrap()
    }

    /// All names, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries.map(|e| name(e).into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Runs a tool, as `imagedelta -S old new delta`, in the directory.
    pub(crate) fn run(&self, line: &str) -> Output {
        let mut words = line.split(' ');
        let program = Path::new(env!("CARGO_BIN_EXE_imagezip-tools"));
        Command::new(program).args(&mut words).current_dir(self.0.path()).output().unwrap()
    }

    /// Runs a tool that succeeds, and returns its standard output.
    pub(crate) fn done(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a tool that ends with `status`, and returns what it says.
    pub(crate) fn fails(&self, line: &str, status: i32) -> String {
        let output = self.run(line);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{line}: {said}");
        assert!(output.stdout.is_empty(), "{line}");
        said
    }
}

pub(crate) fn signature_of(image: &[u8], how: Hashing) -> Signature {
    let image = Image::open(image).unwrap();
    hash_image(&SingleThread, &image, how, &AtomicU64::new(0)).unwrap()
}
