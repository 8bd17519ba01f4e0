//! Compressed data that can become part of a stream, and parts of them.

use alloc::vec::Vec;

use super::Adler32;
use super::deflate::{Break, DISTANCE_MAX};

/// The most bytes of an empty stored block.
const EMPTY_BLOCK: usize = 5;

/// Compressed data that can become part of a stream.
#[derive(Clone, Debug)]
pub struct Piece {
    pub(super) deflate: Vec<u8>,
    pub(super) adler: Adler32,
    pub(super) len: usize,
    /// Where blocks end, ascending; the last one is the end of the data.
    pub(super) breaks: Vec<Break>,
}

impl Piece {
    /// A piece of no data.
    pub const fn new() -> Self {
        Self { deflate: Vec::new(), adler: Adler32::EMPTY, len: 0, breaks: Vec::new() }
    }

    /// The longest part from the start of the piece, but not all of it, that can be had without
    /// compressing anew and takes at most `room` bytes; `data` is what was compressed. It holds
    /// whole sectors.
    pub fn head(&self, data: &[u8], room: usize) -> Option<Self> {
        let end = |head: &Break| bytes(head.bit).saturating_add(EMPTY_BLOCK);
        let (_, breaks) = self.breaks.split_last()?;
        let fitting = breaks.partition_point(|head| end(head) <= room);
        let head = breaks.get(..fitting)?.last()?;
        let deflate = self.deflate.get(..bytes(head.bit))?.to_vec();
        Self::cut(deflate, head.bit, data.get(..head.input)?)
    }

    /// The longest part at the end of the piece that can be had without compressing anew and
    /// refers to nothing in the first `before` bytes of `data`, which is what was compressed. It
    /// comes after a whole number of sectors, which are more than `before` bytes.
    pub fn tail(&self, data: &[u8], before: usize) -> Option<Self> {
        let (end, breaks) = self.breaks.split_last()?;
        let from = before.checked_add(DISTANCE_MAX)?;
        let candidates = breaks.get(breaks.partition_point(|tail| tail.input < from)..)?;
        // Stored blocks lie at bytes' bounds and can't be moved by bits.
        let stored = |at: usize| candidates.get(at..).unwrap_or_default().iter().any(|b| b.stored);
        let movable = |(at, tail): &(usize, &Break)| {
            tail.bit.is_multiple_of(8) || !(end.stored || stored(at.saturating_add(1)))
        };
        let (_, tail) = candidates.iter().enumerate().find(movable)?;
        let first = usize::try_from(tail.bit / 8).ok()?;
        let moved = shifted(self.deflate.get(first..bytes(end.bit))?, tail.bit % 8);
        Self::cut(moved, end.bit.saturating_sub(tail.bit), data.get(tail.input..)?)
    }

    /// The piece of `data` whose blocks are the first bits of `deflate`, which is hardly longer.
    fn cut(mut deflate: Vec<u8>, bits: u64, data: &[u8]) -> Option<Self> {
        deflate.truncate(bytes(bits));
        let used = bits % 8;
        if used > 0 {
            // An empty stored block goes on to the next byte's bound. The bits of its type are 0.
            *deflate.last_mut()? &= !(0xff << used);
            if used > 5 {
                deflate.push(0);
            }
            deflate.extend([0, 0, 0xff, 0xff]);
        }
        Some(Self { deflate, adler: Adler32::of(data), len: data.len(), breaks: Vec::new() })
    }

    /// The deflate blocks: at most [`max_compressed_len`](super::max_compressed_len) bytes.
    pub fn deflate(&self) -> &[u8] {
        &self.deflate
    }

    /// The checksum of the data.
    pub const fn adler(&self) -> Adler32 {
        self.adler
    }

    /// The number of bytes that were compressed.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no data in the piece.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Default for Piece {
    fn default() -> Self {
        Self::new()
    }
}

/// The bytes that so many bits need.
fn bytes(bits: u64) -> usize {
    usize::try_from(bits.div_ceil(8)).unwrap_or(usize::MAX)
}

/// The bits of `from` without the first `bits`, of which there are at most 7.
fn shifted(from: &[u8], bits: u64) -> Vec<u8> {
    let bits = u32::try_from(bits & 7).unwrap_or(0);
    let pair = |low: u8, high: u8| (u16::from_le_bytes([low, high]) >> bits).to_le_bytes()[0];
    let after = from.iter().skip(1).chain(&[0]);
    from.iter().zip(after).map(|(low, high)| pair(*low, *high)).collect()
}
