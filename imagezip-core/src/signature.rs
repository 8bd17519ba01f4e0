//! Signatures: digests of what an image holds (docs/format.md, "Signature file").
//!
//! A signature has an entry for each hash block of an image, or for each part of a block where
//! only parts of it are in the image. Comparing a disk with it tells what changed since.

mod cut;
mod digester;
mod entry;
mod form;
mod header;
mod reader;
mod writer;

#[cfg(test)]
mod tests;

pub use cut::{Cuts, HashBlockSize, cut};
pub use digester::Digester;
pub use entry::{ChunkNumber, Entry, Remainder};
pub use header::Version;

use alloc::vec::Vec;

use crate::digest::{Digest, HashType};
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Limit, Place, Result};
use crate::extent::ExtentSet;
use crate::ndz::ChunkMap;
use crate::sector::{Sector, SectorRange};
use entry::Span;

/// A signature: entries in ascending order that don't overlap, each inside one hash block.
///
/// It takes 16 bytes and the digest's length for each entry: a disk of 2 TiB has 32 million.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    hash_type: HashType,
    block: HashBlockSize,
    spans: Vec<Span>,
    /// The digests of all entries, one after another.
    digests: Vec<u8>,
    remainder: Option<Remainder>,
}

impl Signature {
    /// A signature without entries.
    pub const fn new(hash_type: HashType, block: HashBlockSize) -> Self {
        Self { hash_type, block, spans: Vec::new(), digests: Vec::new(), remainder: None }
    }

    /// Adds an entry at the end.
    ///
    /// # Errors
    /// `SignatureOrder` if it begins before the last one's end; `SignatureBlock` if it is empty or
    /// not inside one hash block; `HashType` if its digest is of another type; `Memory`.
    pub fn push(&mut self, entry: Entry) -> Result<()> {
        let number = u64::try_from(self.spans.len()).unwrap_or(u64::MAX);
        let error = |kind: ErrorKind| kind.at(Place::Entry(number));
        if self.end().is_some_and(|end| entry.range.start() < end) || self.remainder.is_some() {
            return Err(error(ErrorKind::Corrupt(CorruptKind::SignatureOrder)));
        }
        if cut(entry.range, self.block).next() != Some(entry.range) {
            return Err(error(ErrorKind::Corrupt(CorruptKind::SignatureBlock)));
        }
        if entry.digest.hash_type() != self.hash_type {
            return Err(error(ErrorKind::Incompatible(IncompatibleKind::HashType)));
        }
        self.reserve(1).map_err(error)?;
        self.spans.push(Span::new(entry.range, entry.chunk));
        self.digests.extend_from_slice(entry.digest.as_bytes());
        Ok(())
    }

    /// Makes room for `count` more entries.
    fn reserve(&mut self, count: usize) -> core::result::Result<(), ErrorKind> {
        let bytes = count.saturating_mul(self.hash_type.digest_len());
        let spans = self.spans.try_reserve(count);
        let reserved = spans.and_then(|()| self.digests.try_reserve(bytes));
        reserved.map_err(|_| ErrorKind::TooLarge(Limit::Memory))
    }

    /// Sets what is said about the bytes after the last whole sector of a file.
    ///
    /// # Errors
    /// `SignatureOrder` if they begin before the last entry's end; `HashType` if their digest is
    /// of another type.
    pub fn set_remainder(&mut self, remainder: Remainder) -> Result<()> {
        if self.end().is_some_and(|end| remainder.start() < end) {
            return Err(ErrorKind::Corrupt(CorruptKind::SignatureOrder).into());
        }
        if remainder.digest().hash_type() != self.hash_type {
            return Err(ErrorKind::Incompatible(IncompatibleKind::HashType).into());
        }
        self.remainder = Some(remainder);
        Ok(())
    }

    /// What is said about the bytes after the last whole sector of a file. Only signatures of
    /// files that are no images have it.
    pub const fn remainder(&self) -> Option<Remainder> {
        self.remainder
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
        self.spans.len()
    }

    /// Whether there are no entries.
    pub const fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Entry `index`.
    pub fn get(&self, index: usize) -> Option<Entry> {
        let len = self.hash_type.digest_len();
        let digest = self.digests.get(index.checked_mul(len)?..)?;
        let digest = Digest::from_field(self.hash_type, digest)?;
        self.spans.get(index).map(|span| span.entry(digest))
    }

    /// The entries in ascending order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Entry> + Clone + '_ {
        let digests = self.digests.chunks_exact(self.hash_type.digest_len());
        self.spans.iter().zip(digests).filter_map(|(span, digest)| {
            Digest::from_field(self.hash_type, digest).map(|digest| span.entry(digest))
        })
    }

    /// The entries that have sectors in `range`, in ascending order. Found by bisection.
    pub fn entries_in(&self, range: SectorRange) -> impl Iterator<Item = Entry> + '_ {
        let first = self.spans.partition_point(|span| span.range().end() <= range.start());
        (first..)
            .map_while(|index| self.get(index))
            .take_while(move |entry| entry.range.start() < range.end())
    }

    /// Moves all entries of `other` to the end. It keeps its memory for other entries.
    ///
    /// # Errors
    /// As [`Signature::push`].
    pub(crate) fn append(&mut self, other: &mut Self) -> Result<()> {
        self.reserve(other.len())?;
        other.iter().try_for_each(|entry| self.push(entry))?;
        other.spans.clear();
        other.digests.clear();
        Ok(())
    }

    /// The signature without the entries of hash blocks that `blocks` has sectors of.
    ///
    /// # Errors
    /// `Memory`.
    pub fn without(&self, blocks: &ExtentSet) -> Result<Self> {
        self.only(|entry| blocks.within(self.block.around(entry.range)).next().is_none())
    }

    /// The signature's entries that `keep` says, without the remainder.
    ///
    /// # Errors
    /// `Memory`.
    pub fn only(&self, keep: impl Fn(&Entry) -> bool) -> Result<Self> {
        let mut kept = Self::new(self.hash_type, self.block);
        self.iter().filter(keep).try_for_each(|entry| kept.push(entry))?;
        Ok(kept)
    }

    /// Sets the chunk numbers to those of an image whose chunks describe what `map` says.
    pub fn number_chunks(&mut self, map: &ChunkMap) {
        self.spans.iter_mut().for_each(|span| span.number_chunks(map));
    }

    /// The sector after the last one that the signature covers; `None` if it covers none.
    pub fn end(&self) -> Option<Sector> {
        self.spans.last().map(|last| last.range().end())
    }

    /// The digest of the sectors of an entry, in this signature's type.
    pub fn digest(&self, bytes: &[u8]) -> Digest {
        self.hash_type.digest(bytes)
    }
}

impl core::fmt::Debug for Signature {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} of {} sectors ", self.hash_type, self.block.sectors())?;
        f.debug_list().entries(self.iter()).finish()?;
        self.remainder.map_or(Ok(()), |remainder| write!(f, " and {remainder:?}"))
    }
}
