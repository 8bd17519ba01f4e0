//! Writing to real files and loop devices; their sizes and holes are what the system says.

#![expect(clippy::cast_possible_truncation, reason = "the files are small")]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use tempfile::{NamedTempFile, TempDir};

use super::*;

const MIB: u64 = 1 << 20;

/// A loop device over a file, as long as this lives.
struct Loop {
    device: PathBuf,
    file: NamedTempFile,
}

impl Loop {
    /// A device of 8 MiB, all `0x5a`, with sectors of so many bytes.
    fn new(sector: u32) -> Result<Self> {
        let file = NamedTempFile::new()?;
        fs::write(&file, vec![0x5a; 8 << 20])?;
        let output = Command::new("/sbin/losetup")
            .args(["--find", "--show", &format!("--sector-size={sector}")])
            .arg(file.path())
            .output()?;
        ensure!(output.status.success(), "losetup: {}", String::from_utf8_lossy(&output.stderr));
        let device = PathBuf::from(String::from_utf8(output.stdout)?.trim());
        Ok(Self { device, file })
    }

    /// What the file below holds.
    fn content(&self) -> Result<Vec<u8>> {
        Ok(fs::read(&self.file)?)
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("/sbin/losetup").arg("--detach").arg(&self.device).status();
    }
}

/// The bytes that a file takes on its disk.
fn allocated(path: &Path) -> Result<u64> {
    Ok(fs::metadata(path)?.blocks() * 512)
}

fn file_in(dir: &TempDir, content: &[u8]) -> Result<(PathBuf, FileDevice)> {
    let path = dir.path().join("target");
    fs::write(&path, content)?;
    let device = FileDevice::open_for_writing(&path)?;
    Ok((path, device))
}

#[test]
fn zeros_of_a_new_file_are_holes() -> Result<()> {
    let dir = TempDir::new()?;
    let path = dir.path().join("target");
    let device = FileDevice::open_or_create(&path)?;
    let target = TargetFile::new(&device)?;
    // Data, zeros, data; not at the bounds of blocks.
    let mut data = vec![1; MIB as usize];
    data[5000..900_000].fill(0);
    target.write_at(Bytes(777), &data)?;
    target.write_at(Bytes(4 * MIB), &vec![0; MIB as usize])?;
    target.zero(Bytes(2 * MIB), MIB)?;
    assert_eq!(target.discard(Bytes(3 * MIB), MIB)?, MIB);
    target.finish(Bytes(64 * MIB + 5))?;

    let mut expected = vec![0; 64 * MIB as usize + 5];
    expected[777..777 + data.len()].copy_from_slice(&data);
    assert!(fs::read(&path)? == expected);
    assert!(allocated(&path)? < 256 * 1024, "{}", allocated(&path)?);
    Ok(())
}

#[test]
fn a_file_keeps_what_it_has() -> Result<()> {
    let dir = TempDir::new()?;
    let (path, device) = file_in(&dir, &vec![0x5a; 3 * MIB as usize + 100])?;
    let before = allocated(&path)?;
    let target = TargetFile::new(&device)?;
    target.write_at(Bytes(MIB - 6), &[0; 5000])?;
    target.zero(Bytes(2 * MIB + 1), MIB / 2)?;
    target.finish(Bytes(2 * MIB))?;

    let mut expected = vec![0x5a; 3 * MIB as usize + 100];
    expected[MIB as usize - 6..][..5000].fill(0);
    expected[2 * MIB as usize + 1..][..MIB as usize / 2].fill(0);
    assert!(fs::read(&path)? == expected, "a longer file is not truncated");
    assert!(allocated(&path)? <= before - MIB / 2 + 8192, "zeros are holes");

    // Zeros beyond the end are holes, too; a write across the end is both.
    let device = FileDevice::open_for_writing(&path)?;
    let target = TargetFile::new(&device)?;
    let end = 3 * MIB + 100;
    target.write_at(Bytes(end - 50), &vec![0; MIB as usize])?;
    target.finish(Bytes(end + MIB))?;
    expected.resize((end + MIB) as usize, 0);
    expected[end as usize - 50..].fill(0);
    assert!(fs::read(&path)? == expected);
    Ok(())
}

#[test]
fn direct_writes_are_the_same() -> Result<()> {
    let dir = TempDir::new()?;
    let (path, device) = file_in(&dir, &vec![0x5a; 2 * MIB as usize])?;
    let mut target = TargetFile::new(&device)?;
    ensure!(target.write_directly(), "the file system of {} has no O_DIRECT", path.display());
    let data: Vec<_> = (0..600_000_u32).map(|i| (i / 3) as u8).collect();
    let mut expected = vec![0x5a; 2 * MIB as usize];
    for (at, len) in [(0, 4096), (512, 100), (5000, 300_000), (1 << 20, 600_000), (2_000_001, 9)] {
        target.write_at(Bytes(at), &data[..len])?;
        expected[at as usize..][..len].copy_from_slice(&data[..len]);
    }
    target.finish(Bytes(0))?;
    assert!(fs::read(&path)? == expected);
    Ok(())
}

/// Loads, zeroes and discards at all kinds of bounds of devices with small and large sectors.
#[test]
fn devices_get_what_they_can_take() -> Result<()> {
    for (sector, direct) in [(512, false), (512, true), (4096, false), (4096, true)] {
        let disk = Loop::new(sector)?;
        let before = allocated(disk.file.path())?;
        let device = FileDevice::open_for_writing(&disk.device)?;
        assert_eq!(device.kind(), FileKind::Block { sector });
        let mut target = TargetFile::new(&device)?;
        assert_eq!(target.end(), Some(Bytes(8 * MIB)));
        assert!(!direct || target.write_directly());
        let mut expected = vec![0x5a; 8 << 20];
        for (at, len) in [(512, 512), (3 * 512, 9000), (MIB, 200_000), (8 * MIB - 512, 512)] {
            target.write_at(Bytes(at), &vec![7; len])?;
            expected[at as usize..][..len].fill(7);
        }
        for (at, len) in [(2 * MIB + 512, 1024), (2 * MIB + 4096, MIB), (4 * MIB - 512, 1536)] {
            target.zero(Bytes(at), len)?;
            expected[at as usize..][..len as usize].fill(0);
        }
        assert_eq!(target.discard(Bytes(5 * MIB + 512), 1024)?, 0, "less than it can");
        assert_eq!(target.discard(Bytes(5 * MIB - 512), 2 * MIB)?, 2 * MIB - 4096);
        target.finish(Bytes(8 * MIB))?;
        drop(device);

        let found = disk.content()?;
        let (gone, kept) = (5 * MIB as usize..7 * MIB as usize - 4096, 5 * MIB as usize - 512);
        assert!(found[..kept] == expected[..kept], "{sector} {direct}");
        assert!(found[kept..gone.start] == expected[kept..gone.start], "not whole units");
        assert!(found[gone.end..] == expected[gone.end..]);
        assert!(allocated(disk.file.path())? <= before - 2 * MIB + 8192, "{sector} {direct}");
    }
    Ok(())
}

#[test]
fn a_full_device_is_an_error() -> Result<()> {
    let disk = Loop::new(512)?;
    let device = FileDevice::open_for_writing(&disk.device)?;
    let target = TargetFile::new(&device)?;
    let error = target.write_at(Bytes(8 * MIB - 512), &[0; 1024]).map_err(|error| error.kind);
    assert_eq!(error, Err(ErrorKind::Write(Errno::NOSPC.raw_os_error())));
    Ok(())
}
