//! The signature of an image (docs/format.md, "Hash blocks").

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use super::{Workers, ordered};
use crate::codec::Decompressor;
use crate::device::ReadAt;
use crate::digest::HashType;
use crate::error::{ErrorKind, Limit, Result};
use crate::extent::ExtentSet;
use crate::ndz::{Chunk, ChunkBuffer, Image, RelocType};
use crate::sector::{Sector, SectorRange};
use crate::signature::{Digester, HashBlockSize, Signature};

/// What happens to data that go on in the next chunk inside a hash block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Joining {
    /// One entry: the signature doesn't depend on how the image was divided into chunks. The
    /// reference's `imagezip -U` and `imagehash -X` make such signatures.
    #[default]
    Blocks,
    /// One entry for each chunk's part, as plain `imagehash` does.
    Chunks,
}

/// How to make a signature of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hashing {
    /// The type of digest.
    pub hash_type: HashType,
    /// The size of hash blocks.
    pub block: HashBlockSize,
    /// Whether entries go on in the next chunk.
    pub joining: Joining,
    /// Leaves out the hash blocks that have [`relocated_sectors`].
    pub skip_relocated: bool,
}

/// Makes the signature of an image from its data, whose number of bytes is added to `done` as
/// they are hashed.
///
/// # Errors
/// As [`Image::headers`], [`Image::chunk`], `Chunk::decode`; `Memory`.
pub fn hash_image<D: ReadAt + ?Sized>(
    workers: &dyn Workers,
    image: &Image<'_, D>,
    how: Hashing,
    done: &AtomicU64,
) -> Result<Signature> {
    // All headers are read in any case: the chunks have to fit together.
    let relocated = relocated_sectors(image)?;
    let mut numbers = 0..image.chunk_count();
    let slots = (0..workers.count().saturating_mul(2)).map(|_| Slot::new(how)).collect();
    let mut whole = Digester::new(how.hash_type, how.block);
    ordered(
        workers,
        slots,
        || Ok(numbers.next()),
        |number, slot: &mut Slot| slot.hash(image, number, done),
        |slot| {
            whole.add(slot.number, slot.head.range.start(), &slot.head.bytes)?;
            whole.append(&mut slot.rest)
        },
    )?;
    let signature = whole.finish()?;
    if how.skip_relocated { signature.without(&relocated) } else { Ok(signature) }
}

/// The sectors in which relocations have bytes: those that a disk may hold with other content than
/// the image that was loaded on it.
///
/// # Errors
/// As [`Image::headers`].
pub fn relocated_sectors<D: ReadAt + ?Sized>(image: &Image<'_, D>) -> Result<ExtentSet> {
    let mut ranges = Vec::new();
    image.headers(&mut |header| {
        let relocs = header.relocs().filter(|reloc| reloc.kind != RelocType::NONE);
        ranges.extend(relocs.map(|reloc| reloc.sectors()));
        Ok(())
    })?;
    Ok(ExtentSet::from_unsorted(ranges))
}

/// The buffers for one chunk and what was made of it.
struct Slot {
    how: Hashing,
    buffer: ChunkBuffer,
    scratch: Decompressor,
    number: u32,
    head: Head,
    rest: Digester,
}

/// The data at the start of a chunk that may belong to an entry of the chunk before. They can
/// only be hashed after that one's.
struct Head {
    range: SectorRange,
    bytes: Vec<u8>,
}

impl Slot {
    fn new(how: Hashing) -> Self {
        Self {
            how,
            buffer: ChunkBuffer::new(),
            scratch: Decompressor::new(),
            number: 0,
            head: Head { range: SectorRange::EMPTY, bytes: Vec::new() },
            rest: Digester::new(how.hash_type, how.block),
        }
    }

    fn hash<D: ReadAt + ?Sized>(
        &mut self,
        image: &Image<'_, D>,
        number: u32,
        done: &AtomicU64,
    ) -> Result<()> {
        let chunk = image.chunk(number, &mut self.buffer)?;
        self.number = number;
        self.head.range = head_of(&chunk, self.how);
        self.head.bytes.clear();
        let (head, rest) = (&mut self.head, &mut self.rest);
        chunk.decode(&mut self.scratch, &mut |start, data| {
            let data = head.take(start, data)?;
            rest.add(number, start.max(head.range.end()), data)
        })?;
        if self.how.joining == Joining::Chunks {
            self.rest.finish_entry()?;
        }
        done.fetch_add(chunk.header().sector_count().to_bytes().get(), Ordering::Relaxed);
        Ok(())
    }
}

/// What of a chunk may go on in an entry of the chunk before: the rest of a hash block.
fn head_of(chunk: &Chunk<'_>, how: Hashing) -> SectorRange {
    let first = match how.joining {
        Joining::Blocks => chunk.regions().next(),
        Joining::Chunks => None,
    };
    let first = first.filter(|first| how.block.around(*first).start() != first.start());
    first.map_or(SectorRange::EMPTY, |first| first.split_at(how.block.end_of(first.start())).0)
}

impl Head {
    /// Keeps what of `data`, which begin at `start`, is in the head, and returns the rest.
    fn take<'d>(&mut self, start: Sector, data: &'d [u8]) -> Result<&'d [u8]> {
        let len = usize::try_from(self.range.end().since(start).to_bytes().get());
        let (mine, rest) = data.split_at_checked(len.unwrap_or(usize::MAX)).unwrap_or((data, &[]));
        let memory = |_| ErrorKind::TooLarge(Limit::Memory);
        self.bytes.try_reserve(mine.len()).map_err(memory)?;
        self.bytes.extend_from_slice(mine);
        Ok(rest)
    }
}
