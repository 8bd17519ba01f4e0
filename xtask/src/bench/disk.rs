//! The bench's disk: a distribution's root file system, and what weeks of use make of it.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::edits::{self, Edit};
use crate::command::{fed, tool};
use crate::node_disk::{NodeDisk, Sizes, copy_files, regular_files};

/// Another number when disks are made in another way, so that kept ones are made anew.
const RECIPE: u32 = 3;

/// How much of the data in use changes, in thousandths, counted in the files' own bytes; with
/// whole hash blocks and the file system's own it becomes about 5 %.
const CHANGED_PER_MILLE: u64 = 26;

/// The parts of a disk of so many GiB, three eighths of which are files.
fn sizes(gib: u64) -> Sizes {
    let (mib, esp, swap) = (gib << 10, 40, 64);
    // The table and its copy take a MiB each.
    Sizes { esp, root: mib - esp - swap - 2, swap, files: mib * 3 / 8 }
}

/// A disk in a directory of its own.
#[derive(Debug)]
pub(super) struct BenchDisk {
    directory: PathBuf,
    /// The size in GiB.
    pub(super) gib: u64,
    /// The disk as it is now.
    pub(super) disk: NodeDisk,
}

impl BenchDisk {
    /// The disk in `directory`: that of an earlier run if there is one and `fresh` is not set,
    /// else a new one. `save_base` makes its base image before anything has changed.
    pub(super) fn prepare(
        directory: &Path,
        gib: u64,
        fresh: bool,
        save_base: impl FnOnce(&Self) -> Result<()>,
    ) -> Result<Self> {
        let disk = NodeDisk::planned(&directory.join("disk.img"), sizes(gib));
        let bench = Self { directory: directory.to_owned(), gib, disk };
        // Written last: a disk without it is half made.
        let stamp = bench.path("made");
        let made = format!("recipe {RECIPE}, {gib} GiB\n");
        if !fresh && fs::read_to_string(&stamp).is_ok_and(|text| text == made) {
            return Ok(bench);
        }
        remove(directory)?;
        let scratch = bench.path("scratch");
        let tree = scratch.join("root");
        fs::create_dir_all(&tree)?;
        fill(&tree, sizes(gib).files << 20)?;
        NodeDisk::make_of(&bench.disk.path, &scratch, sizes(gib), &[], &tree)?;
        save_base(&bench)?;
        let bytes = (sizes(gib).files << 20) / 1000 * CHANGED_PER_MILLE;
        change(&bench.disk, &tree, &scratch, bytes)?;
        fs::remove_dir_all(&scratch)?;
        fs::write(&stamp, made)?;
        Ok(bench)
    }

    /// A file beside the disk.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// Removes a directory of an earlier run, if there is one. A run that was killed may have left a
/// file system mounted in it; then that has to be said, not found out later.
pub(super) fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", directory.display()))
        }
        _ => Ok(()),
    }
}

/// Files of this machine; if they are too few, copies of them that are alike and not the same.
fn fill(tree: &Path, bytes: u64) -> Result<()> {
    let mut missing = copy_files(tree, bytes)?;
    let files = regular_files(tree)?;
    for copy in 1_u32.. {
        for path in &files {
            if missing == 0 {
                return Ok(());
            }
            let place = tree.join(format!("srv/release-{copy}")).join(path.strip_prefix(tree)?);
            let content = edits::edited(&fs::read(path)?, copy);
            fs::create_dir_all(place.parent().context("no parent")?)?;
            fs::write(&place, &content)?;
            missing = missing.saturating_sub(content.len() as u64);
        }
    }
    Ok(())
}

/// Changes files of `bytes` in all: through a loop mount where that is possible, else with debugfs.
/// `tree` is what the file system was made of.
fn change(disk: &NodeDisk, tree: &Path, scratch: &Path, bytes: u64) -> Result<()> {
    let content = scratch.join("content");
    let place = scratch.join("mounted");
    fs::create_dir_all(&content)?;
    fs::create_dir_all(&place)?;
    let edits = edits::plan(tree, &content, bytes)?;
    let Ok(mount) = disk.mount_root(&place, "rw") else {
        return with_debugfs(disk, tree, &content, &edits);
    };
    edits.iter().try_for_each(|edit| apply(&place, edit))?;
    mount.unmount()
}

fn apply(top: &Path, edit: &Edit) -> Result<()> {
    match edit {
        Edit::Remove(name) => fs::remove_file(top.join(name))?,
        Edit::Put { name, source } => {
            let place = top.join(name);
            fs::create_dir_all(place.parent().context("no parent")?)?;
            // As package managers do: the old one is there until the new one is whole.
            let fresh = place.with_extension("dpkg-new");
            fs::copy(source, &fresh)?;
            fs::rename(&fresh, &place)?;
        }
        Edit::Append { name, text } => {
            OpenOptions::new().append(true).open(top.join(name))?.write_all(text)?;
        }
    }
    Ok(())
}

/// The same, but nothing can be appended there: such a file is written anew.
fn with_debugfs(disk: &NodeDisk, tree: &Path, content: &Path, edits: &[Edit]) -> Result<()> {
    let mut lines = Vec::new();
    let mut made = BTreeSet::new();
    for (number, edit) in edits.iter().enumerate() {
        let (Edit::Remove(name) | Edit::Put { name, .. } | Edit::Append { name, .. }) = edit;
        if tree.join(name).exists() {
            lines.push(format!("rm /{}", name.display()));
        }
        let source = match edit {
            Edit::Remove(_) => continue,
            Edit::Put { source, .. } => source.clone(),
            Edit::Append { text, .. } => {
                let whole = content.join(format!("whole-{number}"));
                fs::copy(tree.join(name), &whole)?;
                OpenOptions::new().append(true).open(&whole)?.write_all(text)?;
                whole
            }
        };
        // From the top; the first of the names is the file's own, the last is empty.
        let mut parents: Vec<_> = name.ancestors().skip(1).collect();
        parents.pop();
        for parent in parents.into_iter().rev() {
            if !tree.join(parent).exists() && made.insert(parent) {
                lines.push(format!("mkdir /{}", parent.display()));
            }
        }
        lines.push(format!("write {} /{}", source.display(), name.display()));
    }
    lines.push(String::new());
    let script = lines.join("\n");
    fed(tool("debugfs").args(["-w", "-f", "-"]).arg(disk.root_for_e2fsprogs()), &script)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_fill_the_disk() {
        for gib in [1, 8] {
            let disk = NodeDisk::planned(Path::new("x"), sizes(gib));
            assert_eq!(disk.sectors, gib << 21);
        }
    }
}
