//! The input of a match finder, laid out so that reading it needs no checks.

use alloc::boxed::Box;

use super::INPUT_MAX;

/// What may be read after the last byte of the largest input.
const SLOP: usize = 16;

/// A copy of the input. The compiler sees that a masked position and eight bytes from there on lie
/// within the array; without the copy, each of the many reads would be checked twice. The copying
/// takes less than 1 % of the time.
pub(super) struct Window {
    bytes: Box<[u8; INPUT_MAX + SLOP]>,
}

impl Window {
    pub(super) fn new() -> Self {
        Self { bytes: super::boxed() }
    }

    /// Takes `input`, of which at most [`INPUT_MAX`] bytes. Zeros follow it.
    pub(super) fn load(&mut self, input: &[u8]) {
        let (data, slop) = self.bytes.split_at_mut(input.len().min(INPUT_MAX));
        data.copy_from_slice(input.get(..data.len()).unwrap_or_default());
        // What was left of the last input must not decide anything.
        slop.iter_mut().take(SLOP).for_each(|byte| *byte = 0);
    }

    #[inline]
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at % INPUT_MAX).copied().unwrap_or_default()
    }

    /// The eight bytes from `at` on, the first in the lowest bits.
    #[inline]
    pub(super) fn word(&self, at: usize) -> u64 {
        let at = at % INPUT_MAX;
        let bytes = self.bytes.get(at..at.wrapping_add(8)).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// The four bytes from `at` on, the first in the lowest bits.
    #[inline]
    pub(super) fn half_word(&self, at: usize) -> u32 {
        let at = at % INPUT_MAX;
        let bytes = self.bytes.get(at..at.wrapping_add(4)).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    /// How many bytes from `earlier` and `later` on are the same: at least `from`, of which the
    /// caller knows, and at most `most`.
    #[inline]
    pub(super) fn common(&self, earlier: usize, later: usize, from: usize, most: usize) -> usize {
        let mut length = from;
        while length < most {
            let other = self.word(earlier.wrapping_add(length));
            let difference = other ^ self.word(later.wrapping_add(length));
            if difference != 0 {
                return length.wrapping_add(same_bytes(difference)).min(most);
            }
            length = length.wrapping_add(8);
        }
        most
    }
}

/// How many of the first bytes are the same in words whose exclusive or this is.
#[inline]
pub(super) const fn same_bytes(difference: u64) -> usize {
    (difference.trailing_zeros() / 8) as usize
}
