//! What the match finders hand to the block writer: literals and matches, and how often each was
//! seen (RFC 1951, 3.2.5).

use alloc::boxed::Box;

/// The shortest and longest match that deflate can express.
pub(super) const MIN_MATCH: usize = 3;
pub(super) const MAX_MATCH: usize = 258;

/// How far back a match may lie.
pub(super) const MAX_DISTANCE: usize = 32_768;

/// The number of symbols of the literal/length code and of the distance code. The last two of each
/// never occur, but have their share of the fixed codes.
pub(super) const LITLENS: usize = 288;
pub(super) const DISTANCES: usize = 32;

/// Ends a block.
pub(super) const END_OF_BLOCK: usize = 256;

/// The most tokens that [`Tokens`] holds.
pub(super) const TOKENS: usize = 32_768;

/// One literal or match, ready to be written without a branch: which of the two it is shows only
/// in what the tables of the block writer hold for it.
///
/// * bits 0–8: the literal, or 256 + length − 3
/// * bits 9–13: the distance's symbol, [`NO_DISTANCE`] for a literal
/// * bits 14–26: the distance's extra bits
#[derive(Clone, Copy, Default)]
pub(super) struct Token(u32);

/// The distance symbol of a literal, which is written as no bits.
pub(super) const NO_DISTANCE: u32 = 30;

impl Token {
    #[inline]
    const fn literal(byte: u8) -> Self {
        Self(NO_DISTANCE << 9 | byte as u32)
    }

    /// The place of the literal or length in a table of 512.
    #[inline]
    pub(super) const fn litlen(self) -> usize {
        (self.0 & 511) as usize
    }

    /// The place of the distance's symbol in a table of 32.
    #[inline]
    pub(super) const fn distance(self) -> usize {
        (self.0 >> 9 & 31) as usize
    }

    /// The distance's extra bits.
    #[inline]
    pub(super) const fn extra(self) -> u64 {
        (self.0 >> 14) as u64
    }
}

/// The symbol of a length of 3 + `over`, its number of extra bits, and these.
pub(super) const fn length_symbol(over: u32) -> (u32, u32, u32) {
    if over == 255 {
        return (285, 0, 0);
    }
    // Four symbols share each number of extra bits, but for the first eight, which have none.
    let bits = 29_u32.wrapping_sub((over | 4).leading_zeros());
    let symbol =
        257_u32.wrapping_add(4_u32.wrapping_mul(bits)).wrapping_add(over.wrapping_shr(bits));
    (symbol, bits, over & 1_u32.wrapping_shl(bits).wrapping_sub(1))
}

/// The symbol of a distance of 1 + `over`, its number of extra bits, and these.
#[inline]
const fn distance_symbol(over: u32) -> (u32, u32, u32) {
    // Two symbols share each number of extra bits, but for the first four, which have none.
    let bits = 30_u32.wrapping_sub((over | 2).leading_zeros());
    let symbol = 2_u32.wrapping_mul(bits).wrapping_add(over.wrapping_shr(bits));
    (symbol, bits, over & 1_u32.wrapping_shl(bits).wrapping_sub(1))
}

/// How many extra bits follow a symbol of the literal/length code.
pub(super) const fn length_extra_bits(symbol: u32) -> u32 {
    match symbol {
        265..285 => symbol.wrapping_sub(261) / 4,
        _ => 0,
    }
}

/// How many extra bits follow a symbol of the distance code.
pub(super) const fn distance_extra_bits(symbol: u32) -> u32 {
    match symbol {
        4..30 => symbol.wrapping_sub(2) / 2,
        _ => 0,
    }
}

/// How often each symbol occurs.
#[derive(Clone)]
pub(super) struct Counts {
    pub(super) litlen: [u32; LITLENS],
    pub(super) distance: [u32; DISTANCES],
}

impl Counts {
    pub(super) const NONE: Self = Self { litlen: [0; LITLENS], distance: [0; DISTANCES] };

    /// Adds those of `other`.
    pub(super) fn add(&mut self, other: &Self) {
        for (sum, n) in self.litlen.iter_mut().zip(&other.litlen) {
            *sum = sum.wrapping_add(*n);
        }
        for (sum, n) in self.distance.iter_mut().zip(&other.distance) {
            *sum = sum.wrapping_add(*n);
        }
    }
}

/// A list of tokens, with counts of those that were added since the counts were last taken.
pub(super) struct Tokens {
    list: Box<[Token; TOKENS]>,
    len: usize,
    counts: Counts,
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self { list: super::boxed(), len: 0, counts: Counts::NONE }
    }

    /// Removes all tokens and their counts.
    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.counts = Counts::NONE;
    }

    /// The number of tokens.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// The first `n`.
    pub(super) fn first(&self, n: usize) -> &[Token] {
        self.list.get(..n).unwrap_or_default()
    }

    /// Removes the first `n`.
    pub(super) fn remove_first(&mut self, n: usize) {
        let end = self.len.min(TOKENS);
        let n = n.min(end);
        self.list.copy_within(n..end, 0);
        self.len = end.wrapping_sub(n);
    }

    #[inline]
    fn push(&mut self, token: Token) {
        // Within the bounds: a caller makes no more than there are, so nothing wraps around.
        if let Some(place) = self.list.get_mut(self.len % TOKENS) {
            *place = token;
        }
        self.len = self.len.wrapping_add(1);
    }

    #[inline]
    pub(super) fn literal(&mut self, byte: u8) {
        self.push(Token::literal(byte));
        count(&mut self.counts.litlen, usize::from(byte));
    }

    /// Adds a match of 3 to 258 bytes, 1 to 32768 bytes back.
    #[inline]
    pub(super) fn copy(&mut self, length: usize, distance: usize) {
        #[expect(clippy::cast_possible_truncation, reason = "both are small")]
        let (length, distance) = (length.wrapping_sub(MIN_MATCH) as u8, distance as u32);
        let (symbol, _, extra) = distance_symbol(distance.wrapping_sub(1));
        self.push(Token(256 | u32::from(length) | symbol << 9 | extra << 14));
        let place = LENGTH_PLACES.get(usize::from(length)).copied().unwrap_or_default();
        count(&mut self.counts.litlen, 256 | usize::from(place % 32));
        count(&mut self.counts.distance, (symbol % 32) as usize);
    }

    /// Takes the counts of the tokens that were added since the last time.
    pub(super) const fn take_counts(&mut self) -> Counts {
        core::mem::replace(&mut self.counts, Counts::NONE)
    }
}

#[inline]
fn count(counts: &mut [u32], symbol: usize) {
    if let Some(n) = counts.get_mut(symbol) {
        *n = n.wrapping_add(1);
    }
}

/// How far from the end of the block the symbols of the lengths from 3 on are.
#[expect(clippy::cast_possible_truncation, clippy::indexing_slicing, reason = "it is a constant")]
const LENGTH_PLACES: [u8; 256] = {
    let mut places = [0; 256];
    let mut over = 0;
    while over < 256 {
        places[over] = (length_symbol(over as u32).0 - 256) as u8;
        over += 1;
    }
    places
};
