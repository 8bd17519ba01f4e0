//! File handles: which path a handle stands for.
//!
//! A handle is the inode number of a file in the exported directory. Unlike a path it stays the
//! same when the file is renamed. The table is the way back from an inode to a path; it lives as
//! long as the export, so handles survive a restart of the server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The table. Paths are relative to the export; the root's is empty.
#[derive(Debug)]
pub(super) struct Handles {
    root: u64,
    paths: BTreeMap<u64, PathBuf>,
}

impl Handles {
    pub(super) fn new(root: u64) -> Self {
        Self { root, paths: BTreeMap::from([(root, PathBuf::new())]) }
    }

    pub(super) fn root(&self) -> u64 {
        self.root
    }

    pub(super) fn path(&self, inode: u64) -> Option<&Path> {
        self.paths.get(&inode).map(PathBuf::as_path)
    }

    /// Notes where an inode was seen last.
    pub(super) fn insert(&mut self, inode: u64, path: PathBuf) {
        self.paths.insert(inode, path);
    }

    /// Forgets what was at `path`: it is removed or another file takes its place.
    pub(super) fn forget(&mut self, path: &Path) {
        self.paths.retain(|_, known| known != path);
    }

    /// Moves `from`, and all that is below it, to `to`, whose own file is gone.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) {
        if from == to {
            return;
        }
        self.forget(to);
        for known in self.paths.values_mut() {
            if let Ok(below) = known.strip_prefix(from) {
                // `join` with an empty path would add a slash.
                *known = if below.as_os_str().is_empty() { to.to_owned() } else { to.join(below) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renamed_file_keeps_its_handle() {
        let mut handles = Handles::new(2);
        handles.insert(10, "image.tmp".into());
        handles.insert(11, "image".into());
        handles.rename(Path::new("image.tmp"), Path::new("image"));
        assert_eq!(handles.path(10), Some(Path::new("image")));
        assert_eq!(handles.path(11), None);
        assert_eq!(handles.path(handles.root()), Some(Path::new("")));
    }

    #[test]
    fn a_renamed_directory_takes_its_content_along() {
        let mut handles = Handles::new(2);
        handles.insert(10, "a".into());
        handles.insert(11, "a/b".into());
        handles.insert(12, "ab".into());
        handles.rename(Path::new("a"), Path::new("c"));
        assert_eq!(handles.path(10), Some(Path::new("c")));
        assert_eq!(handles.path(11), Some(Path::new("c/b")));
        assert_eq!(handles.path(12), Some(Path::new("ab")));
        handles.forget(Path::new("c/b"));
        assert_eq!(handles.path(11), None);
    }
}
