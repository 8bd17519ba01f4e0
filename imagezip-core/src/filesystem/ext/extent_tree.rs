//! Trees of extents: how ext4 tells where a file's blocks lie.

use crate::error::Result;
use crate::layout::Layout;

use super::inode::{Extent, Places, Source};

const MAGIC: u16 = 0xf30a;
/// The most levels below the root: more are not needed for any file.
const MAX_DEPTH: u16 = 5;
/// The size of the header and of every entry, in bytes.
const ENTRY: usize = 12;

/// The header of a node.
///
/// Offsets here and below: Linux, Documentation/filesystems/ext4, "Extent Tree".
struct Header<'a>(Layout<'a, ENTRY>);

#[rustfmt::skip]
impl Header<'_> {
    fn magic(&self) -> u16 { self.0.u16::<0x0>() }
    fn entries(&self) -> u16 { self.0.u16::<0x2>() }
    fn max_entries(&self) -> u16 { self.0.u16::<0x4>() }
    fn depth(&self) -> u16 { self.0.u16::<0x6>() }
}

/// An entry of a leaf: blocks of the file.
struct Leaf<'a>(Layout<'a, ENTRY>);

impl Leaf<'_> {
    fn logical(&self) -> u64 {
        self.0.u32::<0x0>().into()
    }

    /// How many blocks, and whether they were written.
    fn len(&self) -> (u64, bool) {
        // Longer ones stand for blocks that were reserved but not written.
        let len = u64::from(self.0.u16::<0x4>());
        match len.checked_sub(0x8000).filter(|rest| *rest > 0) {
            Some(rest) => (rest, false),
            None => (len, true),
        }
    }

    fn physical(&self) -> u64 {
        u64::from(self.0.u16::<0x6>()) << 32 | u64::from(self.0.u32::<0x8>())
    }
}

/// An entry of another node: a node one level below.
struct Index<'a>(Layout<'a, ENTRY>);

impl Index<'_> {
    fn child(&self) -> u64 {
        u64::from(self.0.u16::<0x8>()) << 32 | u64::from(self.0.u32::<0x4>())
    }
}

/// Whether `node` bears the mark of a node.
pub(super) fn has_magic(node: &[u8]) -> bool {
    Layout::new(node).is_some_and(|layout| Header(layout).magic() == MAGIC)
}

/// Tells `places` of the extents below the root `root`.
pub(super) fn walk(source: Source<'_>, root: &[u8], places: &mut dyn Places) -> Result<()> {
    let header = Header(Layout::new(root).ok_or_else(|| source.damaged())?);
    let depth = header.depth();
    if depth > MAX_DEPTH {
        return Err(source.damaged());
    }
    // Of a file without blocks.
    if header.magic() == MAGIC && depth == 0 && header.entries() == 0 {
        return Ok(());
    }
    node(source, root, depth, places)
}

/// Tells of the extents below a node at height `depth`.
///
/// This ends: the height falls with each level, and every leaf must tell of blocks after those
/// before, or is the last.
fn node(source: Source<'_>, bytes: &[u8], depth: u16, places: &mut dyn Places) -> Result<()> {
    let damaged = || source.damaged();
    let header = Header(Layout::new(bytes).ok_or_else(damaged)?);
    let entries = usize::from(header.entries());
    if header.magic() != MAGIC || header.depth() != depth || entries == 0 {
        return Err(damaged());
    }
    for number in 1..=entries {
        let Some(next) = places.missing() else { return Ok(()) };
        let at = number.saturating_mul(ENTRY);
        let entry = Layout::at(bytes, at).ok_or_else(damaged)?;
        let Some(below) = depth.checked_sub(1) else {
            let leaf = Leaf(entry);
            let (logical, physical) = (leaf.logical(), leaf.physical());
            let (len, written) = leaf.len();
            if len == 0 || logical < next {
                return Err(damaged());
            }
            places.append(source, Extent { logical, physical, len, written })?;
            continue;
        };
        places.descend()?;
        let child = source.read(Index(entry).child())?;
        if !checksum_is_right(source, &child) {
            return Err(damaged());
        }
        node(source, &child, below, places)?;
    }
    Ok(())
}

fn checksum_is_right(source: Source<'_>, node: &[u8]) -> bool {
    let Some(seed) = source.seed.filter(|_| source.superblock.features.metadata_checksums()) else {
        return true;
    };
    let stored_behind = |header: Header<'_>| {
        let end = usize::from(header.max_entries()).saturating_add(1).saturating_mul(ENTRY);
        let stored = Layout::<4>::at(node, end)?.u32::<0>();
        Some(seed.add(node.get(..end)?).get() == stored)
    };
    Layout::new(node).map(Header).and_then(stored_behind).unwrap_or(false)
}
