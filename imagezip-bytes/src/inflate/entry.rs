//! What a code stands for, packed into 32 bits.

use super::bits::low_bits;

/// An entry of a decoding table: what the next bits mean, with all that is needed to go on.
///
/// | bits | literal | length or distance | sub-table |
/// |---|---|---|---|
/// | 31 | 1 | 0 for a length | 0 |
/// | 30–16 | the byte | the least value | where it begins |
/// | 15 | 0 | 0 | 1 |
/// | 14–13 | | | 01 |
/// | 12–8 | | the code's length | by how many bits it is looked up |
/// | 7–0 | the code's length | that and the extra bits | the main table's bits |
///
/// Distances (RFC 1951, 3.2.5) need bits 30–16 whole: the largest begins at 24,577. The end of a
/// block and codes that stand for nothing are marked by bit 15 like sub-tables; bits 14–13 tell
/// them apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Entry(u32);

const LITERAL: u32 = 1 << 31;
const SPECIAL: u32 = 1 << 15;
const END: u32 = 1 << 14;
const SUBTABLE: u32 = 1 << 13;

impl Entry {
    /// What stands for nothing. It takes no bits.
    pub(super) const INVALID: Self = Self(SPECIAL);

    /// A symbol that is a byte.
    const fn literal(byte: u32) -> Self {
        Self(LITERAL | byte << 16)
    }

    /// A symbol that is a length or a distance: the least, and how many bits tell how much more.
    const fn base(least: u32, extra: u32) -> Self {
        Self(least << 16 | extra)
    }

    /// The part of a table that begins at `start` and is looked up by `bits` bits, after the
    /// `main` bits that lead there.
    pub(super) const fn subtable(start: u32, bits: u32, main: u32) -> Self {
        Self(SPECIAL | SUBTABLE | start << 16 | bits << 8 | main)
    }

    /// The same symbol by a code of `len` bits.
    pub(super) const fn coded(self, len: u32) -> Self {
        // Codes have at most 15 bits, and with at most 13 extra bits that's 28: nothing carries.
        Self(self.0.wrapping_add(len << 8 | len))
    }

    /// The same symbol when the first `main` bits of its code are gone.
    pub(super) const fn without(self, main: u32) -> Self {
        Self(self.0.wrapping_sub(main << 8 | main))
    }

    #[inline]
    pub(super) const fn is_literal(self) -> bool {
        self.0 & LITERAL != 0
    }

    #[inline]
    pub(super) const fn is_special(self) -> bool {
        self.0 & SPECIAL != 0
    }

    pub(super) const fn is_subtable(self) -> bool {
        self.0 & (LITERAL | SPECIAL | SUBTABLE) == SPECIAL | SUBTABLE
    }

    pub(super) const fn is_end(self) -> bool {
        self.0 & END != 0
    }

    /// How many bits it takes, extra ones included: its lowest six bits.
    #[inline]
    pub(super) const fn bits(self) -> u32 {
        self.0
    }

    /// Of a literal.
    #[inline]
    pub(super) const fn byte(self) -> u8 {
        let [_, _, byte, _] = self.0.to_le_bytes();
        byte
    }

    /// The length or distance, `word` being the bits that begin with the code.
    #[inline]
    pub(super) fn value(self, word: u64) -> usize {
        let extra = low_bits(word, self.0).wrapping_shr(self.0 >> 8);
        let value = u64::from(self.0 >> 16).wrapping_add(extra);
        usize::try_from(value).unwrap_or(usize::MAX)
    }

    /// Of a sub-table: which entry `word` leads to, the main table's bits being gone.
    #[inline]
    pub(super) fn subtable_index(self, word: u64) -> usize {
        self.start().wrapping_add(index(low_bits(word, self.subtable_bits())))
    }

    /// Of a sub-table: where it begins.
    pub(super) fn start(self) -> usize {
        index(u64::from(self.0 >> 16))
    }

    /// Of a sub-table: by how many bits it is looked up.
    pub(super) const fn subtable_bits(self) -> u32 {
        self.0 >> 8 & 15
    }
}

/// `word` as an index, whatever doesn't fit as 0.
#[inline]
pub(super) fn index(word: u64) -> usize {
    usize::try_from(word).unwrap_or_default()
}

/// The symbols of literals, lengths and the end of a block. 286 and 287 stand for nothing.
pub(super) const LITERAL_SYMBOLS: [Entry; 288] = literal_symbols();

/// The symbols of distances. 30 and 31 stand for nothing.
pub(super) const DISTANCE_SYMBOLS: [Entry; 32] = distance_symbols();

/// The symbols of the code that code lengths are written in: numbers.
pub(super) const LENGTH_SYMBOLS: [Entry; 19] = length_symbols();

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated when compiling, where a panic is an error"
)]
const fn literal_symbols() -> [Entry; 288] {
    let mut symbols = [Entry::INVALID; 288];
    let mut byte = 0;
    while byte < 256 {
        symbols[byte as usize] = Entry::literal(byte);
        byte += 1;
    }
    symbols[256] = Entry(SPECIAL | END);
    // Eight lengths without extra bits, then four with each number of them up to five; the last
    // length has a symbol of its own.
    let (mut symbol, mut least) = (257, 3);
    while symbol < 285 {
        let extra = if symbol < 265 { 0 } else { (symbol - 261) / 4 };
        symbols[symbol as usize] = Entry::base(least, extra);
        least += 1 << extra;
        symbol += 1;
    }
    symbols[285] = Entry::base(258, 0);
    symbols
}

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated when compiling, where a panic is an error"
)]
const fn distance_symbols() -> [Entry; 32] {
    let mut symbols = [Entry::INVALID; 32];
    let (mut symbol, mut least) = (0, 1);
    while symbol < 30 {
        let extra = if symbol < 4 { 0 } else { symbol / 2 - 1 };
        symbols[symbol as usize] = Entry::base(least, extra);
        least += 1 << extra;
        symbol += 1;
    }
    symbols
}

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated when compiling, where a panic is an error"
)]
const fn length_symbols() -> [Entry; 19] {
    let mut symbols = [Entry::INVALID; 19];
    let mut symbol = 0;
    while symbol < 19 {
        symbols[symbol as usize] = Entry::base(symbol, 0);
        symbol += 1;
    }
    symbols
}
