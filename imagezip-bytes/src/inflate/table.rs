//! Tables to decode prefix codes with.

use super::Fault;
use super::entry::{Entry, index};

/// The longest code.
const LEN_MAX: usize = 15;

/// The most symbols of one code.
const SYMBOLS_MAX: usize = 288;

/// A table that is looked up by the next `BITS` bits of a stream. What they don't decide leads to
/// a sub-table behind the first 2^`BITS` entries, which is looked up by the bits that follow.
///
/// `SIZE` is a power of two, so masking an index puts it in bounds, and not below what the worst
/// code needs: zlib's `enough` counts 2,342 entries for 288 symbols in up to 15 bits and a main
/// table of 11, and 402 for 32 symbols and 8.
pub(super) struct Table<const BITS: u32, const SIZE: usize>([Entry; SIZE]);

/// Of literals and lengths. 11 bits decide most codes, and the entries used fit the first cache.
pub(super) type LiteralTable = Table<11, 4096>;

/// Of distances.
pub(super) type DistanceTable = Table<8, 512>;

/// Of the lengths of codes, which have at most 7 bits.
pub(super) type LengthTable = Table<7, 128>;

/// Which codes may leave bits without meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rule {
    /// None.
    Complete,
    /// That of a single symbol in one bit.
    OneSymbol,
    /// That, and a code of no symbols.
    Few,
}

impl<const BITS: u32, const SIZE: usize> Table<BITS, SIZE> {
    const MAIN: usize = 1 << BITS;
    const MAIN_MASK: usize = Self::MAIN.saturating_sub(1);
    const MASK: usize = SIZE.saturating_sub(1);

    /// A table without a code.
    pub(super) const fn new() -> Self {
        const { assert!(SIZE.is_power_of_two() && SIZE >= 1 << BITS, "no room, or none to mask") };
        Self([Entry::INVALID; SIZE])
    }

    /// What the bits in `word` begin with. It may be a sub-table.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "less than 2^BITS, which isn't above SIZE")]
    pub(super) fn first(&self, word: u64) -> Entry {
        self.0[index(word) & Self::MAIN_MASK]
    }

    /// What the bits in `word` lead to in a sub-table.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "less than SIZE, a power of two")]
    pub(super) fn second(&self, subtable: Entry, word: u64) -> Entry {
        self.0[subtable.subtable_index(word) & Self::MASK]
    }

    /// Builds the table of the canonical code (RFC 1951, 3.2.2) whose lengths `lens` gives for
    /// each of `symbols`; 0 for symbols that have none.
    ///
    /// Codes of more bits than there are (over-subscribed) are refused, and incomplete ones, as
    /// zlib does, as far as `rule` says.
    pub(super) fn build(
        &mut self,
        lens: &[u8],
        symbols: &[Entry],
        rule: Rule,
    ) -> Result<(), Fault> {
        let counts = count(lens);
        if !check(&counts, rule)? {
            // The only codes that aren't there have one bit.
            self.0.fill(Entry::INVALID.coded(1));
        }
        let sorted = sort(lens, &counts);
        let mut coded = sorted.iter().filter_map(|symbol| symbols.get(usize::from(*symbol)));
        let mut code = 0;
        // The table begins with one entry and doubles from length to length: whatever bit
        // follows a shorter code, it means the same.
        for (len, count) in (1..=BITS).zip(counts.into_iter().skip(1)) {
            let half = 1_usize.wrapping_shl(len.wrapping_sub(1));
            self.0.copy_within(..half, half);
            for symbol in coded.by_ref().take(usize::from(count)) {
                *self.0.get_mut(code).ok_or(Fault::Code)? = symbol.coded(len);
                code = successor(code, len);
            }
        }
        self.build_subtables(counts, code, coded)
    }

