//! Tree blocks: leaves with items, and nodes with pointers to other blocks.

use alloc::vec::Vec;

use crate::layout::Layout;

use super::key::{KEY_BYTES, Key};
use super::superblock::Superblock;

/// The bytes before the items or pointers.
const HEADER: usize = 101;
/// A key, where the data begin after the header, and their length.
const ITEM: usize = KEY_BYTES + 8;
/// A key, where the block lies, and its generation.
const POINTER: usize = KEY_BYTES + 16;

/// The highest level that a tree can have is one less.
pub(super) const LEVELS: u8 = 8;

/// A pointer to a block: what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pointer {
    /// Its logical address in bytes.
    pub(super) logical: u64,
    pub(super) generation: u64,
    pub(super) level: u8,
    /// The tree.
    pub(super) owner: u64,
    /// Its first key, unless it is a root.
    pub(super) first: Option<Key>,
    /// All its keys come before this one.
    pub(super) below: Option<Key>,
}

impl Pointer {
    /// A pointer to the root of a tree that nothing else is known of.
    pub(super) const fn root(owner: u64) -> Self {
        Self { logical: 0, generation: 0, level: 0, owner, first: None, below: None }
    }
}

/// A block that is what the pointer to it says; its keys ascend and its items lie inside.
pub(super) struct Node {
    bytes: Vec<u8>,
    pointer: Pointer,
    count: usize,
}

impl Node {
    /// Takes over a block, if it is what `pointer` says.
    pub(super) fn new(bytes: Vec<u8>, pointer: Pointer, superblock: &Superblock) -> Option<Self> {
        let header = Layout::<HEADER>::new(&bytes)?;
        let is_right = superblock.checksum_type.is_right(&bytes)
            && header.array::<0x20, 16>() == superblock.fsid
            && header.u64::<0x30>() == pointer.logical
            && header.u64::<0x50>() == pointer.generation
            && header.u64::<0x58>() == pointer.owner
            && header.u8::<0x64>() == pointer.level
            && pointer.level < LEVELS;
        let count = usize::try_from(header.u32::<0x60>()).ok()?;
        let node = Self { bytes, pointer, count };
        (is_right && node.is_sound()).then_some(node)
    }

    fn is_sound(&self) -> bool {
        // Only a tree without items has a block without items.
        if self.count == 0 {
            return self.pointer.first.is_none() && self.is_leaf();
        }
        let fits =
            self.count.saturating_mul(self.step()) <= self.bytes.len().saturating_sub(HEADER);
        if !fits || self.pointer.first.is_some_and(|first| self.key(0) != Some(first)) {
            return false;
        }
        let mut before = None;
        for slot in 0..self.count {
            let key = self.key(slot);
            if key <= before || self.is_leaf() && self.data(slot).is_none() {
                return false;
            }
            before = key;
        }
        self.pointer.below.is_none() || before < self.pointer.below
    }

    pub(super) fn is_leaf(&self) -> bool {
        self.pointer.level == 0
    }

    /// The block's own address.
    pub(super) fn logical(&self) -> u64 {
        self.pointer.logical
    }

    fn step(&self) -> usize {
        if self.is_leaf() { ITEM } else { POINTER }
    }

    /// The entry in a slot.
    fn entry(&self, slot: usize) -> Option<&[u8]> {
        let start = slot.checked_mul(self.step())?.checked_add(HEADER)?;
        (slot < self.count).then(|| self.bytes.get(start..))?
    }

    /// The key in a slot; `None` behind the last.
    pub(super) fn key(&self, slot: usize) -> Option<Key> {
        Key::parse(self.entry(slot)?)
    }

    /// The data of the item in a slot of a leaf.
    pub(super) fn data(&self, slot: usize) -> Option<&[u8]> {
        let item = Layout::<ITEM>::new(self.entry(slot)?)?;
        let start = usize::try_from(item.u32::<17>()).ok()?;
        let len = usize::try_from(item.u32::<21>()).ok()?;
        let items = self.count.checked_mul(ITEM)?;
        let data = self.bytes.get(HEADER..)?.get(start..)?.get(..len)?;
        (start >= items).then_some(data)
    }

    /// The pointer in a slot of a node.
    pub(super) fn child(&self, slot: usize) -> Option<Pointer> {
        let entry = Layout::<POINTER>::new(self.entry(slot)?)?;
        Some(Pointer {
            logical: entry.u64::<17>(),
            generation: entry.u64::<25>(),
            level: self.pointer.level.checked_sub(1)?,
            owner: self.pointer.owner,
            first: Some(self.key(slot)?),
            below: self.key(slot.checked_add(1)?).or(self.pointer.below),
        })
    }

    /// The slot to begin with for the keys from `from` on: of a leaf the first one that is not
    /// before it, of a node the last one that may lead there.
    pub(super) fn seek(&self, from: Key) -> usize {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            // Both are at most the count.
            let middle = low.saturating_add(high) / 2;
            if self.key(middle) < Some(from) {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        if self.is_leaf() || self.key(low) == Some(from) { low } else { low.saturating_sub(1) }
    }
}
