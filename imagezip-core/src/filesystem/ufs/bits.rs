//! Runs of set bits.

use core::ops::Range;

/// Bits, the least significant one of each byte first.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    len: u32,
}

impl<'a> Bits<'a> {
    /// The first `len` bits from byte `at` of `bytes` on; `None` if there are not as many.
    pub(super) fn new(bytes: &'a [u8], at: u32, len: u32) -> Option<Self> {
        let at = usize::try_from(at).ok()?;
        let size = usize::try_from(len.div_ceil(8)).ok()?;
        Some(Self { bytes: bytes.get(at..)?.get(..size)?, len })
    }

    /// The number of the first bit from `from` on that is `set`, or of the end.
    pub(super) fn find(self, set: bool, from: u32) -> u32 {
        let flip = if set { 0 } else { u8::MAX };
        let mut number = from / 8;
        let mut wanted = u8::MAX.wrapping_shl(from % 8);
        while let Some(byte) = usize::try_from(number).ok().and_then(|at| self.bytes.get(at)) {
            let hits = (byte ^ flip) & wanted;
            if hits != 0 {
                let bit = number.saturating_mul(8).saturating_add(hits.trailing_zeros());
                return bit.min(self.len);
            }
            wanted = u8::MAX;
            number = number.saturating_add(1);
        }
        self.len
    }

    /// The runs of set bits, in ascending order.
    pub(super) fn runs(self) -> impl Iterator<Item = Range<u32>> + use<'a> {
        let mut at = 0;
        core::iter::from_fn(move || {
            let start = self.find(true, at);
            if start >= self.len {
                return None;
            }
            at = self.find(false, start);
            Some(start..at)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn runs_are_those_of_a_look_at_every_bit(
            bytes in prop::collection::vec(prop_oneof![Just(0_u8), Just(0xff), any::<u8>()], 1..40),
            cut in 0..8_u32,
        ) {
            let len = u32::try_from(bytes.len() * 8).unwrap() - cut;
            let expected = (0..len).filter(|bit| bytes[*bit as usize / 8] >> (bit % 8) & 1 == 1);
            let runs: Vec<_> = Bits::new(&bytes, 0, len).unwrap().runs().collect();
            prop_assert!(runs.windows(2).all(|pair| pair[0].end < pair[1].start));
            let expected = expected.collect::<Vec<_>>();
            prop_assert_eq!(runs.into_iter().flatten().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn there_are_enough_bits_or_none() {
        assert!(Bits::new(&[0; 8], 4, 32).is_some());
        assert!(Bits::new(&[0; 8], 4, 33).is_none());
        assert!(Bits::new(&[0; 8], u32::MAX, 1).is_none());
        assert_eq!(Bits::new(&[], 0, 0).unwrap().runs().count(), 0);
    }
}
