//! Digesting data that come as a stream, by hash blocks (docs/format.md, "Hash blocks").

use super::cut::HashBlockSize;
use super::{ChunkNumber, Entry, Signature};
use crate::digest::{HashType, Hasher};
use crate::error::Result;
use crate::sector::{Bytes, Sector, SectorRange};

/// Makes a signature of data that come in ascending runs.
///
/// A run that begins where the one before ended goes on in the same entry, up to the end of the
/// hash block, unless [`Digester::finish_entry`] comes between.
pub struct Digester {
    signature: Signature,
    open: Option<OpenEntry>,
}

/// An entry that more data may belong to.
struct OpenEntry {
    range: SectorRange,
    chunk: ChunkNumber,
    hasher: Hasher,
}

impl Digester {
    /// A digester that has seen nothing.
    pub const fn new(hash_type: HashType, block: HashBlockSize) -> Self {
        Self { signature: Signature::new(hash_type, block), open: None }
    }

    /// Takes in the whole sectors of `data`, which begin at `start` and are in chunk `chunk`.
    ///
    /// # Errors
    /// As [`Signature::push`].
    pub fn add(&mut self, chunk: u32, mut start: Sector, mut data: &[u8]) -> Result<()> {
        while !data.is_empty() {
            let block_end = self.signature.block().end_of(start);
            let room = usize::try_from(block_end.since(start).to_bytes().get());
            let (part, rest) =
                data.split_at_checked(room.unwrap_or(usize::MAX)).unwrap_or((data, &[]));
            let len = Bytes(u64::try_from(part.len()).unwrap_or_default()).whole_sectors();
            let end = start.saturating_add(len);
            self.add_part(chunk, SectorRange::new(start, end).unwrap_or(SectorRange::EMPTY), part)?;
            if end == block_end {
                self.finish_entry()?;
            }
            (start, data) = (end, rest);
        }
        Ok(())
    }

    /// Takes in data that are all inside one hash block.
    fn add_part(&mut self, chunk: u32, range: SectorRange, data: &[u8]) -> Result<()> {
        if self.open.as_ref().is_some_and(|open| open.range.end() != range.start()) {
            self.finish_entry()?;
        }
        let hash_type = self.signature.hash_type();
        let open = self.open.get_or_insert_with(|| OpenEntry {
            range,
            chunk: ChunkNumber::new(chunk, false),
            hasher: Hasher::new(hash_type),
        });
        open.range = SectorRange::new(open.range.start(), range.end()).unwrap_or(open.range);
        open.chunk = ChunkNumber::new(open.chunk.number(), open.chunk.number() != chunk);
        open.hasher.update(data);
        Ok(())
    }

    /// Ends the entry that is being made: data that follow begin another.
    ///
    /// # Errors
    /// As [`Signature::push`].
    pub fn finish_entry(&mut self) -> Result<()> {
        self.open.take().map_or(Ok(()), |open| {
            let OpenEntry { range, chunk, hasher } = open;
            self.signature.push(Entry { range, chunk, digest: hasher.finish() })
        })
    }

    /// The signature of everything taken in.
    ///
    /// # Errors
    /// As [`Signature::push`].
    pub fn finish(mut self) -> Result<Signature> {
        self.finish_entry()?;
        Ok(self.signature)
    }

    /// Goes on where another digester stopped, whose data come after all of this one's and don't
    /// go on in its open entry. The other one is empty afterwards.
    ///
    /// # Errors
    /// As [`Signature::push`].
    pub(crate) fn append(&mut self, other: &mut Self) -> Result<()> {
        if other.signature.is_empty() && other.open.is_none() {
            return Ok(());
        }
        self.finish_entry()?;
        self.signature.append(&mut other.signature)?;
        self.open = other.open.take();
        Ok(())
    }
}
