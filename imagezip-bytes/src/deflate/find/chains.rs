//! The finder for those who have time: all positions are kept, chained to the one before with the
//! same hash, and many of them are looked at. It also finds matches of three bytes nearby.

use alloc::boxed::Box;
use core::ops::Range;

use super::super::token::{MAX_DISTANCE, MAX_MATCH, MIN_MATCH, Tokens};
use super::super::window::{Window, same_bytes};
use super::{HASHED, Match, SHORT_DISTANCE, distance, hash, is_valid, low};

/// Two to these powers are the sizes of the tables for four and for three bytes.
const BITS: u32 = 15;
const SHORT_BITS: u32 = 13;

/// How many positions of a chain are looked at, and how many if there is a match already, one
/// byte before.
const DEPTH: usize = 64;
const LAZY_DEPTH: usize = 32;

/// A match of so many bytes is taken without a look at the next position.
const LONG: usize = 32;

/// A match of so many bytes ends the search.
const NICE: usize = 128;

pub(crate) struct Chains {
    /// The latest position of each hash.
    latest: Box<[u16; 1 << BITS]>,
    /// By the low bits of a position: the one before with the same hash.
    before: Box<[u16; MAX_DISTANCE]>,
    /// The latest position of three bytes.
    short: Box<[u16; 1 << SHORT_BITS]>,
}

/// The distances at which a search begins.
struct Starts {
    chain: usize,
    short: usize,
}

impl Chains {
    pub(crate) fn new() -> Self {
        let boxed = super::super::boxed;
        Self { latest: super::super::boxed(), before: super::super::boxed(), short: boxed() }
    }

    pub(crate) fn reset(&mut self) {
        self.latest.fill(0);
        self.before.fill(0);
        self.short.fill(0);
    }

    /// Puts a position, at which `word` is, at the head of its chain.
    #[inline]
    fn insert(&mut self, word: u64, at: usize) -> Starts {
        let mut starts = Starts { chain: 0, short: 0 };
        if let Some(latest) = self.latest.get_mut(hash::<BITS>(word))
            && let Some(before) = self.before.get_mut(at % MAX_DISTANCE)
        {
            *before = core::mem::replace(latest, low(at));
            starts.chain = distance(at, *before);
        }
        if let Some(latest) = self.short.get_mut(hash::<SHORT_BITS>(word << 8)) {
            starts.short = distance(at, core::mem::replace(latest, low(at)));
        }
        starts
    }

    /// Finds the longest match of more than `least` bytes, the nearest of those, and inserts the
    /// position.
    #[inline]
    fn find(
        &mut self,
        window: &Window,
        at: usize,
        end: usize,
        least: usize,
        depth: usize,
    ) -> Option<Match> {
        let word = window.word(at);
        let starts = self.insert(word, at);
        let most = end.wrapping_sub(at).min(MAX_MATCH);
        if most < HASHED {
            return None;
        }
        let mut found = None;
        let mut longest = least;
        if longest < MIN_MATCH && starts.short.wrapping_sub(1) < SHORT_DISTANCE {
            let difference = window.word(at.wrapping_sub(starts.short)) ^ word;
            if same_bytes(difference) >= MIN_MATCH {
                found = Some(Match { length: MIN_MATCH, distance: starts.short });
            }
        }
        // Only what matches beyond the longest match so far is of interest, so its last three
        // bytes and the next are compared first.
        longest = longest.max(MIN_MATCH);
        let mut tail_at = longest.wrapping_sub(3);
        let mut tail = window.half_word(at.wrapping_add(tail_at));
        let head = window.half_word(at);
        let (mut distance_here, mut nearer) = (starts.chain, 0);
        for _ in 0..depth {
            // Where a chain ends or enters another one, the distances don't grow.
            if distance_here <= nearer || !is_valid(distance_here) {
                break;
            }
            let earlier = at.wrapping_sub(distance_here);
            if window.half_word(earlier.wrapping_add(tail_at)) == tail
                && window.half_word(earlier) == head
            {
                let length = window.common(earlier, at, HASHED, most);
                if length > longest {
                    longest = length;
                    found = Some(Match { length, distance: distance_here });
                    if length >= NICE.min(most) {
                        break;
                    }
                    tail_at = length.wrapping_sub(3);
                    tail = window.half_word(at.wrapping_add(tail_at));
                }
            }
            nearer = distance_here;
            let before = self.before.get(earlier % MAX_DISTANCE);
            distance_here = before.map_or(0, |before| distance(at, *before));
        }
        found
    }

    pub(crate) fn parse(&mut self, window: &Window, range: Range<usize>, tokens: &mut Tokens) {
        let Range { start: mut at, end } = range;
        while at < end {
            let Some(mut found) = self.find(window, at, end, 0, DEPTH) else {
                tokens.literal(window.byte(at));
                at = at.wrapping_add(1);
                continue;
            };
            // The first position of the match that isn't in the tables yet.
            let mut inside = at.wrapping_add(1);
            while found.length < LONG && inside < end {
                let next = self.find(window, inside, end, found.length, LAZY_DEPTH);
                inside = inside.wrapping_add(1);
                let Some(next) = next else { break };
                tokens.literal(window.byte(at));
                at = at.wrapping_add(1);
                found = next;
            }
            tokens.copy(found.length, found.distance);
            at = at.wrapping_add(found.length);
            while inside < at {
                self.insert(window.word(inside), inside);
                inside = inside.wrapping_add(1);
            }
        }
    }
}
