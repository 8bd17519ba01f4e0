//! A deflate encoder (RFC 1951) for pieces of a few hundred KiB.
//!
//! Saving a disk is bound by this code, and no encoder without std comes near what one in C can
//! do (docs/decisions/0004-codec.md has the figures). It is made for one thing: independent pieces
//! that are in memory as a whole. So there are no streams, no window that slides, and no position
//! that doesn't fit 18 bits.
//!
//! A piece is taken in segments. A match finder ([`find`]) turns each into tokens ([`token`]) and
//! counts them; from the counts it is decided whether a new block begins with the segment
//! ([`split`]), and a block that is complete is written ([`block`]). No match reaches over the end
//! of a segment. That costs about 0.1 % of size, but a block can end after any of them, even when
//! what follows has been looked at, and a piece can be cut at any such end.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

mod bits;
mod block;
mod find;
mod huffman;
mod split;
mod token;
mod window;

#[cfg(test)]
mod tests;

use bits::BitWriter;
use block::{Block, STORED_HEADER, STORED_MAX};
use find::Finder;
use token::{Counts, END_OF_BLOCK, TOKENS, Tokens};
use window::Window;

/// The most bytes of one input.
pub(super) const INPUT_MAX: usize = 262_144;

/// How far back a match may refer, in bytes.
pub(super) const DISTANCE_MAX: usize = token::MAX_DISTANCE;

/// The most bytes that `len` bytes become: what they take in stored blocks.
pub(super) const fn max_compressed_len(len: usize) -> usize {
    len.saturating_add(len.div_ceil(STORED_MAX).saturating_mul(STORED_HEADER))
}

/// How hard to look for matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// One look per position.
    Fast,
    /// As small as zlib's level 4 on a system's files, at almost twice its speed.
    Default,
    /// Smaller than zlib's level 6 on a system's files, at half the speed of the default.
    High,
}

impl Effort {
    /// The bytes of a segment: a multiple of 512. Short ones let blocks end where the data change;
    /// each costs the time to decide about it.
    const fn segment(self) -> usize {
        match self {
            Self::Fast => 16_384,
            Self::Default | Self::High => 4096,
        }
    }

    /// The most tokens of a block. Short blocks can be cut in more places, but each costs the time
    /// to make its codes.
    const fn tokens(self) -> usize {
        match self {
            Self::Fast => TOKENS,
            Self::Default | Self::High => TOKENS / 2,
        }
    }
}

/// A place at which compressed data may be cut in two: the end of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Break {
    /// The number of input bytes before it: a multiple of 512, or all.
    pub(super) input: usize,
    /// The number of bits before it.
    pub(super) bit: u64,
    /// Whether the block that ends there is a stored one, which lies at a byte's bound.
    pub(super) stored: bool,
}

/// Compresses pieces. It holds about 512 KiB of tables, so each thread keeps one.
pub(super) struct Encoder {
    window: Window,
    tokens: Tokens,
    finder: Finder,
    effort: Effort,
}

impl Encoder {
    /// An encoder for pieces that all get the same effort.
    pub(super) fn new(effort: Effort) -> Self {
        Self { window: Window::new(), tokens: Tokens::new(), finder: Finder::new(effort), effort }
    }

