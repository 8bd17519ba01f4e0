//! Disks beyond 2 TiB, whose sectors have no numbers of 32 bits.
#![expect(clippy::panic_in_result_fn, reason = "a test fails by panicking")]

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use embedded_io_adapters::std::FromStd;
use imagezip_core::allocation::DiskMap;
use imagezip_core::error::{ErrorKind, Limit};
use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::{Format, Image, Version};
use imagezip_core::pipeline::{
    Arrival, LoadProgress, Progress, Source, Target, load, save, verify,
};
use imagezip_core::relocation::Placement;
use imagezip_core::sector::{Sector, SectorCount, SectorRange};
use imagezip_tools::host::{FileDevice, TargetFile, Threads};
use tempfile::TempDir;
use xtask::command::{fed, stdout, tool};
use xtask::{apt, tools};

const TIB: u64 = 1 << 40;
const SIZE: u64 = 3 * TIB;

/// A sparse file of 3 TiB.
fn sparse(path: PathBuf) -> Result<PathBuf> {
    File::create(&path)?.set_len(SIZE)?;
    Ok(path)
}

/// Where the disk has data: at its ends, and on both sides of what 32 bits can express.
fn written() -> Result<ExtentSet> {
    let last = SIZE / 512;
    let places =
        [(0, 100), (5_000_000, 3), ((1 << 32) - 700, 1400), ((1 << 32) + 9999, 1), (last - 8, 8)];
    let range = |(start, len)| SectorRange::with_len(Sector::new(start)?, SectorCount::new(len)?);
    places.into_iter().map(|place| range(place).context("no such sectors")).collect()
}

fn data_of(extent: SectorRange) -> Vec<u8> {
    let sectors = extent.start().get()..extent.end().get();
    sectors.flat_map(|sector| [sector.to_le_bytes(); 64].concat()).collect()
}

#[test]
fn version_5_goes_beyond_2_tib() -> Result<()> {
    let dir = TempDir::new()?;
    let disk = sparse(dir.path().join("disk"))?;
    let file = File::options().write(true).open(&disk)?;
    for extent in &written()? {
        file.write_all_at(&data_of(extent), extent.start().to_bytes().get())?;
    }

    let device = FileDevice::open(&disk)?;
    let area = SectorRange::first(SectorCount::new(SIZE / 512).context("size")?);
    let map = DiskMap::known(area, written()?);
    let (workers, progress) = (Threads::all_cpus(), Progress::default());
    let source = Source { format: Format::V5, ..Source::new(&device, &map) };

    let image = dir.path().join("disk.ndz");
    let out = FromStd::new(File::create(&image)?);
    let narrow = Source { format: Format::V3, ..source };
    let refused = save(&workers, narrow, out, &progress).map(|saved| saved.image);
    assert_eq!(refused.map_err(|error| error.kind), Err(ErrorKind::TooLarge(Limit::Sector32)));
    assert_eq!(fs::metadata(&image)?.len(), 0, "nothing is written before that is known");

    let saved = save(&workers, source, FromStd::new(File::create(&image)?), &progress)?;
    let stored = FileDevice::open(&image)?;
    verify(&workers, &stored, &saved.proof)?;
    let image = Image::open(&stored)?;
    assert_eq!(image.extents()?, written()?);
    assert_eq!(image.sectors()?, area.len());

    let target = sparse(dir.path().join("loaded"))?;
    let loaded = FileDevice::open_for_writing(&target)?;
    let to = TargetFile::new(&loaded)?;
    let to = Target::new(&to, Placement::default());
    load(&workers, &image, Arrival::Complete, to, &LoadProgress::default())?;
    let loaded = File::open(&target)?;
    for extent in &written()? {
        let mut data = data_of(extent);
        let expected = data.clone();
        loaded.read_exact_at(&mut data, extent.start().to_bytes().get())?;
        assert!(data == expected, "sectors {extent}");
    }
    let stored = loaded.metadata()?.blocks() * 512;
    assert!(stored < 4 << 20, "{stored} bytes: data at other places");
    Ok(())
}

/// A partition of 16 MiB with an ext4 file system, from 2.5 TiB on.
fn partitioned(path: PathBuf) -> Result<(PathBuf, String)> {
    let disk = sparse(path)?;
    let start = SIZE / 6 * 5;
    fed(
        tool("sfdisk").arg("--quiet").arg(&disk),
        &format!("label: gpt\nstart={}, size=32768\n", start / 512),
    )?;
    let offset = format!("offset={start}");
    stdout(tool("mkfs.ext4").args(["-q", "-F", "-E", &offset]).arg(&disk).arg("16384k"))?;
    let file_system = format!("{}?offset={start}", disk.display());
    Ok((disk, file_system))
}

fn version_of(image: &Path) -> Result<Version> {
    let stored = FileDevice::open(image)?;
    let mut version = None;
    Image::open(&stored)?.headers(&mut |header| {
        version = Some(header.version());
        Ok(())
    })?;
    version.context("no chunks")
}

#[test]
fn imagezip_takes_the_version_that_a_disk_needs() -> Result<()> {
    apt::ensure(apt::DISK_TOOLS)?;
    let tools = tools::build()?;
    let dir = TempDir::new()?;
    let (disk, file_system) = partitioned(dir.path().join("disk"))?;
    stdout(tool("e2fsck").arg("-fn").arg(&file_system))?;

    let run = |name: &str, line: &[&Path]| {
        stdout(std::process::Command::new(tools.program(name)).args(line))
    };
    let image = dir.path().join("disk.ndz");
    run("imagezip", &[&disk, &image])?;
    assert_eq!(version_of(&image)?, Version::V5);
    let part = dir.path().join("part.ndz");
    run("imagezip", &["-s1".as_ref(), &disk, &part])?;
    assert_eq!(version_of(&part)?, Version::V3, "its own sectors have small numbers");
    let refused = dir.path().join("refused.ndz");
    assert!(run("imagezip", &["-3".as_ref(), &disk, &refused]).is_err());
    assert!(!refused.exists());

    fs::remove_file(&disk)?;
    run("imageunzip", &[&image, &disk])?;
    assert_eq!(fs::metadata(&disk)?.len(), SIZE);
    stdout(tool("sgdisk").arg("--verify").arg(&disk))?;
    stdout(tool("e2fsck").arg("-fn").arg(&file_system))?;
    let journal = stdout(tool("dumpe2fs").arg("-h").arg(&file_system))?;
    assert!(journal.contains("Filesystem state:         clean"), "{journal}");
    Ok(())
}
