//! Compressing pieces.

use alloc::vec::Vec;

use super::Adler32;
use super::deflate::{self, Break, Effort, Encoder, INPUT_MAX};

/// The most bytes of an empty stored block.
const EMPTY_BLOCK: usize = 5;

/// The most bytes that a piece of `len` bytes becomes when compressed.
pub const fn max_compressed_len(len: usize) -> usize {
    let (parts, rest) = (len / INPUT_MAX, len % INPUT_MAX);
    let parts = parts.saturating_mul(deflate::max_compressed_len(INPUT_MAX));
    parts.saturating_add(deflate::max_compressed_len(rest))
}

/// Compressed data that can become part of a stream.
#[derive(Clone, Debug)]
pub struct Piece {
    deflate: Vec<u8>,
    adler: Adler32,
    len: usize,
    /// Ascending.
    breaks: Vec<Break>,
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
        let bytes = |head: &Break| usize::try_from(head.bit.div_ceil(8)).unwrap_or(usize::MAX);
        let end = |head: &Break| bytes(head).saturating_add(EMPTY_BLOCK);
        let fitting = self.breaks.partition_point(|head| end(head) <= room);
        let head = self.breaks.get(..fitting)?.last()?;
        let data = data.get(..head.input)?;
        let mut deflate = self.deflate.get(..bytes(head))?.to_vec();
        let used = head.bit % 8;
        if used > 0 {
            // An empty stored block goes on to the next byte's bound. The bits of its type are 0.
            if let Some(last) = deflate.last_mut() {
                *last &= !(0xff << used);
            }
            if used > 5 {
                deflate.push(0);
            }
            deflate.extend([0, 0, 0xff, 0xff]);
        }
        Some(Self { deflate, adler: Adler32::of(data), len: data.len(), breaks: Vec::new() })
    }

    /// The deflate blocks: at most [`max_compressed_len`] bytes.
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

/// How hard to compress: 0 (not at all) to 9. What the numbers mean is measured in
/// docs/performance.md; between those of the same effort there is no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(u8);

impl Level {
    /// Data are stored as they are.
    pub const STORE: Self = Self(0);
    /// For disks and networks that are faster than [`Level::DEFAULT`].
    pub const FAST: Self = Self(1);
    /// Smaller than zlib's level 4.
    pub const DEFAULT: Self = Self(4);
    /// For images that are made once and loaded often.
    pub const SMALL: Self = Self(9);

    /// The level, if there is one of that number.
    pub const fn new(level: u8) -> Option<Self> {
        if level <= 9 { Some(Self(level)) } else { None }
    }

    /// How the encoder works; `None` if data are stored.
    const fn effort(self) -> Option<Effort> {
        match self.0 {
            0 => None,
            1..=3 => Some(Effort::Fast),
            4..=6 => Some(Effort::Default),
            _ => Some(Effort::High),
        }
    }
}

impl Default for Level {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Compresses pieces. It holds large tables, so each thread keeps one.
pub struct Compressor {
    encoder: Option<Encoder>,
    /// Of one part of a piece.
    breaks: Vec<Break>,
}

impl Compressor {
    /// A compressor of the given level.
    pub fn new(level: Level) -> Self {
        Self { encoder: level.effort().map(Encoder::new), breaks: Vec::new() }
    }

    /// Compresses `input` into `piece`, in place of what was in it.
    pub fn compress(&mut self, input: &[u8], piece: &mut Piece) {
        piece.adler = Adler32::of(input);
        piece.len = input.len();
        piece.deflate.clear();
        piece.breaks.clear();
        let mut before = 0_usize;
        for part in input.chunks(INPUT_MAX) {
            let start = piece.deflate.len();
            match &mut self.encoder {
                Some(encoder) => encoder.encode(part, &mut piece.deflate, &mut self.breaks),
                None => deflate::store(part, &mut piece.deflate, &mut self.breaks),
            }
            let bits = u64::try_from(start).unwrap_or(u64::MAX).saturating_mul(8);
            piece.breaks.extend(self.breaks.iter().map(|found| Break {
                input: before.saturating_add(found.input),
                bit: bits.saturating_add(found.bit),
            }));
            before = before.saturating_add(part.len());
        }
    }
}

impl Default for Compressor {
    fn default() -> Self {
        Self::new(Level::default())
    }
}
