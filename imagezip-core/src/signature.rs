//! Signatures: digests of what an image holds (docs/format.md, "Signature file").
//!
//! A signature has an entry for each hash block of an image, or for each part of a block where
//! only parts of it are in the image. Comparing a disk with it tells what changed since.

mod cut;
mod entry;
mod header;
mod image;
mod reader;
mod writer;

#[cfg(test)]
mod tests;

pub use cut::{Cuts, HashBlockSize, cut};
pub use entry::{ChunkNumber, Entry};
pub use image::{Joining, of_image};

use alloc::vec::Vec;

use crate::digest::{Digest, HashType};
use crate::error::{CorruptKind, ErrorKind, Limit, Place, Result};
use crate::ndz::ChunkMap;
use crate::sector::{Sector, SectorRange};
use entry::StoredEntry;

/// A signature: entries in ascending order that don't overlap, each inside one hash block.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    hash_type: HashType,
    block: HashBlockSize,
    entries: Vec<StoredEntry>,
}

impl Signature {
    /// A signature without entries.
    pub const fn new(hash_type: HashType, block: HashBlockSize) -> Self {
        Self { hash_type, block, entries: Vec::new() }
    }

    /// Adds an entry at the end.
    ///
    /// # Errors
    /// `SignatureOrder` if it begins before the last one's end; `SignatureBlock` if it is empty or
    /// not inside one hash block; `HashType` if its digest is of another type; `Sector32` or
    /// `Memory`.
    pub fn push(&mut self, entry: Entry) -> Result<()> {
        let number = u64::try_from(self.entries.len()).unwrap_or(u64::MAX);
        let error = |kind: ErrorKind| kind.at(Place::Entry(number));
        if self.end().is_some_and(|end| entry.range.start() < end) {
            return Err(error(ErrorKind::Corrupt(CorruptKind::SignatureOrder)));
        }
        if cut(entry.range, self.block).next() != Some(entry.range) {
            return Err(error(ErrorKind::Corrupt(CorruptKind::SignatureBlock)));
        }
        let stored = StoredEntry::new(&entry, self.hash_type).map_err(error)?;
        self.entries.try_reserve(1).map_err(|_| error(ErrorKind::TooLarge(Limit::Memory)))?;
        self.entries.push(stored);
        Ok(())
    }

    /// The type of all digests.
    pub const fn hash_type(&self) -> HashType {
        self.hash_type
    }

    /// The size of hash blocks.
    pub const fn block(&self) -> HashBlockSize {
        self.block
    }

    /// The number of entries.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Entry `index`.
    pub fn get(&self, index: usize) -> Option<Entry> {
        self.entries.get(index).map(|stored| stored.entry(self.hash_type))
    }

    /// The entries in ascending order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Entry> + DoubleEndedIterator + Clone + '_ {
        self.entries.iter().map(|stored| stored.entry(self.hash_type))
    }

    /// The entries that have sectors in `range`, in ascending order. Found by bisection.
    pub fn entries_in(&self, range: SectorRange) -> impl Iterator<Item = Entry> + '_ {
        let first = self.entries.partition_point(|entry| entry.range().end() <= range.start());
        let rest = self.entries.get(first..).unwrap_or_default().iter();
        rest.take_while(move |entry| entry.range().start() < range.end())
            .map(|entry| entry.entry(self.hash_type))
    }

    /// Sets the chunk numbers to those of an image whose chunks describe what `map` says.
    pub fn number_chunks(&mut self, map: &ChunkMap) {
        self.entries.iter_mut().for_each(|entry| entry.number_chunks(map));
    }

    /// The sector after the last one that the signature covers; `None` if it covers none.
    pub fn end(&self) -> Option<Sector> {
        self.entries.last().map(|last| last.range().end())
    }

    /// The digest of the sectors of an entry, in this signature's type.
    pub fn digest(&self, bytes: &[u8]) -> Digest {
        self.hash_type.digest(bytes)
    }
}

impl core::fmt::Debug for Signature {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} of {} sectors ", self.hash_type, self.block.sectors())?;
        f.debug_list().entries(self.iter()).finish()
    }
}
