//! The zlib streams of image chunks (docs/format.md, "Payload").
//!
//! One chunk holds one stream, but it is compressed in pieces, so that CPUs can share the work:
//! a piece refers to no byte outside itself and ends at a byte's bound, so pieces can be put one
//! after another in any number. A stream is [`STREAM_START`], pieces, and [`stream_end`].

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use miniz_oxide::DataFormat;
use miniz_oxide::deflate::core::{
    CompressionStrategy, CompressorOxide, TDEFLFlush, TDEFLStatus, compress,
};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_COMPUTE_ADLER32, TINFL_FLAG_PARSE_ZLIB_HEADER,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use crate::error::{CorruptKind, Error, ErrorKind, Result};

/// The first bytes of every stream that is written here: deflate with a window of 32 KiB.
pub const STREAM_START: [u8; 2] = [0x78, 0x5e];

/// The length of [`STREAM_START`] and of [`stream_end`].
pub const STREAM_OVERHEAD: usize = 8;

/// The most bytes in a stored block of deflate.
const STORED_MAX: usize = 65_535;

/// The bytes before the data of a stored block that begins at a byte's bound.
const STORED_HEADER: usize = 5;

/// The most bytes that a piece of `len` bytes becomes when compressed.
pub const fn max_compressed_len(len: usize) -> usize {
    len.saturating_add(len.div_ceil(STORED_MAX).saturating_mul(STORED_HEADER))
}

/// The bytes after the last piece: an empty last block, and the checksum of all data.
pub fn stream_end(adler: Adler32) -> [u8; 6] {
    let [a, b, c, d] = adler.0.to_be_bytes();
    [0x03, 0x00, a, b, c, d]
}

/// The checksum of zlib streams (RFC 1950).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adler32(u32);

impl Adler32 {
    /// The checksum of no data.
    pub const EMPTY: Self = Self(1);

    const MODULUS: u32 = 65_521;

    /// The checksum of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(simd_adler32::adler32(&bytes))
    }

    /// The checksum of this one's data with `len` bytes after them whose own checksum is `next`.
    #[must_use]
    pub fn followed_by(self, next: Self, len: usize) -> Self {
        // The low half is 1 plus the sum of all bytes; the high half is the sum of the values
        // that the low half takes, so each of `len` bytes adds the first part's low half less 1.
        // All terms are below 2^17 once reduced, so 64 bits hold every product and sum.
        let modulus = u64::from(Self::MODULUS);
        let halves = |sum: u32| (u64::from(sum & 0xffff), u64::from(sum >> 16));
        let ((low, high), (next_low, next_high)) = (halves(self.0), halves(next.0));
        let reduce = |sum: u64| sum.checked_rem(modulus).unwrap_or_default();
        let len = reduce(u64::try_from(len).unwrap_or_default());
        let before = low.saturating_add(modulus).saturating_sub(1);
        let low = reduce(before.saturating_add(next_low));
        let high = reduce(
            high.saturating_add(next_high).saturating_add(len.saturating_mul(reduce(before))),
        );
        Self(u32::try_from(high << 16 | low).unwrap_or_default())
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
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

/// The size of the window that data are decompressed in, and so the most that come at a time.
/// A power of two not below deflate's own 32 KiB.
const WINDOW: usize = 128 * 1024;

/// Decompresses streams. It holds about 140 KiB, so each thread keeps one.
pub struct Decompressor {
    inflate: Box<DecompressorOxide>,
    window: Box<[u8]>,
}

impl Decompressor {
    /// A decompressor.
    pub fn new() -> Self {
        Self { inflate: Box::default(), window: vec![0; WINDOW].into_boxed_slice() }
    }

    /// Decompresses `stream`, which must be one whole stream of exactly `len` bytes of data, and
    /// gives the data to `sink` in order: 128 KiB at a time, the last time the rest.
    ///
    /// No more than `len` bytes come out, whatever the stream holds. When an error is found,
    /// `sink` may have got data.
    ///
    /// # Errors
    /// `Corrupt` with one of the `Payload` kinds; or the error that `sink` returns.
    pub fn decompress(
        &mut self,
        stream: &[u8],
        len: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        const FLAGS: u32 = TINFL_FLAG_PARSE_ZLIB_HEADER | TINFL_FLAG_COMPUTE_ADLER32;
        self.inflate.init();
        let (mut rest, mut left) = (stream, len);
        loop {
            let (status, taken, made) =
                decompress(&mut self.inflate, rest, &mut self.window, 0, FLAGS);
            rest = rest.get(taken..).unwrap_or_default();
            let done = match status {
                TINFLStatus::Done => true,
                // The window is full, so each turn of the loop delivers data.
                TINFLStatus::HasMoreOutput if made > 0 => false,
                TINFLStatus::Adler32Mismatch => return Err(corrupt(CorruptKind::PayloadChecksum)),
                TINFLStatus::FailedCannotMakeProgress | TINFLStatus::NeedsMoreInput => {
                    return Err(corrupt(CorruptKind::PayloadShort));
                }
                _ => return Err(corrupt(CorruptKind::PayloadCode)),
            };
            left = u64::try_from(made)
                .ok()
                .and_then(|made| left.checked_sub(made))
                .ok_or_else(|| corrupt(CorruptKind::PayloadLong))?;
            if done && left > 0 {
                return Err(corrupt(CorruptKind::PayloadShort));
            }
            if done && !rest.is_empty() {
                return Err(corrupt(CorruptKind::PayloadTrailing));
            }
            sink(self.window.get(..made).unwrap_or_default())?;
            if done {
                return Ok(());
            }
        }
    }
}

impl Default for Decompressor {
    fn default() -> Self {
        Self::new()
    }
}

fn corrupt(kind: CorruptKind) -> Error {
    ErrorKind::Corrupt(kind).into()
}

#[cfg(test)]
mod tests;
