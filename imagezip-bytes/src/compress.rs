//! Compressing pieces.

use alloc::vec::Vec;

use super::Adler32;
use super::deflate::{self, Break, Effort, Encoder, INPUT_MAX};
use super::piece::Piece;

/// The most bytes that a piece of `len` bytes becomes when compressed.
pub const fn max_compressed_len(len: usize) -> usize {
    let (parts, rest) = (len / INPUT_MAX, len % INPUT_MAX);
    let parts = parts.saturating_mul(deflate::max_compressed_len(INPUT_MAX));
    parts.saturating_add(deflate::max_compressed_len(rest))
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
            // The next part begins at a byte's bound, behind an empty stored block if need be.
            if let Some(end) = piece.breaks.last_mut() {
                (end.bit, end.stored) = (bits, true);
            }
            piece.breaks.extend(self.breaks.iter().map(|found| Break {
                input: before.saturating_add(found.input),
                bit: bits.saturating_add(found.bit),
                stored: found.stored,
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
