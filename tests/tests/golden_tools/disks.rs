//! What images are loaded onto, and what these disks must hold afterwards.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use imagezip_core::extent::ExtentSet;
use imagezip_core::sector::Sector;
use swapmfs_tests::disk::{FILLING, differing};
use swapmfs_tests::strict;
use tempfile::TempDir;

use super::files::Files;
use super::judge::{Judge, Verdict, short_file};

/// Where on its disk the reference put the slice of the case `slicemode`.
const SLICE_START: u32 = 10_240;

pub(crate) struct Disks {
    commands: PathBuf,
    dir: TempDir,
    /// The size of a whole disk.
    size: usize,
    /// What was read back last; kept, since pages are dear.
    found: Vec<u8>,
    /// What each target must hold; of files, what was loaded there.
    expected: BTreeMap<PathBuf, Vec<u8>>,
    /// For the case with slices: the table of the target, and the label after the load.
    slice: Option<Slice>,
}

struct Slice {
    table: Vec<u8>,
    label: Vec<u8>,
}

impl Disks {
    pub(crate) fn new(files: &Files, commands: &Path) -> Self {
        let sizes = files.disks().into_iter().map(|name| files.get(name).unwrap().len());
        let slice = (files.case() == "slicemode").then(|| {
            let mut table = files.get("base.r.img").unwrap()[..512].to_vec();
            table[446 + 8..446 + 12].copy_from_slice(&SLICE_START.to_le_bytes());
            Slice { table, label: files.get("restored.label.bin").unwrap().to_vec() }
        });
        Self {
            commands: commands.to_owned(),
            dir: TempDir::new().unwrap(),
            size: sizes.max().unwrap().next_multiple_of(512),
            found: Vec::new(),
            expected: BTreeMap::new(),
            slice,
        }
    }

    /// The target that is a whole disk, full of something before the first image.
    pub(crate) fn disk(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    /// Where the other targets are.
    pub(crate) fn directory(&self) -> &Path {
        self.dir.path()
    }

    /// A full image goes onto a new disk, a delta onto the one before.
    pub(crate) fn before(&mut self, line: &str) {
        let Some(load) = Load::of(line) else { return };
        if load.target != "$DISK" || load.is_delta() {
            return;
        }
        let filling = if line.contains("zero-filled") { 0 } else { FILLING };
        let mut disk = self.expected.remove(&self.disk()).unwrap_or_default();
        disk.resize(self.size, 0);
        disk.fill(filling);
        if let Some(slice) = &self.slice {
            disk[..512].copy_from_slice(&slice.table);
        }
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).open(self.disk());
        file.unwrap().write_all(&disk).unwrap();
        self.expected.insert(self.disk(), disk);
    }

    /// Compares the target of a command with what must be there.
    pub(crate) fn after(&mut self, line: &str, judge: &Judge<'_>) -> Result<Option<Verdict>> {
        let Some(load) = Load::of(line) else { return Ok(None) };
        let path = match load.target.as_str() {
            "$DISK" => self.disk(),
            "-" => return Ok(Some(Verdict::Same)),
            target => match target.strip_prefix("$TMP/") {
                Some(name) => self.dir.path().join(name),
                None => self.commands.join(target),
            },
        };
        let image = judge.contents(&load.image)?;
        let expected = self.expected.entry(path.clone()).or_default();
        let mut base = 0;
        if load.target == "$DISK" {
            base = self.slice.as_ref().map_or(0, |_| SLICE_START as usize * 512);
        } else {
            let end = image.extents.end().map_or(0, Sector::get).max(image.sectors);
            let end = usize::try_from(end * 512)?;
            expected.resize(expected.len().max(end), 0);
            if load.zeroes {
                expected.fill(0);
            }
        }
        image.apply(&mut expected[base..]);
        if let Some(short) = short_file(&image) {
            expected.truncate(short);
        }
        if let Some(slice) = &self.slice {
            expected[base + 512..base + 1024].copy_from_slice(&slice.label);
        }
        self.found.clear();
        File::open(&path)?.read_to_end(&mut self.found)?;
        let (found, lengths) = (&self.found, (self.found.len(), expected.len()));
        ensure!(found == expected, "{} bytes, not {}, or other data", lengths.0, lengths.1);
        if line.contains("0x5A-filled") {
            judge.restored(&load.image, found)?;
        }
        Ok(Some(Verdict::Same))
    }
}

/// A call of imageunzip.
struct Load {
    image: String,
    target: String,
    /// Free space is filled with zeros.
    zeroes: bool,
}

impl Load {
    fn of(line: &str) -> Option<Self> {
        let call = line.split(';').find_map(|part| part.trim().strip_prefix("imageunzip "))?;
        let call = call.split('#').next()?.trim().replace("/dev/loop0", "$DISK");
        let mut words = call.rsplit(' ');
        let (target, image) = (words.next()?.to_owned(), words.next()?.to_owned());
        Some(Self { image, target, zeroes: call.starts_with("-z ") })
    }

    fn is_delta(&self) -> bool {
        self.image.starts_with("delta") || self.image.starts_with("idelta")
    }
}

/// What two disks must have in common.
pub(crate) fn ensure_equal(sectors: &ExtentSet, one: &[u8], other: &[u8]) -> Result<()> {
    let different = differing(sectors, one, other);
    ensure!(different.is_empty(), "different in {different:?}");
    Ok(())
}

/// Reads an image file.
pub(crate) fn read_image(path: &Path) -> Result<strict::Contents> {
    let file = fs::read(path).with_context(|| path.display().to_string())?;
    strict::read(&file).with_context(|| path.display().to_string())
}
