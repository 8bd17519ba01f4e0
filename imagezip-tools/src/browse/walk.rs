//! Going through trees of directories that may be hostile.

use std::collections::HashSet;

use anyhow::ensure;
use imagezip_core::error::{ErrorKind, Limit};

use super::text::escape;
use super::volume::{MAX_CHILDREN, Node};

/// How deep directories may lie: paths of 4096 bytes are the longest that Linux takes.
const MAX_DEPTH: usize = 1024;

/// What keeps a walk from going on for ever.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// The directories that were entered.
    seen: HashSet<u64>,
    depth: usize,
    /// The entries of all directories that the walk is in.
    held: usize,
}

impl Walk {
    /// Enters a directory with so many entries, which is known as `path`.
    ///
    /// # Errors
    /// If it lies too deep or was entered before, or there would be too much to remember.
    pub(super) fn enter(
        &mut self,
        directory: &Node,
        entries: usize,
        path: &[u8],
    ) -> anyhow::Result<()> {
        let name = || escape(path);
        ensure!(self.depth < MAX_DEPTH, "{}: lies too deep: it is not entered", name());
        let new = self.seen.insert(directory.directory_id());
        ensure!(new, "{}: is in the tree twice: it is not entered again", name());
        let held = self.held.saturating_add(entries);
        if held > 2 * MAX_CHILDREN {
            let error =
                anyhow::Error::new(imagezip_core::Error::from(ErrorKind::TooLarge(Limit::Memory)));
            return Err(error.context(name()));
        }
        self.held = held;
        self.depth += 1;
        Ok(())
    }

    /// Leaves a directory with so many entries, which was entered last.
    pub(super) fn leave(&mut self, entries: usize) {
        self.held = self.held.saturating_sub(entries);
        self.depth = self.depth.saturating_sub(1);
    }
}

/// The path of an entry of the directory at `directory`.
pub(super) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = directory.to_vec();
    if !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}
