//! The fastest finder: only the latest position with the same hash is looked at, and what is found
//! there is taken.

use alloc::boxed::Box;
use core::ops::Range;

use super::super::token::{MAX_MATCH, Tokens};
use super::super::window::{Window, same_bytes};
use super::{HASHED, Misses, distance, hash, is_valid, low};

/// Two to this power is the size of the table. A small one fits the first-level cache.
const BITS: u32 = 13;

/// How many positions in a match are put into the table.
const INSERTED: usize = 4;

pub(crate) struct Latest {
    table: Box<[u16; 1 << BITS]>,
    misses: Misses,
}

impl Latest {
    pub(crate) fn new() -> Self {
        Self { table: super::super::boxed(), misses: Misses::default() }
    }

    pub(crate) fn reset(&mut self) {
        self.table.fill(0);
        self.misses = Misses::default();
    }

    /// Puts a position, at which `word` is, into the table: the distance of the one before.
    #[inline]
    fn replace(&mut self, word: u64, at: usize) -> usize {
        let Some(place) = self.table.get_mut(hash::<BITS>(word)) else { return 0 };
        distance(at, core::mem::replace(place, low(at)))
    }

    pub(crate) fn parse(&mut self, window: &Window, range: Range<usize>, tokens: &mut Tokens) {
        let Range { start: mut at, end } = range;
        while at < end {
            let word = window.word(at);
            let distance = self.replace(word, at);
            let earlier = at.wrapping_sub(distance);
            let same = same_bytes(window.word(earlier) ^ word);
            let most = end.wrapping_sub(at).min(MAX_MATCH);
            if same >= HASHED && is_valid(distance) && most >= HASHED {
                let length =
                    if same < 8 { same.min(most) } else { window.common(earlier, at, 8, most) };
                tokens.copy(length, distance);
                self.misses = Misses::default();
                let start = at;
                at = at.wrapping_add(length);
                let inserted = start.wrapping_add(INSERTED).min(at);
                for inside in start.wrapping_add(1)..inserted {
                    self.replace(window.word(inside), inside);
                }
                let last = at.wrapping_sub(1);
                self.replace(window.word(last), last);
            } else {
                tokens.literal(window.byte(at));
                at = at.wrapping_add(1);
                let next = self.misses.pass_over::<5>().wrapping_add(at).min(end);
                for passed in at..next {
                    tokens.literal(window.byte(passed));
                }
                at = next;
            }
        }
    }
}
