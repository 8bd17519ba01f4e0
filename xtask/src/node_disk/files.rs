//! Real files to fill a file system with: those of this machine.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

/// Where ordinary programs, libraries and texts are on every Debian.
const SOURCES: [&str; 4] = ["/usr/bin", "/usr/lib", "/usr/share", "/etc"];

/// A file larger than this is left out: one of them would leave no room for variety.
const LARGEST: u64 = 32 << 20;
/// For the same reason, of what is wanted in all a file is at most this part.
const PART: u64 = 32;

/// Copies files and symbolic links of this machine below `target` until they are `bytes` together.
///
/// # Errors
/// If the machine has fewer, or one can't be copied.
pub fn collect_files(target: &Path, bytes: u64) -> anyhow::Result<()> {
    let left = copy_files(target, bytes)?;
    ensure!(left == 0, "this machine has too few files: {left} bytes of {bytes} are missing");
    Ok(())
}

/// As [`collect_files`], but too few files are no error: returns how many bytes are missing.
///
/// # Errors
/// If a file can't be copied.
pub fn copy_files(target: &Path, bytes: u64) -> anyhow::Result<u64> {
    let share = bytes / SOURCES.len() as u64 + 1;
    let largest = LARGEST.min(bytes / PART);
    let mut left = bytes;
    // First a share from each source, so that all kinds are there, then from wherever there are more.
    for limit in [share, bytes] {
        for source in SOURCES {
            let wanted = left.min(limit);
            left -= copy_tree(Path::new(source), target, wanted, largest)?.min(left);
        }
    }
    Ok(left)
}

/// Copies at least `wanted` bytes of what lies below `source`, if there are so many, and returns
/// how many. What is there already is passed over, as are files of more than `largest` bytes.
fn copy_tree(source: &Path, target: &Path, wanted: u64, largest: u64) -> anyhow::Result<u64> {
    let mut copied = 0;
    let mut pending = vec![source.to_owned()];
    while let Some(path) = pending.pop() {
        if copied >= wanted {
            break;
        }
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let place = target.join(path.strip_prefix("/")?);
        if metadata.is_dir() {
            fs::create_dir_all(&place)?;
            pending.extend(sorted_entries(&path));
        } else if place.symlink_metadata().is_ok() {
        } else if metadata.is_symlink() {
            fs::create_dir_all(place.parent().context("no parent")?)?;
            symlink(fs::read_link(&path)?, &place)?;
        } else if metadata.is_file() && metadata.len() <= largest {
            // Files that this user may not read are passed over.
            if fs::copy(&path, &place).is_ok() {
                copied += metadata.len();
            }
        }
    }
    Ok(copied)
}

fn sorted_entries(directory: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> =
        fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort_unstable_by(|a, b| b.cmp(a));
    entries
}
