//! Runs of clear bits in an allocation bitmap.

use core::ops::Range;

/// A block bitmap: one bit for each cluster of a group, least significant bit first, set if the
/// cluster is in use. Bits beyond the group's end are not looked at.
#[derive(Clone, Copy)]
pub(super) struct Bitmap<'a> {
    bytes: &'a [u8],
    bits: u32,
}

impl<'a> Bitmap<'a> {
    /// The first `bits` bits of `bytes`; `None` if there are not as many.
    ///
    /// `bytes` is as long as a block, and so a multiple of eight.
    pub(super) fn new(bytes: &'a [u8], bits: u32) -> Option<Self> {
        let enough = u64::from(bits).div_ceil(8) <= u64::try_from(bytes.len()).ok()?;
        enough.then_some(Self { bytes, bits })
    }

    /// The runs of free clusters, in ascending order.
    pub(super) fn free_runs(self) -> FreeRuns<'a> {
        FreeRuns { bitmap: self, at: 0 }
    }

    /// The number of the first bit from `from` on that is `set`, or of the end.
    fn find(self, set: bool, from: u32) -> u32 {
        let flip = if set { 0 } else { u64::MAX };
        let mut number = from / 64;
        let mut wanted = u64::MAX.wrapping_shl(from % 64);
        while let Some(word) = self.word(number) {
            let hits = (word ^ flip) & wanted;
            if hits != 0 {
                let bit = number.saturating_mul(64).saturating_add(hits.trailing_zeros());
                return bit.min(self.bits);
            }
            wanted = u64::MAX;
            number = number.saturating_add(1);
        }
        self.bits
    }

    fn word(self, number: u32) -> Option<u64> {
        let at = usize::try_from(number).ok()?.checked_mul(8)?;
        self.bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
    }
}

/// See [`Bitmap::free_runs`].
pub(super) struct FreeRuns<'a> {
    bitmap: Bitmap<'a>,
    at: u32,
}

impl Iterator for FreeRuns<'_> {
    type Item = Range<u32>;

    fn next(&mut self) -> Option<Range<u32>> {
        if self.at >= self.bitmap.bits {
            return None;
        }
        let start = self.bitmap.find(false, self.at);
        if start >= self.bitmap.bits {
            return None;
        }
        self.at = self.bitmap.find(true, start);
        Some(start..self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn bit_by_bit(bytes: &[u8], bits: u32) -> Vec<u32> {
        (0..bits).filter(|bit| bytes[*bit as usize / 8] >> (bit % 8) & 1 == 0).collect()
    }

    proptest! {
        #[test]
        fn runs_are_those_of_a_look_at_every_bit(
            pieces in prop::collection::vec((any::<bool>(), any::<u64>(), 1..9_usize), 1..9),
            cut in 0..64_u32,
        ) {
            // Long runs and noise in turns.
            let words = pieces.iter().flat_map(|(noise, word, repeat)| {
                let word = if *noise { *word } else if word & 1 == 0 { 0 } else { u64::MAX };
                std::iter::repeat_n(word, *repeat)
            });
            let bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
            let bits = u32::try_from(bytes.len() * 8).unwrap() - cut;
            let runs: Vec<_> = Bitmap::new(&bytes, bits).unwrap().free_runs().collect();
            prop_assert!(runs.iter().all(|run| run.start < run.end));
            prop_assert!(runs.windows(2).all(|pair| pair[0].end < pair[1].start));
            prop_assert_eq!(runs.into_iter().flatten().collect::<Vec<_>>(), bit_by_bit(&bytes, bits));
        }
    }

    #[test]
    fn a_bitmap_is_long_enough_or_none() {
        assert!(Bitmap::new(&[0; 8], 64).is_some());
        assert!(Bitmap::new(&[0; 8], 65).is_none());
        assert_eq!(Bitmap::new(&[], 0).unwrap().free_runs().count(), 0);
    }
}
