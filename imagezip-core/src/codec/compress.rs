//! Compressing pieces.

use alloc::boxed::Box;
use alloc::vec::Vec;

use miniz_oxide::DataFormat;
use miniz_oxide::deflate::core::{
    CompressionStrategy, CompressorOxide, TDEFLFlush, TDEFLStatus, compress,
};

use super::Adler32;

/// The most bytes in a stored block of deflate.
const STORED_MAX: usize = 65_535;

/// The bytes before the data of a stored block that begins at a byte's bound.
const STORED_HEADER: usize = 5;

/// The most bytes that a piece of `len` bytes becomes when compressed.
pub const fn max_compressed_len(len: usize) -> usize {
    len.saturating_add(len.div_ceil(STORED_MAX).saturating_mul(STORED_HEADER))
}

/// Compressed data that can become part of a stream.
#[derive(Clone, Debug)]
pub struct Piece {
    deflate: Vec<u8>,
    adler: Adler32,
    len: usize,
}

impl Piece {
    /// A piece of no data.
    pub const fn new() -> Self {
        Self { deflate: Vec::new(), adler: Adler32::EMPTY, len: 0 }
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

/// How hard to compress: 0 (not at all) to 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(u8);

impl Level {
    /// The level, if there is one of that number.
    pub const fn new(level: u8) -> Option<Self> {
        if level <= 9 { Some(Self(level)) } else { None }
    }
}

impl Default for Level {
    /// Level 1 (docs/decisions/0004-codec.md).
    fn default() -> Self {
        Self(1)
    }
}

/// Compresses pieces. It holds large tables, so each thread keeps one.
pub struct Compressor {
    // `None` stores without looking for matches.
    deflate: Option<Box<CompressorOxide>>,
}

impl Compressor {
    /// A compressor of the given level.
    pub fn new(level: Level) -> Self {
        let deflate = (level.0 > 0).then(|| {
            Box::new(CompressorOxide::with_params(
                DataFormat::Raw,
                level.0,
                CompressionStrategy::Default,
                15,
            ))
        });
        Self { deflate }
    }

    /// Compresses `input` into `piece`, in place of what was in it.
    pub fn compress(&mut self, input: &[u8], piece: &mut Piece) {
        piece.adler = Adler32::of(input);
        piece.len = input.len();
        piece.deflate.clear();
        if input.is_empty() {
            return;
        }
        let limit = max_compressed_len(input.len());
        let compressed = self.deflate.as_mut().and_then(|state| {
            piece.deflate.resize(limit, 0);
            deflate_within(state, input, &mut piece.deflate)
        });
        match compressed {
            Some(len) => piece.deflate.truncate(len),
            None => store(input, &mut piece.deflate),
        }
    }
}

impl Default for Compressor {
    fn default() -> Self {
        Self::new(Level::default())
    }
}

/// Compresses all of `input` and ends it with a sync flush; the length of the result, or `None`
/// if that doesn't fit `out`.
fn deflate_within(state: &mut CompressorOxide, input: &[u8], out: &mut [u8]) -> Option<usize> {
    state.reset();
    let (status, taken, made) = compress(state, input, out, TDEFLFlush::Sync);
    // A full buffer may mean that more was to come.
    let complete = status == TDEFLStatus::Okay && taken == input.len() && made < out.len();
    complete.then_some(made)
}

/// Puts `input` into stored blocks.
fn store(input: &[u8], out: &mut Vec<u8>) {
    out.clear();
    for block in input.chunks(STORED_MAX) {
        let len = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(0);
        out.extend(len.to_le_bytes());
        out.extend((!len).to_le_bytes());
        out.extend(block);
    }
}
