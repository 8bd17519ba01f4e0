//! Walks through trees.

use alloc::vec;
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{CorruptKind, Error, ErrorKind, Limit, Place, Result};
use crate::layout::Layout;
use crate::sector::Bytes;

use super::chunk::Chunks;
use super::key::{Key, kind};
use super::node::{Node, Pointer};
use super::superblock::Superblock;

/// What a walk shows.
pub(super) trait Visitor {
    /// A block at this logical address belongs to the tree.
    fn block(&mut self, _logical: u64) -> Result<()> {
        Ok(())
    }

    /// An item. Returns whether to go on.
    fn item(&mut self, key: Key, data: &[u8]) -> Result<bool>;
}

/// A contradiction at a logical address.
pub(super) fn corrupt(kind: CorruptKind, logical: u64) -> Error {
    ErrorKind::Corrupt(kind).at(Place::Byte(Bytes(logical)))
}

/// The trees of a file system.
pub(super) struct Trees<'a> {
    device: &'a dyn ReadAt,
    pub(super) superblock: &'a Superblock,
    pub(super) chunks: Chunks,
    /// How many blocks may still be read. As many as the device has are more than any walk needs.
    left: u64,
    /// How many blocks were damaged in their first copy.
    pub(super) repaired: u32,
}

impl<'a> Trees<'a> {
    pub(super) fn new(device: &'a dyn ReadAt, superblock: &'a Superblock, chunks: Chunks) -> Self {
        let blocks = device.size().get().checked_div(u64::from(superblock.node_size)).unwrap_or(0);
        Self { device, superblock, chunks, left: blocks.saturating_add(1024), repaired: 0 }
    }

    /// Walks through a tree from the key `from` on, in order, with one block of each level in memory.
    ///
    /// # Errors
    /// `Corrupt` if a block that is met is not what the pointer to it says in any copy.
    pub(super) fn walk(
        &mut self,
        root: Pointer,
        from: Key,
        visitor: &mut dyn Visitor,
    ) -> Result<()> {
        let mut path = vec![self.step(root, from, visitor)?];
        while let Some((node, slot)) = path.last_mut() {
            let at = *slot;
            *slot = slot.saturating_add(1);
            let Some(key) = node.key(at) else {
                path.pop();
                continue;
            };
            if node.is_leaf() {
                if !visitor.item(key, node.data(at).unwrap_or_default())? {
                    break;
                }
            } else if let Some(child) = node.child(at) {
                path.push(self.step(child, from, visitor)?);
            }
        }
        Ok(())
    }

    /// The block that `pointer` points to, and its slot for the keys from `from` on.
    fn step(
        &mut self,
        pointer: Pointer,
        from: Key,
        visitor: &mut dyn Visitor,
    ) -> Result<(Node, usize)> {
        let node = self.read(pointer)?;
        visitor.block(node.logical())?;
        let slot = node.seek(from);
        if pointer.level == 1 {
            self.prefetch(&node, slot);
        }
        Ok((node, slot))
    }

    fn prefetch(&self, node: &Node, from: usize) {
        /// So many leaves hold the items of most chunks.
        const AHEAD: usize = 64;
        let size = u64::from(self.superblock.node_size);
        for child in (from..).map_while(|slot| node.child(slot)).take(AHEAD) {
            if let Some(position) = self.chunks.positions(child.logical, size).next() {
                self.device.will_need(Bytes(position), size);
            }
        }
    }

    /// Reads a block in its first copy that is right.
    fn read(&mut self, pointer: Pointer) -> Result<Node> {
        self.left = self.left.checked_sub(1).ok_or(ErrorKind::TooLarge(Limit::Metadata))?;
        let size = self.superblock.node_size;
        let mut failed = None;
        for (position, copy) in self.chunks.positions(pointer.logical, u64::from(size)).zip(0..) {
            let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
            match self.device.read_at(Bytes(position), &mut bytes) {
                Err(error) => failed = Some(error),
                Ok(()) => {
                    if let Some(node) = Node::new(bytes, pointer, self.superblock) {
                        self.repaired = self.repaired.saturating_add(copy);
                        return Ok(node);
                    }
                }
            }
        }
        Err(failed.unwrap_or_else(|| corrupt(CorruptKind::Metadata, pointer.logical)))
    }

    /// The first item from a key on, if it has that key's object and type.
    pub(super) fn find(&mut self, root: Pointer, from: Key) -> Result<Option<(Key, Vec<u8>)>> {
        let mut first = First(None);
        self.walk(root, from, &mut first)?;
        Ok(first.0.filter(|(key, _)| (key.object, key.kind) == (from.object, from.kind)))
    }

    /// The root of the tree `owner`.
    pub(super) fn root(&mut self, owner: u64) -> Result<Pointer> {
        let from = Key::new(owner, kind::ROOT, 0);
        let item = self.find(self.superblock.root, from)?;
        item.and_then(|(_, data)| root(owner, &data))
            .ok_or_else(|| corrupt(CorruptKind::Metadata, self.superblock.root.logical))
    }
}

/// The pointer in a root item.
pub(super) fn root(owner: u64, data: &[u8]) -> Option<Pointer> {
    let item = Layout::<239>::new(data)?;
    let (generation, logical, level) = (item.u64::<160>(), item.u64::<176>(), item.u8::<238>());
    Some(Pointer { logical, generation, level, ..Pointer::root(owner) })
}

struct First(Option<(Key, Vec<u8>)>);

impl Visitor for First {
    fn item(&mut self, key: Key, data: &[u8]) -> Result<bool> {
        self.0 = Some((key, data.to_vec()));
        Ok(false)
    }
}
