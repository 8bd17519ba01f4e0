//! The checksums of ext4 and of its journal.

use crc::{Algorithm, CRC_16_MODBUS, CRC_32_MPEG_2, Crc, Table};

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
static CRC32_BE: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_MPEG_2);
static CRC16: Crc<u16> = Crc::<u16>::new(&CRC_16_MODBUS);

/// A running CRC-32C, as metadata and the journal use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::filesystem) struct Crc32c(u32);

impl Crc32c {
    /// Nothing summed up yet.
    pub(in crate::filesystem) const START: Self = Self(u32::MAX);

    /// A checksum to go on from.
    pub(in crate::filesystem) const fn from_seed(seed: u32) -> Self {
        Self(seed)
    }

    /// The checksum of what was summed up before, and `bytes`.
    #[must_use]
    pub(in crate::filesystem) fn add(self, bytes: &[u8]) -> Self {
        // The library takes the start value with its bits in the polynomial's order.
        let mut digest = CRC32C.digest_with_initial(self.0.reverse_bits());
        digest.update(bytes);
        Self(digest.finalize())
    }

    /// The value.
    pub(in crate::filesystem) const fn get(self) -> u32 {
        self.0
    }

    /// The low half, where only that is stored.
    pub(in crate::filesystem) const fn low(self) -> u16 {
        let [low, high, ..] = self.0.to_le_bytes();
        u16::from_le_bytes([low, high])
    }
}

/// The CRC-16 of group descriptors without `metadata_csum`, over parts that follow each other.
pub(in crate::filesystem) fn crc16(parts: &[&[u8]]) -> u16 {
    let mut digest = CRC16.digest();
    for part in parts {
        digest.update(part);
    }
    digest.finalize()
}

/// The big-endian CRC-32 of a journal transaction (journal checksums version 1).
pub(in crate::filesystem) struct TransactionCrc(crc::Digest<'static, u32, Table<16>>);

impl TransactionCrc {
    pub(in crate::filesystem) fn new() -> Self {
        Self(CRC32_BE.digest())
    }

    pub(in crate::filesystem) fn add(&mut self, block: &[u8]) {
        self.0.update(block);
    }

    pub(in crate::filesystem) fn finish(self) -> u32 {
        self.0.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Check values of the CRC catalogue (reveng.sourceforge.io), for "123456789".
    #[test]
    fn catalogue_values() {
        let check = b"123456789";
        assert_eq!(!Crc32c::START.add(check).get(), 0xe306_9283);
        assert_eq!(Crc32c::START.add(&check[..4]).add(&check[4..]), Crc32c::START.add(check));
        assert_eq!(crc16(&[&check[..2], &check[2..]]), 0x4b37);
        let mut sum = TransactionCrc::new();
        sum.add(check);
        assert_eq!(sum.finish(), 0x0376_e6e7);
        assert_eq!(Crc32c::from_seed(0x1234_5678).low(), 0x5678);
    }
}
