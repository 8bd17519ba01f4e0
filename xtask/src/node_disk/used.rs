//! A disk that another user has worked on: what a node is given before it is loaded.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

use super::{SECTOR, SECTORS_PER_MIB, collect_files};
use crate::command::{fed, stdout, tool};

/// Files of the other user's, in MiB.
const FILES: u64 = 24;

/// A file of `size` bytes, all of them 0x5A: what free space on a used disk looks like.
pub(crate) fn dirty_file(path: &Path, size: u64) -> Result<()> {
    let mut file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
    let block = vec![0x5a; 1 << 20];
    let mut left = size;
    while left > 0 {
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        file.write_all(&block[..len])?;
        left -= len as u64;
    }
    Ok(())
}

/// Makes a disk of `sectors` at `path`, with scratch files in `scratch`: a GPT of its own with a
/// FAT and an ext4 file system in other places than a [`super::NodeDisk`] has them, files of this
/// machine, and no zeros where nothing is.
///
/// # Errors
/// If a tool fails or the disk is too small.
pub fn make_used(path: &Path, scratch: &Path, sectors: u64) -> Result<()> {
    dirty_file(path, sectors * SECTOR)?;
    let staging = scratch.join("used");
    collect_files(&staging, FILES << 20)?;
    let first = 3 * SECTORS_PER_MIB + 8;
    let fat = 40 * SECTORS_PER_MIB;
    let second = first + fat;
    // Up to the last sector that it can have.
    let ext4 = (sectors.checked_sub(33 + second).context("the disk is too small")?) / 8 * 8;
    let table = format!(
        "label: gpt\nfirst-lba: 34\n\
         start={first}, size={fat}, type=uefi, name=\"another's\"\n\
         start={second}, size={ext4}, type=linux, name=root, attrs=LegacyBIOSBootable\n"
    );
    fed(tool("sfdisk").arg("--quiet").arg(path), &table)?;
    stdout(
        tool("mkfs.fat")
            .args(["-F", "32", "-s", "1", "-n", "ANOTHER"])
            .arg(format!("--offset={first}"))
            .arg(path)
            .arg((fat / 2).to_string()),
    )?;
    stdout(
        tool("mkfs.ext4")
            .args(["-q", "-F", "-L", "another", "-d"])
            .arg(&staging)
            // What is free stays as it is.
            .arg("-E")
            .arg(format!("nodiscard,offset={}", second * SECTOR))
            .arg(path)
            .arg(format!("{}k", ext4 / 2)),
    )?;
    fs::remove_dir_all(&staging)?;
    Ok(())
}
