//! A chunk that is being read.

use alloc::vec::Vec;

use super::AnyImage;
use super::cache::Key;
use super::kept::{KEPT, Kept};
use crate::codec::Decompressor;
use crate::error::{CorruptKind, ErrorKind, Result};
use crate::ndz::{ChunkBuffer, HEADER_BYTES};
use crate::sector::{Bytes, SectorRange};

/// A chunk with what was decoded of it. Data are decoded as far as they are asked for, or all at
/// once if all can be kept: then nothing comes of a chunk whose checksum is wrong.
#[derive(Default)]
pub(super) struct OpenChunk {
    /// Which chunk it is; `None` if none was read yet or the last one failed.
    key: Option<Key>,
    buffer: ChunkBuffer,
    payload_len: usize,
    regions: Vec<Region>,
    /// The length of all data.
    len: u64,
    decompressor: Decompressor,
    kept: Kept,
    /// All data that were ever decoded here.
    decoded: u64,
}

/// Sectors with where their bytes are in the chunk's data.
struct Region {
    range: SectorRange,
    data_start: u64,
}

impl OpenChunk {
    /// All data that were ever decoded here.
    pub(super) fn decoded(&self) -> u64 {
        self.decoded
    }

    /// Makes this the chunk `key` of `image`, unless it is that chunk already.
    pub(super) fn become_chunk(&mut self, key: Key, image: &AnyImage<'_>) -> Result<()> {
        if self.key == Some(key) {
            return Ok(());
        }
        self.key = None;
        let chunk = image.chunk(key.chunk, &mut self.buffer)?;
        self.payload_len = chunk.payload().len();
        self.regions.clear();
        self.len = 0;
        for range in chunk.regions() {
            self.regions.push(Region { range, data_start: self.len });
            self.len = self.len.saturating_add(range.len().to_bytes().get());
        }
        self.begin();
        self.key = Some(key);
        Ok(())
    }

    fn begin(&mut self) {
        self.decompressor.begin(self.len);
        self.kept.clear();
    }

    /// Reads bytes of the image from `at` on, at most to the end of the region there; how many.
    /// `at` must lie in a region.
    pub(super) fn read(&mut self, at: Bytes, buf: &mut [u8]) -> Result<usize> {
        let index = self.regions.partition_point(|region| region.range.end().to_bytes() <= at);
        let found = self.regions.get(index).and_then(|region| {
            let into = at.get().checked_sub(region.range.start().to_bytes().get())?;
            let left = region.range.end().to_bytes().get().checked_sub(at.get())?;
            Some((region.data_start.checked_add(into)?, left))
        });
        // The file can only have changed since its headers were read.
        let (from, left) = found.ok_or(ErrorKind::Corrupt(CorruptKind::RegionBounds))?;
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        let outcome = self.read_data(from, buf.get_mut(..len).unwrap_or_default());
        if outcome.is_err() {
            self.key = None;
        }
        outcome.map(|()| len)
    }

    /// Reads the chunk's data from byte `from` on.
    fn read_data(&mut self, mut from: u64, mut buf: &mut [u8]) -> Result<()> {
        let all_kept = u64::try_from(KEPT).is_ok_and(|kept| self.len <= kept);
        while !buf.is_empty() {
            if from < self.kept.range().start {
                self.begin();
            }
            let wanted = if all_kept { self.len } else { from.saturating_add(1) };
            while self.kept.range().end < wanted {
                self.decode_part()?;
            }
            let copied = self.kept.copy(from, buf);
            from = from.saturating_add(u64::try_from(copied).unwrap_or_default());
            buf = buf.get_mut(copied..).filter(|_| copied > 0).ok_or(ErrorKind::Truncated)?;
        }
        Ok(())
    }

    fn decode_part(&mut self) -> Result<()> {
        let payload = self.buffer.bytes().get(HEADER_BYTES..).unwrap_or_default();
        let payload = payload.get(..self.payload_len).unwrap_or_default();
        let data = self.decompressor.advance(payload)?;
        let data = data.ok_or(ErrorKind::Corrupt(CorruptKind::PayloadShort))?;
        self.decoded = self.decoded.saturating_add(u64::try_from(data.len()).unwrap_or_default());
        self.kept.push(data)
    }
}
