//! The checksum of superblocks and checkpoints.

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};

use super::superblock::MAGIC;

/// Only a few blocks are summed up: no table is worth its size.
static CRC32: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// The CRC-32 of parts that follow each other, begun with the magic number and not inverted in
/// the end.
pub(super) fn crc32(parts: &[&[u8]]) -> u32 {
    // The library takes the start value with its bits in the polynomial's order.
    let mut digest = CRC32.digest_with_initial(MAGIC.reverse_bits());
    for part in parts {
        digest.update(part);
    }
    !digest.finalize()
}
