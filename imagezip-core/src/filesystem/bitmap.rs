//! Runs of bits in an allocation bitmap.

use core::ops::Range;

/// A bitmap: one bit for each cluster, or whatever is counted, least significant bit first.
#[derive(Clone, Copy)]
pub(super) struct Bitmap<'a> {
    /// As many as the bits need.
    bytes: &'a [u8],
    bits: u32,
}

impl<'a> Bitmap<'a> {
    /// The first `bits` bits of `bytes`; `None` if there are not as many.
    pub(super) fn new(bytes: &'a [u8], bits: u32) -> Option<Self> {
        let len = usize::try_from(bits.div_ceil(8)).ok()?;
        Some(Self { bytes: bytes.get(..len)?, bits })
    }

    /// The runs of bits that are not set, in ascending order.
    pub(super) fn clear_runs(self) -> impl Iterator<Item = Range<u32>> + use<'a> {
        self.runs(false)
    }

    /// The runs of bits that are set, in ascending order.
    pub(super) fn set_runs(self) -> impl Iterator<Item = Range<u32>> + use<'a> {
        self.runs(true)
    }

    fn runs(self, set: bool) -> impl Iterator<Item = Range<u32>> + use<'a> {
        let mut at = 0;
        core::iter::from_fn(move || {
            let start = self.find(set, at);
            if start >= self.bits {
                return None;
            }
            at = self.find(!set, start);
            Some(start..at)
        })
    }

    /// The number of the first bit from `from` on that is `set`, or of the end.
    pub(super) fn find(self, set: bool, from: u32) -> u32 {
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

    /// 64 bits. Those behind the end are not set.
    fn word(self, number: u32) -> Option<u64> {
        let at = usize::try_from(number).ok()?.checked_mul(8)?;
        let rest = self.bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let mut word = [0; 8];
        match rest.first_chunk() {
            Some(whole) => word = *whole,
            None => word.iter_mut().zip(rest).for_each(|(to, from)| *to = *from),
        }
        Some(u64::from_le_bytes(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn bit_by_bit(bytes: &[u8], bits: u32, set: bool) -> Vec<u32> {
        (0..bits).filter(|bit| (bytes[*bit as usize / 8] >> (bit % 8) & 1 == 1) == set).collect()
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
            let mut bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
            let bits = u32::try_from(bytes.len() * 8).unwrap() - cut;
            bytes.truncate(bits.div_ceil(8) as usize);
            let bitmap = Bitmap::new(&bytes, bits).unwrap();
            let (clear, set): (Vec<_>, Vec<_>) = (bitmap.clear_runs().collect(), bitmap.set_runs().collect());
            for (runs, set) in [(clear, false), (set, true)] {
                prop_assert!(runs.iter().all(|run| run.start < run.end));
                prop_assert!(runs.windows(2).all(|pair| pair[0].end < pair[1].start));
                let expected = bit_by_bit(&bytes, bits, set);
                prop_assert_eq!(runs.into_iter().flatten().collect::<Vec<_>>(), expected);
            }
        }
    }

    #[test]
    fn a_bitmap_is_long_enough_or_none() {
        assert!(Bitmap::new(&[0; 8], 64).is_some());
        assert!(Bitmap::new(&[0; 8], 65).is_none());
        assert_eq!(Bitmap::new(&[], 0).unwrap().clear_runs().count(), 0);
        assert_eq!(Bitmap::new(&[0; 9], 70).unwrap().find(true, 80), 70);
    }
}
