//! The B-tree of a group's free extents, by block.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, Limit, Place, Result};
use crate::extent::ExtentSet;
use crate::layout::Layout;
use crate::sector::{Bytes, SECTOR_BYTES};

use super::superblock::{Superblock, is_patched, is_summed};
use crate::filesystem::free_space::MAX_PIECES;

/// The most levels of a B-tree in a group.
pub(super) const MOST_LEVELS: u32 = 9;

/// The marks of its blocks: `ABTB` in version 4, `AB3B` in version 5.
pub(super) const MAGIC_V4: u32 = 0x4142_5442;
pub(super) const MAGIC_V5: u32 = 0x4142_3342;

/// The sizes of the header, in bytes, and where the checksum is in version 5.
const HEADER_V4: usize = 16;
const HEADER_V5: usize = 56;
const CHECKSUM_AT: usize = 52;

/// No block.
const NONE: u32 = u32::MAX;

/// Whose tree it is.
pub(super) struct Tree<'a> {
    pub(super) device: &'a dyn ReadAt,
    pub(super) superblock: &'a Superblock,
    /// The sectors whose checksums are not known.
    pub(super) patched: &'a ExtentSet,
    /// The group.
    pub(super) ag: u32,
}

/// What a tree holds, counted from the start of its group.
#[derive(Default)]
pub(super) struct Contents {
    /// The free extents, in ascending order.
    pub(super) free: Vec<Range<u32>>,
    /// The blocks of the tree itself.
    pub(super) blocks: Vec<Range<u32>>,
}

/// Reads a tree of so many levels, at most [`MOST_LEVELS`].
///
/// Each leaf has at least an extent behind those of the leaves before, so the number of blocks
/// is bounded by the group's.
///
/// # Errors
/// `Corrupt` if it contradicts itself or the shape of its group, `TooLarge` if it has too many extents.
pub(super) fn read(tree: &Tree<'_>, root: u32, levels: u32) -> Result<Contents> {
    let mut walk = Walk {
        tree,
        next: vec![Next { this: root, left: NONE }; usize::try_from(levels).unwrap_or(0)],
        contents: Contents::default(),
    };
    let level = levels.saturating_sub(1);
    walk.visit(Child { block: root, level, first: None, is_root: true })?;
    if walk.next.iter().any(|next| next.this != NONE) {
        return Err(walk.wrong(root));
    }
    Ok(walk.contents)
}

/// The block of a level that comes next, and the one before that.
#[derive(Clone, Copy)]
struct Next {
    this: u32,
    left: u32,
}

struct Walk<'a> {
    tree: &'a Tree<'a>,
    /// For each level.
    next: Vec<Next>,
    contents: Contents,
}

/// A block and what the one above says about it.
#[derive(Clone, Copy)]
struct Child {
    block: u32,
    level: u32,
    /// Where the first extent in it or below begins.
    first: Option<u32>,
    is_root: bool,
}

