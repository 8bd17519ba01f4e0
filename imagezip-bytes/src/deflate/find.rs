//! Finding matches, at three levels of effort.
//!
//! All finders look for four equal bytes; matches of three save few bits. A table, indexed by
//! a hash of the four bytes, holds the low 16 bits of the positions where they were last seen. That is enough, as no match may lie farther back than 2^15, and it keeps
//! the tables in the fastest caches. A position that is 2^16 or more bytes ago is taken for
//! another one, where most probably other bytes are: they are always compared.

use core::ops::Range;

mod buckets;
mod chains;
mod latest;

use super::Effort;
use super::token::{MAX_DISTANCE, Tokens};
use super::window::Window;

/// The fewest bytes that the hash tables find.
const HASHED: usize = 4;

/// Three bytes farther back than this are better written as literals.
const SHORT_DISTANCE: usize = 4096;

/// What a finder found.
#[derive(Clone, Copy)]
struct Match {
    length: usize,
    distance: usize,
}

/// A way to find matches.
pub(super) enum Finder {
    Latest(latest::Latest),
    Buckets(buckets::Buckets),
    Chains(chains::Chains),
}

impl Finder {
    pub(super) fn new(effort: Effort) -> Self {
        match effort {
            Effort::Fast => Self::Latest(latest::Latest::new()),
            Effort::Default => Self::Buckets(buckets::Buckets::new()),
            Effort::High => Self::Chains(chains::Chains::new()),
        }
    }

    /// Forgets all data.
    pub(super) fn reset(&mut self) {
        match self {
            Self::Latest(finder) => finder.reset(),
            Self::Buckets(finder) => finder.reset(),
            Self::Chains(finder) => finder.reset(),
        }
    }

    /// Appends the tokens for the bytes in `range`, which follow those of the last call.
    pub(super) fn parse(&mut self, window: &Window, range: Range<usize>, tokens: &mut Tokens) {
        match self {
            Self::Latest(finder) => finder.parse(window, range, tokens),
            Self::Buckets(finder) => finder.parse(window, range, tokens),
            Self::Chains(finder) => finder.parse(window, range, tokens),
        }
    }
}

/// The low bits of a position, which is what the tables hold.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
const fn low(position: usize) -> u16 {
    position as u16
}

/// How far before `at` the last position is that has these low bits: up to 65535, 0 for `at`.
/// A table that was filled with zeros before position 0 gives only distances that reach no farther
/// than to there.
#[inline]
const fn distance(at: usize, low_bits: u16) -> usize {
    low(at).wrapping_sub(low_bits) as usize
}

/// Whether a match may lie so far back.
#[inline]
const fn is_valid(distance: usize) -> bool {
    distance.wrapping_sub(1) < MAX_DISTANCE
}

/// A hash of `BITS` bits of the first four bytes of `word`.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the first bytes are in the low bits")]
const fn hash<const BITS: u32>(word: u64) -> usize {
    // The multiplier is 2^32 divided by the golden ratio (Knuth, volume 3, 6.4).
    (word as u32).wrapping_mul(0x9e37_79b1).wrapping_shr(32_u32.wrapping_sub(BITS)) as usize
}

/// Where nothing was found for long, nothing is to be expected, so most positions are passed over
/// without a look. This counts the literals since the last match.
#[derive(Default)]
struct Misses(usize);

impl Misses {
    /// How many positions to pass over after another literal, which are literals too.
    #[inline]
    const fn pass_over<const SHIFT: u32>(&mut self) -> usize {
        self.0 = self.0.wrapping_add(1);
        let n = self.0.wrapping_shr(SHIFT);
        if n < 32 { n } else { 32 }
    }
}
