//! What the extent tree says about a chunk.

use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Limit, Place, Result};
use crate::extent::ExtentSet;
use crate::layout::Layout;
use crate::sector::{Bytes, SectorRange};

use super::super::free_space::MAX_PIECES;
use super::chunk::Chunk;
use super::key::{Key, kind, owner};
use super::node::Pointer;
use super::tree::{Trees, Visitor, corrupt};

/// What of a chunk is in use.
pub(super) struct Extents {
    /// The extents, as logical sectors.
    pub(super) used: ExtentSet,
    /// How many bytes those are.
    pub(super) bytes: u64,
    /// Whether the block group says so, too.
    pub(super) is_confirmed: bool,
}

/// `len` bytes from a logical address on, as sectors.
pub(super) fn sectors(logical: u64, len: u64) -> Option<SectorRange> {
    let start = SectorRange::first(Bytes(logical).whole_sectors()).end();
    let end = SectorRange::first(Bytes(logical.checked_add(len)?).whole_sectors()).end();
    SectorRange::new(start, end)
}

/// The trees that tell what is in use.
pub(super) struct ExtentTrees {
    pub(super) extents: Pointer,
    /// Where block groups are, unless they are in the extent tree.
    groups: Option<Pointer>,
}

impl ExtentTrees {
    pub(super) fn find(trees: &mut Trees<'_>) -> Result<Self> {
        let has_groups = trees.superblock.has_block_group_tree;
        let groups = has_groups.then(|| trees.root(owner::BLOCK_GROUP)).transpose()?;
        Ok(Self { extents: trees.root(owner::EXTENT)?, groups })
    }

    /// Reads what is said about `chunk`, and about any logical addresses before the first chunk.
    ///
    /// # Errors
    /// `Corrupt` if extents overlap or lie in no chunk, `Incompatible` if there are items of unknown types, `TooLarge` if there
    /// are more extents than any real chunk has.
    pub(super) fn read(&self, trees: &mut Trees<'_>, chunk: &Chunk) -> Result<Extents> {
        let is_first = trees.chunks.as_slice().first() == Some(chunk);
        let mut walk = Walk {
            chunk: *chunk,
            node_size: u64::from(trees.superblock.node_size),
            sector_size: u64::from(trees.superblock.sector_size),
            at: chunk.start,
            used: ExtentSet::new(),
            bytes: 0,
            group: None,
            beyond: None,
        };
        let start = if is_first { 0 } else { chunk.start };
        trees.walk(self.extents, Key::new(start, 0, 0), &mut walk)?;
        if let Some(beyond) = walk.beyond.filter(|beyond| trees.chunks.find(*beyond, 1).is_none()) {
            return Err(corrupt(CorruptKind::AllocationMap, beyond));
        }
        if let Some(groups) = self.groups {
            let item = trees.find(groups, Key::new(chunk.start, kind::BLOCK_GROUP, 0))?;
            walk.group = item.and_then(|(key, data)| walk.group(key, &data));
        }
        let is_confirmed = walk.group == Some(walk.bytes);
        Ok(Extents { used: walk.used, bytes: walk.bytes, is_confirmed })
    }
}

struct Walk {
    chunk: Chunk,
    node_size: u64,
    sector_size: u64,
    /// No extent may begin before this address.
    at: u64,
    used: ExtentSet,
    bytes: u64,
    /// How many bytes are in use by the block group, if there is one.
    group: Option<u64>,
    /// The first address that is not in the chunk and has an item.
    beyond: Option<u64>,
}

impl Walk {
    /// The bytes in use of a block group, if it is this chunk's.
    fn group(&self, key: Key, data: &[u8]) -> Option<u64> {
        let item = Layout::<24>::new(data)?;
        let is_own = key.object == self.chunk.start
            && key.offset == self.chunk.len
            && item.u64::<16>() == self.chunk.flags;
        is_own.then(|| item.u64::<0>())
    }

    fn add(&mut self, start: u64, len: u64) -> Result<()> {
        let corrupt = || corrupt(CorruptKind::AllocationMap, start);
        let end = start.checked_add(len).ok_or_else(corrupt)?;
        let is_aligned = [start, len].iter().all(|bytes| bytes.is_multiple_of(self.sector_size));
        if start < self.at || end > self.chunk.end() || len == 0 || !is_aligned {
            return Err(corrupt());
        }
        self.at = end;
        self.bytes = self.bytes.saturating_add(len);
        self.used.push(sectors(start, len).ok_or_else(corrupt)?);
        if self.used.extent_count() > MAX_PIECES {
            return Err(ErrorKind::TooLarge(Limit::Metadata).into());
        }
        Ok(())
    }
}

impl Visitor for Walk {
    fn item(&mut self, key: Key, data: &[u8]) -> Result<bool> {
        if key.object >= self.chunk.end() {
            self.beyond = Some(key.object);
            return Ok(false);
        }
        match key.kind {
            kind::EXTENT => self.add(key.object, key.offset)?,
            kind::METADATA => self.add(key.object, self.node_size)?,
            kind::BLOCK_GROUP if key.object == self.chunk.start => {
                self.group = self.group(key, data);
            }
            kind if kind::REFERENCES.contains(&kind) && key.object >= self.chunk.start => {}
            kind::BLOCK_GROUP | 0..kind::EXTENT => {
                return Err(corrupt(CorruptKind::AllocationMap, key.object));
            }
            _ => {
                let place = Place::Byte(Bytes(key.object));
                return Err(ErrorKind::Incompatible(IncompatibleKind::Feature).at(place));
            }
        }
        Ok(true)
    }
}