impl Walk<'_> {
    fn at(&self, block: u32) -> Bytes {
        self.tree.superblock.geometry.position(self.tree.ag, block)
    }

    fn wrong(&self, block: u32) -> crate::Error {
        ErrorKind::Corrupt(CorruptKind::AllocationMap).at(Place::Byte(self.at(block)))
    }

    fn visit(&mut self, child: Child) -> Result<()> {
        let number = child.block;
        let (block, header) = self.load(number)?;
        let view = Layout::<HEADER_V4>::new(&block).ok_or_else(|| self.wrong(number))?;
        let (level, count) = (view.be16::<4>(), usize::from(view.be16::<6>()));
        let (left, right) = (view.be32::<8>(), view.be32::<12>());
        let index = usize::try_from(child.level).unwrap_or(usize::MAX);
        let wrong = self.wrong(number);
        let Some(next) = self.next.get_mut(index) else { return Err(wrong) };
        // The first one of a level has not been announced by a sibling.
        let announced = next.left == NONE || next.this == number;
        if u32::from(level) != child.level || left != next.left || !announced {
            return Err(wrong);
        }
        *next = Next { this: right, left: number };
        self.contents.blocks.push(number..number.saturating_add(1));
        let body = block.get(header..).unwrap_or_default();
        let sound = if level == 0 {
            (count > 0 || child.is_root) && self.leaf(body, count, child.first)
        } else {
            self.node(body, count, child)?
        };
        if self.contents.free.len() > MAX_PIECES {
            return Err(ErrorKind::TooLarge(Limit::Metadata).at(wrong.place));
        }
        if sound { Ok(()) } else { Err(wrong) }
    }

    /// Reads a block and checks that it is one of this tree. Returns the size of its header, too.
    fn load(&self, number: u32) -> Result<(Vec<u8>, usize)> {
        let Tree { device, superblock, patched, ag } = *self.tree;
        let geometry = &superblock.geometry;
        if !(geometry.header_blocks()..geometry.ag_len(ag)).contains(&number) {
            return Err(self.wrong(number));
        }
        let at = self.at(number);
        let mut block = vec![0; geometry.block_len()];
        device.read_at(at, &mut block)?;
        let magic = Layout::<4>::new(&block).map(Layout::be32::<0>);
        if !superblock.checksums {
            let is_right = magic == Some(MAGIC_V4);
            return if is_right { Ok((block, HEADER_V4)) } else { Err(self.wrong(number)) };
        }
        let header = Layout::<HEADER_V5>::new(&block).filter(|_| magic == Some(MAGIC_V5));
        let header = header.ok_or_else(|| self.wrong(number))?;
        if !is_patched(patched, at, block.len()) && !is_summed(&block, CHECKSUM_AT) {
            return Err(ErrorKind::Corrupt(CorruptKind::MetadataChecksum).at(Place::Byte(at)));
        }
        let is_own = header.be64::<16>() == at.get() / SECTOR_BYTES
            && header.array::<32, 16>() == superblock.meta_uuid
            && header.be32::<48>() == ag;
        if is_own { Ok((block, HEADER_V5)) } else { Err(self.wrong(number)) }
    }

    /// Takes over the extents of a leaf; whether all is well with them.
    fn leaf(&mut self, body: &[u8], count: usize, first: Option<u32>) -> bool {
        let geometry = &self.tree.superblock.geometry;
        let end = geometry.ag_len(self.tree.ag);
        let mut next = self.contents.free.last().map_or(geometry.header_blocks(), |last| last.end);
        if count > body.len() / 8 {
            return false;
        }
        for (index, record) in body.chunks_exact(8).take(count).enumerate() {
            let Some(record) = Layout::<8>::new(record) else { return false };
            let (start, len) = (record.be32::<0>(), record.be32::<4>());
            let Some(after) = start.checked_add(len).filter(|after| *after <= end) else {
                return false;
            };
            let expected = index > 0 || first.is_none_or(|first| first == start);
            if len == 0 || start < next || !expected {
                return false;
            }
            self.contents.free.push(start..after);
            next = after;
        }
        true
    }

    /// Visits what is below a node; whether all is well with its keys.
    fn node(&mut self, body: &[u8], count: usize, node: Child) -> Result<bool> {
        // Keys of 8 bytes come first, as many as there is room for with their pointers.
        let most = body.len() / 12;
        if count == 0 || count > most {
            return Ok(false);
        }
        let (keys, pointers) = body.split_at_checked(most.saturating_mul(8)).unwrap_or_default();
        let number = |bytes: &[u8]| Layout::<4>::new(bytes).map(Layout::be32::<0>);
        let level = node.level.saturating_sub(1);
        let pairs = keys.chunks_exact(8).zip(pointers.chunks_exact(4)).take(count);
        for (index, (key, pointer)) in pairs.enumerate() {
            let (Some(first), Some(block)) = (number(key), number(pointer)) else {
                return Ok(false);
            };
            if index == 0 && node.first.is_some_and(|expected| expected != first) {
                return Ok(false);
            }
            self.visit(Child { block, level, first: Some(first), is_root: false })?;
        }
        Ok(true)
    }
}