    /// Puts codes of more than `BITS` bits into sub-tables, from `code` on.
    fn build_subtables<'a>(
        &mut self,
        mut counts: Counts,
        mut code: usize,
        mut coded: impl Iterator<Item = &'a Entry>,
    ) -> Result<(), Fault> {
        let mut end = Self::MAIN;
        let mut open = None;
        for (len, at) in (1..).zip(1..=LEN_MAX).skip(index(u64::from(BITS))) {
            let count = counts.get(at).copied().unwrap_or_default();
            for (left, symbol) in (1..=count).rev().zip(coded.by_ref()) {
                let lead = code & Self::MAIN_MASK;
                let part = match open {
                    Some((of, part)) if of == lead => part,
                    _ => {
                        // Codes come in ascending order: these are the ones that are left.
                        if let Some(count) = counts.get_mut(at) {
                            *count = left;
                        }
                        let bits = subtable_bits(&counts, at, BITS);
                        let start = u32::try_from(end).unwrap_or_default();
                        end = end.wrapping_add(1_usize.wrapping_shl(bits));
                        let part = Entry::subtable(start, bits, BITS);
                        *self.0.get_mut(lead).ok_or(Fault::Code)? = part;
                        open = Some((lead, part));
                        part
                    }
                };
                let entry = symbol.coded(len & 15).without(BITS);
                let room = self.0.get_mut(part.start()..end).ok_or(Fault::Code)?;
                let step = 1_usize.wrapping_shl(len.wrapping_sub(BITS));
                let places = room.iter_mut().skip(code >> BITS).step_by(step);
                places.for_each(|place| *place = entry);
                code = successor(code, len);
            }
        }
        Ok(())
    }
}

/// How many codes there are of each length.
type Counts = [u16; LEN_MAX + 1];

#[expect(clippy::indexing_slicing, reason = "less than 16, the length of the array")]
fn count(lens: &[u8]) -> Counts {
    let mut counts = Counts::default();
    for len in lens {
        let count = &mut counts[usize::from(len & 15)];
        *count = count.wrapping_add(1);
    }
    // No code at all.
    counts[0] = 0;
    counts
}

/// Whether the code is complete.
fn check(counts: &Counts, rule: Rule) -> Result<bool, Fault> {
    // How many of the longest codes are left.
    let mut left = 1_u32 << LEN_MAX;
    for (count, share) in counts.iter().zip((0..=LEN_MAX).rev()) {
        let taken = u32::from(*count) << share;
        left = left.checked_sub(taken).ok_or(Fault::Code)?;
    }
    let allowed = match rule {
        _ if left == 0 => true,
        Rule::Complete => false,
        Rule::OneSymbol => is_one_bit(counts),
        Rule::Few => is_one_bit(counts) || left == 1 << LEN_MAX,
    };
    if allowed { Ok(left == 0) } else { Err(Fault::Code) }
}

/// Whether half of all codes are taken, by one bit.
fn is_one_bit(counts: &Counts) -> bool {
    counts.iter().map(|count| u32::from(*count)).sum::<u32>() == 1 && counts.get(1) == Some(&1)
}

/// The symbols that have codes, in the order of their codes.
fn sort(lens: &[u8], counts: &Counts) -> [u16; SYMBOLS_MAX] {
    let mut places = Counts::default();
    let mut sum = 0_u16;
    for (place, count) in places.iter_mut().zip(counts) {
        *place = sum;
        sum = sum.wrapping_add(*count);
    }
    // What isn't filled in names no symbol.
    let mut sorted = [u16::MAX; SYMBOLS_MAX];
    for (symbol, len) in (0_u16..).zip(lens).filter(|(_, len)| **len > 0) {
        let Some(place) = places.get_mut(usize::from(*len)) else { continue };
        if let Some(to) = sorted.get_mut(usize::from(*place)) {
            *to = symbol;
        }
        *place = place.wrapping_add(1);
    }
    sorted
}

/// By how many bits the sub-table is looked up that begins with a code of `len` bits, when
/// `counts` are the codes from there on: enough for its longest code.
fn subtable_bits(counts: &Counts, len: usize, main: u32) -> u32 {
    let mut bits = u32::try_from(len).unwrap_or_default().wrapping_sub(main);
    let mut used = 0_u32;
    for count in counts.iter().skip(len) {
        used = used.wrapping_mul(2).wrapping_add(u32::from(*count));
        if used >= 1_u32.wrapping_shl(bits) {
            break;
        }
        bits = bits.wrapping_add(1);
    }
    bits
}

/// The code after `code`, of the same length, the bits of both being reversed: a carry runs from
/// the highest bit down.
fn successor(code: usize, len: u32) -> usize {
    let all = 1_usize.wrapping_shl(len).wrapping_sub(1);
    match (code ^ all).checked_ilog2() {
        Some(zero) => {
            let bit = 1_usize.wrapping_shl(zero);
            code & bit.wrapping_sub(1) | bit
        }
        None => 0,
    }
}
