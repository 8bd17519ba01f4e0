//! The signature of an image (docs/format.md, "Hash blocks").

use super::cut::HashBlockSize;
use super::{ChunkNumber, Entry, Signature};
use crate::codec::Decompressor;
use crate::device::ReadAt;
use crate::digest::{HashType, Hasher};
use crate::error::Result;
use crate::ndz::Image;
use crate::sector::{Sector, SectorCount, SectorRange};

/// What happens to data that go on in the next chunk inside a hash block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// One entry: the signature doesn't depend on how the image was divided into chunks. The
    /// reference's `imagezip -U` and `imagehash -X` make such signatures.
    Blocks,
    /// One entry for each chunk's part, as plain `imagehash` does.
    Chunks,
}

/// Makes the signature of an image from its data.
///
/// # Errors
/// As [`Image::chunk`], `Chunk::decode` and [`Signature::push`].
pub fn of_image<D: ReadAt + ?Sized>(
    image: &Image<'_, D>,
    hash_type: HashType,
    block: HashBlockSize,
    joining: Joining,
) -> Result<Signature> {
    let mut scratch = Decompressor::new();
    let mut chunks = image.chunks();
    let mut digester = Digester { signature: Signature::new(hash_type, block), open: None };
    while let Some(chunk) = chunks.next_chunk()? {
        if joining == Joining::Chunks {
            digester.finish_entry()?;
        }
        let number = chunk.number();
        chunk.decode(&mut scratch, &mut |start, data| digester.add(number, start, data))?;
    }
    digester.finish_entry()?;
    Ok(digester.signature)
}

/// Digests data that come in ascending runs, by hash blocks.
struct Digester {
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
    /// Takes in the whole sectors of `data`, which begin at `start` and are in chunk `chunk`.
    fn add(&mut self, chunk: u32, mut start: Sector, mut data: &[u8]) -> Result<()> {
        while !data.is_empty() {
            let block_end = self.signature.block().end_of(start);
            let room = usize::try_from(block_end.since(start).to_bytes().get());
            let (part, rest) =
                data.split_at_checked(room.unwrap_or(usize::MAX)).unwrap_or((data, &[]));
            let len = u64::try_from(part.len())
                .map_or(SectorCount::ZERO, |len| crate::sector::Bytes(len).whole_sectors());
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

    fn finish_entry(&mut self) -> Result<()> {
        self.open.take().map_or(Ok(()), |open| {
            let OpenEntry { range, chunk, hasher } = open;
            self.signature.push(Entry { range, chunk, digest: hasher.finish() })
        })
    }
}
