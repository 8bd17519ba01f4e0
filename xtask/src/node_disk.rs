//! A node's disk with a real partition table and real file systems, made by the ordinary tools,
//! and what a user does to it.

mod esp;
mod files;
pub mod loader;
mod tree;
mod used;
mod user;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use fixtures::Mount;

use crate::command::{fed, stdout, tool};

pub use files::{collect_files, copy_files};
pub use tree::{Entry, Tree};
pub(crate) use used::dirty_file;
pub use used::make_used;
pub(crate) use user::regular_files;
pub use user::work_as_user;

/// Bytes in a sector.
pub const SECTOR: u64 = 512;
const SECTORS_PER_MIB: u64 = 2048;

/// How large the parts of a [`NodeDisk`] are, in MiB.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// The EFI system partition; FAT32 needs 33 at least.
    pub esp: u64,
    /// The root file system.
    pub root: u64,
    /// The swap partition.
    pub swap: u64,
    /// Files of this machine to fill the root file system with.
    pub files: u64,
}

/// A partition's place on the disk, in sectors.
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    /// The first sector.
    pub start: u64,
    /// How many.
    pub sectors: u64,
}

/// A disk image with a GPT: partition 1 FAT32 (EFI), partition 2 ext4 (root), partition 3 swap.
#[derive(Clone, Debug)]
pub struct NodeDisk {
    /// The image file.
    pub path: PathBuf,
    /// Partition 1.
    pub esp: Slice,
    /// Partition 2.
    pub root: Slice,
    /// Partition 3.
    pub swap: Slice,
    /// The whole disk.
    pub sectors: u64,
}

impl NodeDisk {
    /// Makes the disk at `path`, with scratch files in `scratch`. `mkfs_options` go to mke2fs.
    ///
    /// # Errors
    /// If a tool fails or is missing.
    pub fn make(
        path: &Path,
        scratch: &Path,
        sizes: Sizes,
        mkfs_options: &[&str],
    ) -> anyhow::Result<Self> {
        let staging = scratch.join("root");
        collect_files(&staging, sizes.files << 20)?;
        let disk = Self::make_of(path, scratch, sizes, mkfs_options, &staging)?;
        fs::remove_dir_all(&staging)?;
        Ok(disk)
    }

    /// As [`NodeDisk::make`], but the disk boots by itself ([`loader`]), and its init calls itself
    /// `name`. Kernel and initramfs take 12 MiB of the EFI system partition.
    ///
    /// # Errors
    /// As [`NodeDisk::make`], and if kernel or boot loader can't be had.
    pub fn make_bootable(
        path: &Path,
        scratch: &Path,
        sizes: Sizes,
        mkfs_options: &[&str],
        name: &str,
    ) -> anyhow::Result<Self> {
        let staging = scratch.join("root");
        collect_files(&staging, sizes.files << 20)?;
        loader::stage_init(&staging, name)?;
        let disk = Self::make_of(path, scratch, sizes, mkfs_options, &staging)?;
        fs::remove_dir_all(&staging)?;
        loader::install(&disk, scratch)?;
        Ok(disk)
    }

    /// Mounts the root file system at `place`, which is made. Needs root.
    ///
    /// # Errors
    /// If it can't be mounted.
    pub fn mount_root(&self, place: &Path, options: &str) -> anyhow::Result<Mount> {
        let Slice { start, sectors } = self.root;
        let root = format!("offset={},sizelimit={}", start * SECTOR, sectors * SECTOR);
        Mount::new(&self.path, place, &format!("{options},{root}"))
    }

    /// As [`NodeDisk::make`], but the root file system holds what is in the directory `staging`.
    ///
    /// # Errors
    /// As [`NodeDisk::make`].
    pub fn make_of(
        path: &Path,
        scratch: &Path,
        sizes: Sizes,
        mkfs_options: &[&str],
        staging: &Path,
    ) -> anyhow::Result<Self> {
        let disk = Self::planned(path, sizes);
        let Self { esp, root, swap, sectors, .. } = disk;

        let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
        file.set_len(sectors * SECTOR)?;
        let table = format!(
            "label: gpt\n\
             start={}, size={}, type=uefi, name=\"EFI system\"\n\
             start={}, size={}, type=linux, name=root\n\
             start={}, size={}, type=swap, name=swap\n",
            esp.start, esp.sectors, root.start, root.sectors, swap.start, swap.sectors
        );
        fed(tool("sfdisk").arg("--quiet").arg(path), &table)?;

        stdout(
            tool("mkfs.fat")
                .args(["-F", "32", "-s", "1", "-n", "ESP"])
                .arg(format!("--offset={}", esp.start))
                .arg(path)
                .arg((esp.sectors / 2).to_string()),
        )?;
        let loader = scratch.join("loader.efi");
        fs::write(&loader, b"stands in for a boot loader\n".repeat(20_000))?;
        disk.write_esp_file(&loader, "LOADER.EFI")?;

        stdout(
            tool("mkfs.ext4")
                .args(["-q", "-F", "-L", "root", "-d"])
                .arg(staging)
                .arg("-E")
                .arg(format!("offset={}", root.start * SECTOR))
                .args(mkfs_options)
                .arg(path)
                .arg(format!("{}k", root.sectors / 2)),
        )?;

        disk.make_swap(&scratch.join("swap"))?;
        Ok(disk)
    }

