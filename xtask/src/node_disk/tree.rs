//! What a file system holds: every path with its kind, mode, owner, size and digest.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};

use super::NodeDisk;
use crate::command::{stdout, tool};

/// One file, directory or link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Type and permission bits.
    pub mode: u32,
    /// Owner and group; `None` where the way of reading doesn't keep them.
    pub owner: Option<(u32, u32)>,
    /// Size of a file in bytes.
    pub size: u64,
    /// SHA-256 of a file's content or a link's target.
    pub digest: [u8; 32],
}

/// Everything below a directory, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree(pub BTreeMap<PathBuf, Entry>);

impl Tree {
    /// Reads the root file system of a disk: through a read-only loop mount where that is
    /// possible, else with debugfs. `scratch` is a directory for either.
    ///
    /// # Errors
    /// If neither works or a file can't be read.
    pub fn of_disk(disk: &NodeDisk, scratch: &Path) -> anyhow::Result<Self> {
        let place = scratch.join("mounted");
        // A journal that needs recovery is recovered by nobody here: the disk has to be clean.
        let tree = if let Ok(mount) = disk.mount_root(&place, "ro,noload") {
            let tree = Self::of_directory(&place, true)?;
            mount.unmount()?;
            tree
        } else {
            let dump = format!("rdump / {}", place.display());
            stdout(tool("debugfs").args(["-R", &dump]).arg(disk.root_for_e2fsprogs()))?;
            Self::of_directory(&place, false)?
        };
        fs::remove_dir_all(&place)?;
        Ok(tree)
    }

    fn of_directory(top: &Path, with_owner: bool) -> anyhow::Result<Self> {
        let mut tree = BTreeMap::new();
        let mut pending = vec![top.to_owned()];
        while let Some(path) = pending.pop() {
            let metadata = fs::symlink_metadata(&path)?;
            let mut digest = Sha256::new();
            let mut size = 0;
            if metadata.is_dir() {
                for entry in fs::read_dir(&path)? {
                    pending.push(entry?.path());
                }
            } else if metadata.is_symlink() {
                digest.update(fs::read_link(&path)?.as_os_str().as_encoded_bytes());
            } else if metadata.is_file() {
                let mut file = File::open(&path).with_context(|| path.display().to_string())?;
                size = io::copy(&mut file, &mut DigestWriter(&mut digest))?;
            }
            let entry = Entry {
                mode: metadata.mode(),
                owner: with_owner.then(|| (metadata.uid(), metadata.gid())),
                size,
                digest: digest.finalize().into(),
            };
            tree.insert(path.strip_prefix(top)?.to_owned(), entry);
        }
        Ok(Self(tree))
    }

    /// The paths that are not the same in both.
    pub fn differences(&self, other: &Self) -> Vec<PathBuf> {
        let paths = self.0.keys().chain(other.0.keys());
        let mut different: Vec<_> =
            paths.filter(|path| self.0.get(*path) != other.0.get(*path)).cloned().collect();
        different.sort_unstable();
        different.dedup();
        different
    }
}

struct DigestWriter<'a>(&'a mut Sha256);

impl io::Write for DigestWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
