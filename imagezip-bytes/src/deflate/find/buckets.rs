//! The default finder: the last four positions with the same hash are looked at, and before a short
//! match is taken, the next position is looked at too.
//!
//! The positions of a bucket are in one word. It is shifted to make room for a new one, and the
//! comparisons at all of them are independent of each other and need no branch, whereas in a chain
//! of positions each waits for the one before and may be the last. Matches of three bytes are few
//! but in machine code, where a small table for them saves 2 %.

use alloc::boxed::Box;
use core::ops::Range;

use super::super::token::{MAX_DISTANCE, MAX_MATCH, MIN_MATCH, Tokens};
use super::super::window::{Window, same_bytes};
use super::{Match, Misses, SHORT_DISTANCE, distance, hash, is_valid, low};

/// Two to these powers are the number of buckets and of the positions of three bytes.
const BITS: u32 = 14;
const SHORT_BITS: u32 = 12;

/// How many positions of a bucket are looked at, and how many if there is a match already, one byte
/// before. A word has room for four.
const FIRST_WAYS: usize = 4;
const LAZY_WAYS: usize = 2;

/// A match of so many bytes is taken without a look at the next position.
const LONG: usize = 8;

/// How many positions in a match are put into the table, besides the last.
const INSERTED: usize = 32;

pub(crate) struct Buckets {
    /// The latest position is in the lowest bits.
    table: Box<[u64; 1 << BITS]>,
    /// The latest position of three bytes.
    short: Box<[u16; 1 << SHORT_BITS]>,
    misses: Misses,
}

/// The positions of a bucket, the latest first.
#[inline]
fn positions(bucket: u64) -> [u16; 4] {
    [bucket, bucket >> 16, bucket >> 32, bucket >> 48].map(|bits| (bits & 0xffff) as u16)
}

impl Buckets {
    pub(crate) fn new() -> Self {
        Self {
            table: super::super::boxed(),
            short: super::super::boxed(),
            misses: Misses::default(),
        }
    }

    pub(crate) fn reset(&mut self) {
        self.table.fill(0);
        self.short.fill(0);
        self.misses = Misses::default();
    }

    /// Puts a position, at which `word` is, into the tables: the bucket and the position of three
    /// bytes that were there before.
    #[inline]
    fn insert(&mut self, word: u64, at: usize) -> (u64, u16) {
        let (mut bucket, mut short) = (0, 0);
        if let Some(place) = self.table.get_mut(hash::<BITS>(word)) {
            bucket = *place;
            *place = bucket << 16 | u64::from(low(at));
        }
        if let Some(place) = self.short.get_mut(hash::<SHORT_BITS>(word << 8)) {
            short = *place;
            *place = low(at);
        }
        (bucket, short)
    }

    /// Finds the longest match at the first `WAYS` positions, the nearest of those, and inserts the
    /// position.
    #[inline]
    fn find<const WAYS: usize>(&mut self, window: &Window, at: usize, end: usize) -> Match {
        let word = window.word(at);
        let (bucket, short) = self.insert(word, at);
        let most = end.wrapping_sub(at).min(MAX_MATCH);
        // Length and nearness in one number. It is made for every position, even for one that is
        // too far away: it takes less time than a branch whose outcome nobody knows.
        let rank = |position, farthest| {
            let distance = distance(at, position);
            let length = same_bytes(window.word(at.wrapping_sub(distance)) ^ word);
            let rank = length << 16 | distance ^ 0xffff;
            if distance.wrapping_sub(1) < farthest { rank } else { 0 }
        };
        let mut best = 0_usize;
        for position in positions(bucket).into_iter().take(WAYS) {
            best = best.max(rank(position, MAX_DISTANCE));
        }
        // Three bytes are no improvement on another match.
        if WAYS == FIRST_WAYS {
            best = best.max(rank(short, SHORT_DISTANCE));
        }
        let distance_of_best = best & 0xffff ^ 0xffff;
        let mut found = Match { length: (best >> 16).min(most), distance: distance_of_best };
        if found.length == 8 {
            for position in positions(bucket).into_iter().take(WAYS) {
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
        }
        found
    }

    pub(crate) fn parse(&mut self, window: &Window, range: Range<usize>, tokens: &mut Tokens) {
        let Range { start: mut at, end } = range;
        while at < end {
            let mut found = self.find::<FIRST_WAYS>(window, at, end);
            if found.length < MIN_MATCH {
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
                let next = self.find::<LAZY_WAYS>(window, inside, end);
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