    /// The layout, for a disk that was made before or is to be made.
    pub fn planned(path: &Path, sizes: Sizes) -> Self {
        let esp = Slice { start: SECTORS_PER_MIB, sectors: sizes.esp * SECTORS_PER_MIB };
        let root = Slice { start: esp.end(), sectors: sizes.root * SECTORS_PER_MIB };
        let swap = Slice { start: root.end(), sectors: sizes.swap * SECTORS_PER_MIB };
        let sectors = swap.end() + SECTORS_PER_MIB;
        Self { path: path.to_owned(), esp, root, swap, sectors }
    }

    /// mkswap can't write at an offset: it formats a file, whose header is then copied.
    fn make_swap(&self, scratch: &Path) -> anyhow::Result<()> {
        File::create(scratch)?.set_len(self.swap.sectors * SECTOR)?;
        stdout(tool("mkswap").arg("-q").arg(scratch))?;
        let mut header = vec![0; 4096];
        File::open(scratch)?.read_exact_at(&mut header, 0)?;
        fs::remove_file(scratch)?;
        let disk = File::options().write(true).open(&self.path)?;
        disk.write_all_at(&header, self.swap.start * SECTOR)?;
        Ok(())
    }

    /// Writes a file into the FAT file system of partition 1.
    pub(crate) fn write_esp_file(&self, source: &Path, name: &str) -> anyhow::Result<()> {
        stdout(
            tool("mcopy")
                .arg("-o")
                .arg("-i")
                .arg(format!("{}@@{}", self.path.display(), self.esp.start * SECTOR))
                .arg(source)
                .arg(format!("::{name}")),
        )?;
        Ok(())
    }

    /// How e2fsprogs name the root file system inside the image.
    pub fn root_for_e2fsprogs(&self) -> String {
        format!("{}?offset={}", self.path.display(), self.root.start * SECTOR)
    }

    /// Runs `e2fsck -fn` on the root file system.
    ///
    /// # Errors
    /// If the file system is anything but clean.
    pub fn check_root(&self) -> anyhow::Result<()> {
        stdout(tool("e2fsck").arg("-fn").arg(self.root_for_e2fsprogs()))?;
        Ok(())
    }

    /// The same layout on another disk, which may be larger.
    #[must_use]
    pub fn on_another(&self, path: &Path, sectors: u64) -> Self {
        Self { path: path.to_owned(), sectors, ..self.clone() }
    }

    /// The same layout in another file, for example a copy.
    #[must_use]
    pub fn at(&self, path: &Path) -> Self {
        Self { path: path.to_owned(), ..self.clone() }
    }

    /// The sectors that are in use, as (first, count), found without this project's code: the
    /// free blocks are those that dumpe2fs lists, the free clusters those of the FAT, the rest of the
    /// layout is known.
    ///
    /// # Errors
    /// If dumpe2fs fails or prints what isn't understood, or the EFI system partition has no FAT32.
    pub fn sectors_in_use(&self) -> anyhow::Result<Vec<Slice>> {
        let mut in_use = vec![Slice { start: 0, sectors: 34 }];
        in_use.extend(esp::in_use(&self.path, self.esp)?);
        let free = self.free_root_blocks()?;
        let mut at = self.root.start;
        for (start, sectors) in free {
            ensure!(start >= at, "dumpe2fs lists free blocks out of order");
            in_use.push(Slice { start: at, sectors: start - at });
            at = start + sectors;
        }
        in_use.push(Slice { start: at, sectors: self.root.end() - at });
        in_use.push(Slice { start: self.swap.start, sectors: 64 });
        // The backup of the GPT: 32 sectors of entries and the header.
        in_use.push(Slice { start: self.sectors - 33, sectors: 33 });
        in_use.retain(|slice| slice.sectors > 0);
        Ok(in_use)
    }

    /// The free runs of the root file system as (first sector of the disk, sectors), ascending.
    fn free_root_blocks(&self) -> anyhow::Result<Vec<(u64, u64)>> {
        let text = stdout(tool("dumpe2fs").arg(self.root_for_e2fsprogs()))?;
        let block_size: u64 = text
            .lines()
            .find_map(|line| line.strip_prefix("Block size:"))
            .context("dumpe2fs names no block size")?
            .trim()
            .parse()?;
        let per_block = block_size / SECTOR;
        let mut runs = Vec::new();
        // The header's own line begins at the margin; those of the groups are indented.
        for list in text.lines().filter_map(|line| line.strip_prefix("  Free blocks: ")) {
            for run in list.split(", ").filter(|run| !run.is_empty()) {
                let (first, last) = run.split_once('-').unwrap_or((run, run));
                let (first, last): (u64, u64) = (first.trim().parse()?, last.trim().parse()?);
                let start = self.root.start + first * per_block;
                runs.push((start, (last + 1 - first) * per_block));
            }
        }
        Ok(runs)
    }
}

impl Slice {
    /// The sector after the last.
    pub fn end(self) -> u64 {
        self.start + self.sectors
    }
}
