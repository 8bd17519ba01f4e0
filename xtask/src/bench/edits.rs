//! What changes on a disk in use: packages are upgraded, logs grow, users work.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::node_disk::regular_files;

/// What is edited in a file that is upgraded: programs move, so that much of what follows differs.
const BLOCK: usize = 16 << 10;
/// What is appended to a log, and what then differs: a hash block.
const APPENDED: usize = 4096;
const HASH_BLOCK: usize = 64 << 10;
/// A user's files.
const RESULT: usize = 1 << 20;

/// A change of a file; names are relative to the file system's root.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// Deleted.
    Remove(PathBuf),
    /// New, or replaced.
    Put { name: PathBuf, source: PathBuf },
    /// Longer.
    Append { name: PathBuf, text: Vec<u8> },
}

/// Changes of about `bytes` in all, of files in `tree`, with new content in `content`: nine
/// twentieths are files that are replaced, as many are new, half of these compressed already, and
/// the rest are hash blocks with the end of a file that grows. One file in a hundred is deleted.
pub(super) fn plan(tree: &Path, content: &Path, bytes: u64) -> Result<Vec<Edit>> {
    let mut files = regular_files(tree)?;
    // debugfs takes names apart at spaces.
    files.retain(|path| !path.to_string_lossy().contains([' ', '"', '\'']));
    ensure!(files.len() > 100, "only {} files to work with", files.len());
    // In no order that the file system has, and always the same.
    files.sort_by_cached_key(|path| (scatter(path), path.clone()));

    let mut edits = Vec::new();
    let removed = files.len() / 100;
    let mut files = files.iter();
    let name = |path: &Path| path.strip_prefix(tree).map(Path::to_owned);
    for path in files.by_ref().take(removed) {
        edits.push(Edit::Remove(name(path)?));
    }
    let share = bytes / 20;
    let mut left = 9 * share;
    for path in files.by_ref() {
        let old = fs::read(path).with_context(|| path.display().to_string())?;
        let source = content.join(format!("replaced-{}", edits.len()));
        fs::write(&source, edited(&old, 0))?;
        edits.push(Edit::Put { name: name(path)?, source });
        left = left.saturating_sub(old.len() as u64);
        if left == 0 {
            break;
        }
    }
    for number in 0..(9 * share).div_ceil(RESULT as u64) {
        let seed = u32::try_from(number).unwrap_or(0);
        let source = content.join(format!("new-{number}"));
        let (kind, data) = if number % 2 == 0 {
            ("csv", measurements(seed).into_bytes())
        } else {
            ("csv.xz", noise(seed))
        };
        fs::write(&source, data)?;
        let name = PathBuf::from(format!("home/user/results/run-{number}.{kind}"));
        edits.push(Edit::Put { name, source });
    }
    let count = usize::try_from(2 * share)? / HASH_BLOCK;
    for path in files.take(count) {
        let text = measurements(7).into_bytes();
        edits.push(Edit::Append { name: name(path)?, text: text[..APPENDED].to_vec() });
    }
    Ok(edits)
}

/// A later version of a file: its blocks in the opposite order, each with its number in it.
pub(super) fn edited(data: &[u8], version: u32) -> Vec<u8> {
    let mut edited = Vec::with_capacity(data.len());
    for (number, block) in (version..).zip(data.chunks(BLOCK).rev()) {
        let start = edited.len();
        edited.extend_from_slice(block);
        let mark = number.to_le_bytes();
        for (to, from) in edited[start..].iter_mut().zip(mark) {
            *to = from;
        }
    }
    edited
}

/// FNV-1a of a path.
fn scatter(path: &Path) -> u64 {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Marsaglia's xorshift32.
fn random(seed: u32) -> impl Iterator<Item = u32> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    })
}

/// Text like that of measurements.
fn measurements(seed: u32) -> String {
    let mut text = String::with_capacity(RESULT + 64);
    for (line, value) in random(seed).enumerate() {
        if text.len() >= RESULT {
            break;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line},{}.{:03},ok", value >> 20, value % 1000);
    }
    text
}

/// Like something compressed.
fn noise(seed: u32) -> Vec<u8> {
    random(seed).take(RESULT / 4).flat_map(u32::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_version_has_the_same_length_and_no_equal_block() {
        let old: Vec<u8> = (0..100_000_u32).map(|i| (i / 100).to_le_bytes()[0]).collect();
        let new = edited(&old, 0);
        assert_eq!(new.len(), old.len());
        assert!(old.chunks(BLOCK).zip(new.chunks(BLOCK)).all(|(a, b)| a != b));
        assert_ne!(new, edited(&old, 1));
        assert_eq!(edited(b"", 3), b"");
    }

    #[test]
    fn a_plan_has_all_kinds_of_change_in_about_the_size_asked_for() -> Result<()> {
        let directory = tempfile::tempdir()?;
        let (tree, content) = (directory.path().join("tree"), directory.path().join("content"));
        fs::create_dir_all(&tree)?;
        fs::create_dir_all(&content)?;
        for number in 0..300 {
            fs::write(tree.join(format!("file-{number}")), vec![1; 20_000])?;
        }
        let edits = plan(&tree, &content, 4 << 20)?;
        let bytes: u64 = edits
            .iter()
            .map(|edit| match edit {
                Edit::Remove(_) => 0,
                Edit::Put { source, .. } => fs::metadata(source).map_or(0, |file| file.len()),
                Edit::Append { .. } => HASH_BLOCK as u64,
            })
            .sum();
        assert!((3 << 20..6 << 20).contains(&bytes), "{bytes}");
        let removed = edits.iter().filter(|edit| matches!(edit, Edit::Remove(_))).count();
        let appended = edits.iter().filter(|edit| matches!(edit, Edit::Append { .. })).count();
        assert_eq!((removed, appended), (3, 6));
        assert_eq!(edits, plan(&tree, &content, 4 << 20)?);
        Ok(())
    }
}
