//! What a path leads to, as the system would find it with the file system as `/`.

use std::collections::VecDeque;

use anyhow::{Context, bail, ensure};
use imagezip_core::filesystem::ext::files::FileKind;

use super::text::escape;
use super::volume::{Node, Volume};
use super::walk::join;

/// The most symbolic links on a way, as in Linux.
const MAX_LINKS: usize = 40;

/// A file, and where it was found.
pub(super) struct Found {
    pub(super) node: Node,
    /// Its path without links.
    pub(super) path: Vec<u8>,
}

/// Follows `path` from the root of a file system. Links lead to places inside of it, also if they
/// are absolute. A link at the end is followed if `follow` says so or a slash comes after it.
///
/// # Errors
/// If nothing is there, or the way can't be read.
pub(super) fn find(volume: &Volume<'_>, path: &[u8], follow: bool) -> anyhow::Result<Found> {
    find_in(volume, path, follow).with_context(|| escape(path))
}

fn find_in(volume: &Volume<'_>, path: &[u8], follow: bool) -> anyhow::Result<Found> {
    let root = Found { node: volume.root()?, path: b"/".to_vec() };
    let mut way: Vec<Found> = Vec::new();
    let mut left: VecDeque<Vec<u8>> = parts(path).collect();
    let mut links = 0;
    while let Some(name) = left.pop_front() {
        let here = way.last().unwrap_or(&root);
        let must_be_directory = || {
            let directory = here.node.kind() == FileKind::Directory;
            ensure!(directory, "{} is no directory", escape(&here.path));
            Ok(())
        };
        match name.as_slice() {
            // Also what comes after a slash at the end.
            b"" | b"." => must_be_directory()?,
            b".." => {
                must_be_directory()?;
                way.pop();
            }
            name => {
                must_be_directory()?;
                let child = volume.child(&here.node, name)?;
                let path = join(&here.path, name);
                let Some(child) = child else {
                    // Its name comes before this, unless it is only on the way.
                    ensure!(!left.is_empty() || links > 0, "no such file");
                    bail!("no such file: {}", escape(&path));
                };
                let node = volume.node(&child).with_context(|| escape(&path))?;
                if node.kind() == FileKind::Symlink && (follow || !left.is_empty()) {
                    links += 1;
                    ensure!(links <= MAX_LINKS, "too many symbolic links on the way");
                    let target = volume.link_target(&node).with_context(|| escape(&path))?;
                    if target.starts_with(b"/") {
                        way.clear();
                    }
                    for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
                        left.push_front(part);
                    }
                } else {
                    way.push(Found { node, path: join(&here.path, &child.name) });
                }
            }
        }
    }
    Ok(way.pop().unwrap_or(root))
}

/// The names of a path; the last one is empty if it ends with a slash.
fn parts(path: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    path.split(|byte| *byte == b'/').map(<[u8]>::to_vec)
}
