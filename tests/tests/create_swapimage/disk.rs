//! A disk of a node: a partition table, a file system and swap space, in a file that is a block
//! device where somebody needs one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use xtask::command::{fed, stdout, tool};

pub(crate) const SIZE: u64 = 80 << 20;

/// Where the partition with the files begins, and its size, in bytes.
pub(crate) const ROOT: (u64, u64) = (1 << 20, 48 << 20);

/// The same in sectors, a swap partition, and some space that belongs to none.
const TABLE: &str = "label: dos\nlabel-id: 0x15a9e2ff\n2048,98304,83\n100352,32768,82\n";

pub(crate) struct Disk {
    file: PathBuf,
}

impl Disk {
    /// A disk full of what is no file system, with nothing on it but a partition table, which it
    /// only gets if it is asked for.
    pub(crate) fn filled(file: PathBuf, with_table: bool) -> Result<Self> {
        fs::write(&file, vec![0x5a; usize::try_from(SIZE)?])?;
        let disk = Self { file };
        if with_table {
            fed(tool("sfdisk").arg("--quiet").arg(&disk.file), TABLE)?;
        }
        Ok(disk)
    }

    /// A disk with empty file systems.
    pub(crate) fn formatted(file: PathBuf) -> Result<Self> {
        let disk = Self::filled(file, true)?;
        let swap = Attached::new(&disk.file, 100_352 * 512, 16 << 20)?;
        stdout(tool("mkswap").arg(&swap.device))?;
        drop(swap);
        let root = Attached::new(&disk.file, ROOT.0, ROOT.1)?;
        stdout(tool("mkfs.ext4").args(["-q", "-F"]).arg(&root.device))?;
        Ok(disk)
    }

    /// The file that it is in.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// The disk as a block device. Nobody may change the file in another way meanwhile.
    pub(crate) fn attach(&self) -> Result<Attached> {
        Attached::new(&self.file, 0, SIZE)
    }

    /// Has `work` done in the root directory of the file system.
    pub(crate) fn edit(&self, work: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
        let mounted = Mounted::new(self, "rw")?;
        work(mounted.0.path())
    }

    /// The partition table, without the name of the disk.
    pub(crate) fn table(&self) -> Result<String> {
        let dump = stdout(tool("sfdisk").arg("--dump").arg(&self.file))?;
        Ok(dump.replace(&*self.file.to_string_lossy(), "disk"))
    }

    /// Whether e2fsck and diff find on this disk exactly what is on `other`.
    pub(crate) fn check_same_files(&self, other: &Self) -> Result<()> {
        let root = Attached::new(&self.file, ROOT.0, ROOT.1)?;
        stdout(tool("e2fsck").arg("-fn").arg(&root.device))?;
        drop(root);
        let (here, there) = (Mounted::new(self, "ro")?, Mounted::new(other, "ro")?);
        let compare = ["--recursive", "--no-dereference", "--brief"];
        stdout(tool("diff").args(compare).args([here.0.path(), there.0.path()]))?;
        let (listed, expected) = (list(here.0.path())?, list(there.0.path())?);
        ensure!(listed == expected, "{listed}\nis not\n{expected}");
        Ok(())
    }
}

/// Paths with kinds, modes, owners, sizes, times and targets of links.
fn list(directory: &Path) -> Result<String> {
    let format = r"%P %y %m %U %G %s %T@ %l\n";
    let found = stdout(tool("find").current_dir(directory).args([".", "-printf", format]))?;
    let mut lines: Vec<_> = found.lines().collect();
    lines.sort_unstable();
    Ok(lines.join("\n"))
}

/// A file, or a part of it, as a block device.
pub(crate) struct Attached {
    pub(crate) device: PathBuf,
}

impl Attached {
    fn new(file: &Path, offset: u64, size: u64) -> Result<Self> {
        let mut losetup = tool("losetup");
        losetup.args(["--find", "--show"]);
        losetup.args([format!("--offset={offset}"), format!("--sizelimit={size}")]);
        let device = stdout(losetup.arg(file)).context("needs root and loop devices")?;
        Ok(Self { device: PathBuf::from(device.trim_end()) })
    }

    /// The name below `/dev`.
    pub(crate) fn name(&self) -> Result<&str> {
        self.device.file_name().and_then(|name| name.to_str()).context("a device without a name")
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        // What was written has to be in the file when the next one looks into it.
        let synced = File::open(&self.device).and_then(|device| device.sync_all());
        let detached = stdout(tool("losetup").arg("--detach").arg(&self.device));
        if let Some(error) = synced.err().map(Into::into).or(detached.err()) {
            eprintln!("{}: {error:#}", self.device.display());
        }
    }
}

/// The file system of a disk, mounted.
struct Mounted(tempfile::TempDir, #[expect(dead_code, reason = "detached when dropped")] Attached);

impl Mounted {
    fn new(disk: &Disk, mode: &str) -> Result<Self> {
        // Not `mount -o loop`: that refuses a file whose last loop device is not yet gone, as
        // when something looks at the device while it is detached.
        let root = Attached::new(&disk.file, ROOT.0, ROOT.1)?;
        let place = tempfile::tempdir()?;
        stdout(tool("mount").args(["-t", "ext4", "-o", mode]).arg(&root.device).arg(place.path()))?;
        Ok(Self(place, root))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = stdout(tool("umount").arg(self.0.path())) {
            eprintln!("{error:#}");
        }
    }
}
