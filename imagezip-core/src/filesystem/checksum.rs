//! Checksums of metadata: how they are compared, and CRC-32C, which ext4, XFS, Btrfs and UFS2 have.

use crc::{Algorithm, Crc, Table};

/// CRC-32C without the final inversion, so that one checksum can seed the next.
const RAW_CRC32C: Algorithm<u32> = Algorithm {
    width: 32,
    poly: 0x1edc_6f41,
    init: u32::MAX,
    refin: true,
    refout: true,
    xorout: 0,
    check: 0x1cf9_6d7c,
    residue: 0,
};

static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&RAW_CRC32C);

/// Whether a checksum is what it should be. To a fuzzer each is: it would never find a right one.
pub(super) fn agree(found: u32, expected: u32) -> bool {
    cfg!(fuzzing) || found == expected
}

/// A running CRC-32C. Formats differ in what they begin with, and whether they invert the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crc32c(u32);

impl Crc32c {
    /// Nothing summed up yet.
    pub(super) const START: Self = Self(u32::MAX);

    /// A checksum to go on from.
    pub(super) const fn from_seed(seed: u32) -> Self {
        Self(seed)
    }

    /// The checksum of what was summed up before, and `bytes`.
    #[must_use]
    pub(super) fn add(self, bytes: &[u8]) -> Self {
        // The library takes the start value with its bits in the polynomial's order.
        let mut digest = CRC32C.digest_with_initial(self.0.reverse_bits());
        digest.update(bytes);
        Self(digest.finalize())
    }

    /// The value.
    pub(super) const fn get(self) -> u32 {
        self.0
    }

    /// The low half, where only that is stored.
    pub(super) const fn low(self) -> u16 {
        let [low, high, ..] = self.0.to_le_bytes();
        u16::from_le_bytes([low, high])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Check value of the CRC catalogue (reveng.sourceforge.io), for "123456789".
    #[test]
    fn catalogue_value() {
        let check = b"123456789";
        assert_eq!(!Crc32c::START.add(check).get(), 0xe306_9283);
        assert_eq!(Crc32c::START.add(&check[..4]).add(&check[4..]), Crc32c::START.add(check));
        assert_eq!(Crc32c::from_seed(0x1234_5678).low(), 0x5678);
    }
}
