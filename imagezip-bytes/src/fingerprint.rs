//! Telling whether data are still the same.

use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

/// The XXH3 hash of some data, 64 bits: tells what was damaged by accident from what was not. It
/// takes a small part of a digest's time, and resists nobody who means harm; so it never leaves
/// the memory of the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The fingerprint of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(xxh3_64(bytes))
    }
}

/// Makes the [`Fingerprint`] of data that come in parts.
pub struct Fingerprinter(Xxh3Default);

impl Fingerprinter {
    /// Of no data so far.
    pub fn new() -> Self {
        Self(Xxh3Default::new())
    }

    /// Takes in the next data.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The fingerprint of all that were taken in.
    pub fn finish(&self) -> Fingerprint {
        Fingerprint(self.0.digest())
    }
}

impl Default for Fingerprinter {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[test]
    fn known_values() {
        // Of the reference implementation's documentation: no bytes, seed 0.
        assert_eq!(Fingerprint::of(b""), Fingerprint(0x2d06_8005_38d3_94c2));
    }

    proptest! {
        #[test]
        fn parts_make_the_whole(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..5)) {
            let mut hasher = Fingerprinter::new();
            for part in &parts { hasher.update(part); }
            prop_assert_eq!(hasher.finish(), Fingerprint::of(&parts.concat()));
        }

        #[test]
        fn one_bit_is_seen(mut data in prop::collection::vec(any::<u8>(), 1..3000), at: usize, bit in 0..8_u8) {
            let before: Vec<u8> = data.clone();
            let at = at % data.len();
            data[at] ^= 1 << bit;
            prop_assert_ne!(Fingerprint::of(&data), Fingerprint::of(&before));
        }
    }
}
