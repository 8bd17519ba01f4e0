//! What other programs say about a disk: e2fsprogs, dosfstools and util-linux, as an oracle.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use imagezip_core::extent::ExtentSet;
use imagezip_core::sector::{Sector, SectorCount, SectorRange};
use tempfile::TempDir;

/// A disk in a file of its own, removed with this. The file's name is always the same, so that
/// what programs say about two disks can be compared.
pub struct DiskFile {
    dir: TempDir,
}

/// What dumpe2fs says about an ext file system.
pub struct Ext {
    /// Bytes in a block.
    pub block_bytes: u64,
    /// The sectors that no file and no metadata use, counted from the start of the disk.
    pub free: ExtentSet,
    /// The blocks with the other copies of the superblock.
    pub backups: Vec<u64>,
}

/// How a program ended, and what it wrote.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Its exit code.
    pub code: Option<i32>,
    /// Its messages.
    pub messages: String,
}

impl DiskFile {
    /// Writes a disk to a file.
    pub fn new(disk: &[u8]) -> Result<Self> {
        let dir = TempDir::new()?;
        fs::write(dir.path().join("disk"), disk)?;
        Ok(Self { dir })
    }

    /// The partition table as sfdisk prints it.
    pub fn partition_table(&self) -> Result<String> {
        let dump = self.run("sfdisk", &["--dump", "disk"])?;
        ensure!(dump.code == Some(0), "sfdisk: {}", dump.messages);
        Ok(dump.messages)
    }

    /// The file system's kind and names, as blkid finds them by its content; its exit code is 2 if
    /// there is nothing that it knows.
    pub fn identity(&self, range: SectorRange) -> Result<Verdict> {
        let offset = format!("--offset={}", range.start().to_bytes());
        let size = format!("--size={}", range.len().to_bytes());
        self.run("blkid", &["--probe", &offset, &size, "disk"])
    }

    /// The ext file system that begins at sector `start`.
    pub fn ext(&self, start: Sector) -> Result<Ext> {
        let dump = self.run("dumpe2fs", &[&at(start)])?;
        ensure!(dump.code == Some(0), "dumpe2fs: {}", dump.messages);
        parse_dumpe2fs(&dump.messages, start)
    }

    /// Checks the ext file system that begins at sector `start`, changing nothing.
    pub fn e2fsck(&self, start: Sector) -> Result<Verdict> {
        self.run("e2fsck", &["-fn", &at(start)])
    }

    /// Checks it by the superblock in block `backup`.
    pub fn e2fsck_by_backup(&self, start: Sector, ext: &Ext, backup: u64) -> Result<Verdict> {
        let (block, size) = (backup.to_string(), ext.block_bytes.to_string());
        self.run("e2fsck", &["-fn", "-b", &block, "-B", &size, &at(start)])
    }

    /// Checks the FAT file system in `range`, changing nothing.
    pub fn fsck_fat(&self, range: SectorRange) -> Result<Verdict> {
        self.extract(range)?;
        self.run("fsck.fat", &["-n", "partition"])
    }

    /// The files of the FAT file system in `range`, with their paths, in order.
    pub fn fat_files(&self, range: SectorRange) -> Result<Vec<(PathBuf, Vec<u8>)>> {
        self.extract(range)?;
        let root = self.dir.path().join("files");
        fs::create_dir(&root)?;
        let copied = self.run("mcopy", &["-s", "-n", "-i", "partition", "::*", "files"])?;
        ensure!(copied.code == Some(0), "mcopy: {}", copied.messages);
        let mut files = Vec::new();
        let mut directories = vec![root.clone()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory)? {
                let path = entry?.path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    files.push((path.strip_prefix(&root)?.to_owned(), fs::read(&path)?));
                }
            }
        }
        fs::remove_dir_all(&root)?;
        files.sort();
        Ok(files)
    }

    /// Puts what is in `range` into a file of its own.
    fn extract(&self, range: SectorRange) -> Result<()> {
        let disk = fs::read(self.dir.path().join("disk"))?;
        let position = |sector: Sector| usize::try_from(sector.to_bytes().get());
        let partition = disk.get(position(range.start())?..position(range.end())?);
        Ok(fs::write(self.dir.path().join("partition"), partition.context("beyond the disk")?)?)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<Verdict> {
        // Users' PATH may lack the directories of administration tools.
        let dirs = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].into_iter();
        let mut paths = dirs.map(|dir| Path::new(dir).join(program));
        let path = paths
            .find(|path| path.is_file())
            .with_context(|| format!("{program} is not installed"))?;
        let mut command = Command::new(path);
        command.args(arguments).current_dir(self.dir.path()).env("LC_ALL", "C");
        command.env("MTOOLS_SKIP_CHECK", "1");
        let output = command.output()?;
        let mut messages = String::from_utf8_lossy(&output.stdout).into_owned();
        messages += &String::from_utf8_lossy(&output.stderr);
        Ok(Verdict { code: output.status.code(), messages })
    }
}

/// The name of a file system inside the file, as e2fsprogs takes it.
fn at(start: Sector) -> String {
    format!("disk?offset={}", start.to_bytes())
}

fn parse_dumpe2fs(text: &str, start: Sector) -> Result<Ext> {
    let number = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| value.trim().parse::<u64>().ok())
    };
    let block_bytes = number("Block size:").context("no block size")?;
    // Free clusters are listed by their first blocks.
    let cluster_blocks = number("Cluster size:").map_or(1, |bytes| bytes / block_bytes);
    let block_sectors = block_bytes / 512;
    let mut free = Vec::new();
    let mut backups = Vec::new();
    for line in text.lines() {
        if let Some(list) = line.strip_prefix("  Free blocks: ") {
            for range in list.split(", ").filter(|range| !range.trim().is_empty()) {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                let (first, last) = (first.trim().parse::<u64>()?, last.trim().parse::<u64>()?);
                let blocks = last + cluster_blocks - first;
                free.push(sectors(start, first * block_sectors, blocks * block_sectors)?);
            }
        } else if let Some(backup) = line.trim().strip_prefix("Backup superblock at ") {
            backups.push(backup.split(',').next().unwrap_or_default().parse()?);
        }
    }
    Ok(Ext { block_bytes, free: ExtentSet::from_unsorted(free), backups })
}

fn sectors(start: Sector, first: u64, count: u64) -> Result<SectorRange> {
    let count_of = |count| SectorCount::new(count).context("a block beyond all sectors");
    let first = start.saturating_add(count_of(first)?);
    SectorRange::with_len(first, count_of(count)?).context("a block beyond all sectors")
}