    /// Appends deflate blocks for `input` to `out`. Of an input longer than [`INPUT_MAX`], the rest
    /// is left out.
    ///
    /// None of the blocks is marked as the last one, none refers to anything before `input`, and
    /// they end at a byte's bound. They take at most [`max_compressed_len`] bytes.
    ///
    /// `breaks` is replaced by the ends of the blocks: what was appended before such a place,
    /// followed by an empty stored block, stands for the input before it. What follows may refer
    /// to [`DISTANCE_MAX`] bytes before it. At the last one all blocks with data have ended.
    pub(super) fn encode(&mut self, input: &[u8], out: &mut Vec<u8>, breaks: &mut Vec<Break>) {
        breaks.clear();
        let input = input.get(..INPUT_MAX).unwrap_or(input);
        let start = out.len();
        let mut writer = Writer { input, out: BitWriter::new(out), breaks, stored: 0..0 };
        self.window.load(input);
        self.finder.reset();
        self.tokens.clear();

        // The block: its data, how many of the tokens are its own, and their counts.
        let segment = self.effort.segment();
        let mut data = 0..0;
        let mut used = 0;
        let mut counts = Counts::NONE;
        let mut cost = 0.0;
        while data.end < input.len() {
            let end = data.end.wrapping_add(segment).min(input.len());
            self.finder.parse(&self.window, data.end..end, &mut self.tokens);
            let next = self.tokens.take_counts();
            // There is always room for another segment, even if it is all literals.
            let full = self.tokens.len().wrapping_add(segment) > self.effort.tokens();
            let mut both = counts.clone();
            both.add(&next);
            let (cost_next, cost_both) = (split::cost(&next), split::cost(&both));
            if !data.is_empty() && (full || cost_both > cost + cost_next) {
                writer.block(data.clone(), self.tokens.first(used), &mut counts);
                self.tokens.remove_first(used);
                data.start = data.end;
                (counts, cost) = (next, cost_next);
            } else {
                (counts, cost) = (both, cost_both);
            }
            used = self.tokens.len();
            data.end = end;
        }
        if !data.is_empty() {
            writer.block(data, self.tokens.first(used), &mut counts);
        }
        writer.finish();

        // Many short stored blocks between others may take more than a few long ones.
        if out.len().wrapping_sub(start) > max_compressed_len(input.len()) {
            out.truncate(start);
            store(input, out, breaks);
        }
    }
}

/// Appends stored blocks for `input` to `out`. `breaks` is replaced by the ends of the blocks.
pub(super) fn store(input: &[u8], out: &mut Vec<u8>, breaks: &mut Vec<Break>) {
    breaks.clear();
    let stored = 0..input.len();
    Writer { input, out: BitWriter::new(out), breaks, stored }.finish();
}

/// Writes blocks and notes where they end.
struct Writer<'a> {
    input: &'a [u8],
    out: BitWriter<'a>,
    breaks: &'a mut Vec<Break>,
    /// Data that will be stored, once it is known how much follows that will be stored too.
    stored: Range<usize>,
}

impl Writer<'_> {
    /// Writes a block of the given part of the input, in the form that takes the least space.
    fn block(&mut self, data: Range<usize>, tokens: &[token::Token], counts: &mut Counts) {
        counts.litlen[END_OF_BLOCK] = 1;
        let stored_bits = (data.len().saturating_add(STORED_HEADER) as u64).saturating_mul(8);
        match Block::new(counts, stored_bits) {
            Some(block) => {
                self.store();
                block.write(&mut self.out, tokens);
                self.note(data.end, false);
            }
            None if self.stored.is_empty() => self.stored = data,
            None => self.stored.end = data.end,
        }
    }

    /// Writes what is to be stored.
    fn store(&mut self) {
        let mut end = self.stored.start;
        let stored = self.input.get(core::mem::take(&mut self.stored)).unwrap_or_default();
        for data in stored.chunks(STORED_MAX) {
            block::store(&mut self.out, data);
            end = end.saturating_add(data.len());
            self.note(end, true);
        }
    }

    /// Notes that a block ends after `input` bytes of the input.
    fn note(&mut self, input: usize, stored: bool) {
        self.breaks.push(Break { input, bit: self.out.position(), stored });
    }

    /// Writes what is left, and ends at a byte's bound.
    fn finish(mut self) {
        self.store();
        if !self.out.is_aligned() {
            block::store(&mut self.out, &[]);
        }
    }
}

/// An array of zeros that is never on the stack.
fn boxed<T: Copy + Default, const N: usize>() -> Box<[T; N]> {
    let zeros = vec![T::default(); N].into_boxed_slice();
    // The length is right.
    zeros.try_into().unwrap_or_else(|_| Box::new([T::default(); N]))
}
