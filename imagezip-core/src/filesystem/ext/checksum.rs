//! The checksums of ext4 and of its journal that are no CRC-32C.

use crc::{CRC_16_MODBUS, CRC_32_MPEG_2, Crc, Table};

static CRC32_BE: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_MPEG_2);
static CRC16: Crc<u16> = Crc::<u16>::new(&CRC_16_MODBUS);

/// The CRC-16 of group descriptors without `metadata_csum`, over parts that follow each other.
pub(super) fn crc16(parts: &[&[u8]]) -> u16 {
    let mut digest = CRC16.digest();
    for part in parts {
        digest.update(part);
    }
    digest.finalize()
}

/// The big-endian CRC-32 of a journal transaction (journal checksums version 1).
pub(super) struct TransactionCrc(crc::Digest<'static, u32, Table<16>>);

impl TransactionCrc {
    pub(super) fn new() -> Self {
        Self(CRC32_BE.digest())
    }

    pub(super) fn add(&mut self, block: &[u8]) {
        self.0.update(block);
    }

    pub(super) fn finish(self) -> u32 {
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
        assert_eq!(crc16(&[&check[..2], &check[2..]]), 0x4b37);
        let mut sum = TransactionCrc::new();
        sum.add(check);
        assert_eq!(sum.finish(), 0x0376_e6e7);
    }
}
