//! Compressing pieces.

use alloc::boxed::Box;
use alloc::vec::Vec;

use miniz_oxide::DataFormat;
use miniz_oxide::deflate::core::{
    CompressionStrategy, CompressorOxide, TDEFLFlush, TDEFLStatus, compress,
};

use super::Adler32;

/// The most bytes in a stored block: whole sectors, so that stored data can be cut between blocks.
const STORED_MAX: usize = 127 * 512;

/// The bytes before the data of a stored block that begins at a byte's bound.
const STORED_HEADER: usize = 5;

/// The most bytes that a piece of `len` bytes becomes when compressed.
pub const fn max_compressed_len(len: usize) -> usize {
    len.saturating_add(len.div_ceil(STORED_MAX).saturating_mul(STORED_HEADER))
}

/// A place where compressed data can be cut in two, because a block ends there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Break {
    /// The bytes of data before it: a multiple of 512.
    pub(super) data: usize,
    /// The bits of deflate blocks before it.
    pub(super) bits: usize,
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
        let end = |head: &Break| head.bits.div_ceil(8).saturating_add(STORED_HEADER);
        let fitting = self.breaks.partition_point(|head| end(head) <= room);
        let head = self.breaks.get(..fitting)?.iter().rfind(|head| head.data < self.len)?;
        let data = data.get(..head.data).filter(|data| !data.is_empty())?;
        let mut deflate = self.deflate.get(..head.bits.div_ceil(8))?.to_vec();
        let used = head.bits % 8;
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
        piece.breaks.clear();
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
            None => store(input, piece),
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
fn store(input: &[u8], piece: &mut Piece) {
    piece.deflate.clear();
    let mut data = 0_usize;
    for block in input.chunks(STORED_MAX) {
        let len = u16::try_from(block.len()).unwrap_or(u16::MAX);
        piece.deflate.push(0);
        piece.deflate.extend(len.to_le_bytes());
        piece.deflate.extend((!len).to_le_bytes());
        piece.deflate.extend(block);
        data = data.saturating_add(block.len());
        piece.breaks.push(Break { data, bits: piece.deflate.len().saturating_mul(8) });
    }
}
