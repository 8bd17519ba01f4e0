//! The default finder: the last four positions with the same hash are looked at, and before
//! a short match is taken, the next position is looked at too.
//!
//! The four positions of a bucket are in one word. It is shifted to make room for a new one, and
//! the comparisons at all four are independent of each other and need no branch, whereas in
//! a chain of positions each waits for the one before and may be the last.

use alloc::boxed::Box;
use core::ops::Range;

use super::super::token::{MAX_MATCH, Tokens};
use super::super::window::{Window, same_bytes};
use super::{HASHED, Misses, distance, hash, is_valid, low};

/// Two to this power is the number of buckets.
const BITS: u32 = 13;

/// A match of so many bytes is taken without a look at the next position.
const LONG: usize = 8;

/// How many positions in a match are put into the table, besides the last.
const INSERTED: usize = 32;

pub(crate) struct Buckets {
    /// The latest position is in the lowest bits.
    table: Box<[u64; 1 << BITS]>,
    misses: Misses,
}

#[derive(Clone, Copy)]
struct Match {
    length: usize,
    distance: usize,
}

impl Match {
    const NONE: Self = Self { length: 0, distance: 0 };
}

/// The positions of a bucket, the latest first.
#[inline]
fn positions(bucket: u64) -> [u16; 4] {
    [bucket, bucket >> 16, bucket >> 32, bucket >> 48].map(|bits| (bits & 0xffff) as u16)
}

impl Buckets {
    pub(crate) fn new() -> Self {
        Self { table: super::super::boxed(), misses: Misses::default() }
    }

    pub(crate) fn reset(&mut self) {
        self.table.fill(0);
        self.misses = Misses::default();
    }

    /// Puts a position, at which `word` is, into its bucket: what was there before.
    #[inline]
    fn insert(&mut self, word: u64, at: usize) -> u64 {
        let Some(bucket) = self.table.get_mut(hash::<BITS>(word)) else { return 0 };
        let before = *bucket;
        *bucket = before << 16 | u64::from(low(at));
        before
    }

    /// Finds the longest match, the nearest of those, and inserts the position.
    #[inline]
    fn find(&mut self, window: &Window, at: usize, end: usize) -> Match {
        let word = window.word(at);
        let bucket = self.insert(word, at);
        let most = end.wrapping_sub(at).min(MAX_MATCH);
        // Length and nearness in one number.
        let mut best = 0_usize;
        for position in positions(bucket) {
            let distance = distance(at, position);
            let length = same_bytes(window.word(at.wrapping_sub(distance)) ^ word);
            let rank = length << 16 | (distance ^ 0xffff);
            best = best.max(if is_valid(distance) { rank } else { 0 });
        }
        if best < 8 << 16 {
            return Match { length: (best >> 16).min(most), distance: best & 0xffff ^ 0xffff };
        }
        let mut found = Match::NONE;
        for position in positions(bucket) {
            let distance = distance(at, position);
            let earlier = at.wrapping_sub(distance);
            if is_valid(distance) && window.word(earlier) == word {
                let length = window.common(earlier, at, 8, most);
                if length > found.length {
                    found = Match { length, distance };
                    if length == most {
                        break;
                    }
                }
            }
        }
        found
    }

    pub(crate) fn parse(&mut self, window: &Window, range: Range<usize>, tokens: &mut Tokens) {
        let Range { start: mut at, end } = range;
        while at < end {
            let mut found = self.find(window, at, end);
            if found.length < HASHED {
                tokens.literal(window.byte(at));
                at = at.wrapping_add(1);
                let next = self.misses.pass_over::<8>().wrapping_add(at).min(end);
                for passed in at..next {
                    tokens.literal(window.byte(passed));
                }
                at = next;
                continue;
            }
            self.misses = Misses::default();
            // The first position of the match that isn't in the table yet.
            let mut inside = at.wrapping_add(1);
            while found.length < LONG && inside < end {
                let next = self.find(window, inside, end);
                inside = inside.wrapping_add(1);
                if next.length <= found.length {
                    break;
                }
                tokens.literal(window.byte(at));
                at = at.wrapping_add(1);
                found = next;
            }
            tokens.copy(found.length, found.distance);
            let inserted = at.wrapping_add(found.length.min(INSERTED));
            at = at.wrapping_add(found.length);
            while inside < inserted {
                self.insert(window.word(inside), inside);
                inside = inside.wrapping_add(1);
            }
            if inside < at {
                let last = at.wrapping_sub(1);
                self.insert(window.word(last), last);
            }
        }
    }
}
