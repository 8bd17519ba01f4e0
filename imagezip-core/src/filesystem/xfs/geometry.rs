//! Where blocks and allocation groups lie.

use core::ops::Range;

use crate::sector::{Bytes, SECTOR_BYTES, Sector, SectorRange};

/// The least number of blocks in an allocation group.
const LEAST_AG_BLOCKS: u32 = 64;

/// The shape of a file system. It holds together: sizes are powers of two, groups are not
/// empty, the last one is not longer than the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    /// The binary logarithm of the bytes in a block, 9 to 16.
    pub(super) block_log: u32,
    /// The size in bytes of a sector as the file system knows it, 512 to 32768.
    pub(super) sector_bytes: u32,
    /// The blocks of the file system.
    pub(super) blocks: u64,
    /// The blocks of a group, but for the last.
    pub(super) ag_blocks: u32,
    /// The number of groups.
    pub(super) ag_count: u32,
    /// The number of low bits of a block's number that count from the start of its group.
    pub(super) ag_block_log: u32,
}

/// What a superblock says about sizes.
pub(super) struct Sizes {
    pub(super) block_bytes: u32,
    pub(super) block_log: u8,
    pub(super) sector_bytes: u16,
    pub(super) sector_log: u8,
    pub(super) blocks: u64,
    pub(super) ag_blocks: u32,
    pub(super) ag_block_log: u8,
    pub(super) ag_count: u32,
}

impl Geometry {
    /// The shape; `None` if no file system can have it.
    pub(super) fn new(sizes: &Sizes) -> Option<Self> {
        let block_log = log2(sizes.block_bytes, sizes.block_log, 9..=16)?;
        let sector_bytes = u32::from(sizes.sector_bytes);
        log2(sector_bytes, sizes.sector_log, 9..=15)?;
        let ag_block_log = u32::from(sizes.ag_block_log);
        let rounded = u64::from(sizes.ag_blocks).checked_next_power_of_two()?;
        let groups = u64::from(sizes.ag_count);
        let most = groups.checked_mul(u64::from(sizes.ag_blocks))?;
        let least = most
            .checked_sub(u64::from(sizes.ag_blocks))?
            .checked_add(u64::from(LEAST_AG_BLOCKS))?;
        let valid = sector_bytes <= sizes.block_bytes
            && sizes.ag_blocks >= LEAST_AG_BLOCKS
            && rounded.ilog2() == ag_block_log
            && (least..=most).contains(&sizes.blocks);
        valid.then_some(Self {
            block_log,
            sector_bytes,
            blocks: sizes.blocks,
            ag_blocks: sizes.ag_blocks,
            ag_count: sizes.ag_count,
            ag_block_log,
        })
    }

    /// The size of a block, as a length in memory.
    pub(super) fn block_len(&self) -> usize {
        1_usize.wrapping_shl(self.block_log)
    }

    /// The size of a sector, as a length in memory.
    pub(super) fn sector_len(&self) -> usize {
        usize::try_from(self.sector_bytes).unwrap_or(usize::MAX)
    }

    /// The size of the file system; `Bytes::MAX` if that is beyond 64 bits.
    pub(super) fn size(&self) -> Bytes {
        Bytes(self.blocks.saturating_mul(1_u64.wrapping_shl(self.block_log)))
    }

    /// How many blocks group `number` has.
    pub(super) fn ag_len(&self, number: u32) -> u32 {
        let before = u64::from(number).saturating_mul(u64::from(self.ag_blocks));
        let rest = self.blocks.saturating_sub(before);
        u32::try_from(rest).unwrap_or(u32::MAX).min(self.ag_blocks)
    }

    /// The position of a group's block; the next group's first, or the end, if it has as many.
    pub(super) fn position(&self, ag: u32, block: u32) -> Bytes {
        let block = u64::from(ag)
            .saturating_mul(u64::from(self.ag_blocks))
            .saturating_add(u64::from(block));
        // The groups end where the device does at the latest.
        Bytes(block.saturating_mul(1_u64.wrapping_shl(self.block_log)))
    }

    /// The position of one of the sectors at a group's start, which hold its headers.
    pub(super) fn header(&self, ag: u32, sector: u32) -> Bytes {
        let offset = u64::from(self.sector_bytes).saturating_mul(u64::from(sector));
        Bytes(self.position(ag, 0).get().saturating_add(offset))
    }

    /// How many blocks the headers at a group's start take: four sectors.
    pub(super) fn header_blocks(&self) -> u32 {
        self.sector_bytes.saturating_mul(4).div_ceil(1_u32.wrapping_shl(self.block_log))
    }

    /// Blocks of a group, as sectors.
    pub(super) fn sectors(&self, ag: u32, blocks: &Range<u32>) -> Option<SectorRange> {
        let sector = |block| Sector::new(self.position(ag, block).get() / SECTOR_BYTES);
        SectorRange::new(sector(blocks.start)?, sector(blocks.end)?)
    }

    /// The group and the block of it that a block's number means; `None` if there is none.
    pub(super) fn locate(&self, number: u64) -> Option<(u32, u32)> {
        let ag = u32::try_from(number.wrapping_shr(self.ag_block_log)).ok()?;
        let mask = 1_u64.wrapping_shl(self.ag_block_log).wrapping_sub(1);
        let block = u32::try_from(number & mask).ok()?;
        (ag < self.ag_count && block < self.ag_len(ag)).then_some((ag, block))
    }
}

/// The binary logarithm of a size, if that is what `log` says and it is among those allowed.
fn log2(bytes: u32, log: u8, allowed: core::ops::RangeInclusive<u32>) -> Option<u32> {
    let log = u32::from(log);
    (allowed.contains(&log) && 1_u32.checked_shl(log) == Some(bytes)).then_some(log)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes {
        block_bytes: 4096,
        block_log: 12,
        sector_bytes: 512,
        sector_log: 9,
        blocks: 2100,
        ag_blocks: 1000,
        ag_block_log: 10,
        ag_count: 3,
    };

    #[test]
    fn the_last_group_is_short() {
        let geometry = Geometry::new(&SIZES).unwrap();
        assert_eq!([0, 1, 2, 3].map(|ag| geometry.ag_len(ag)), [1000, 1000, 100, 0]);
        assert_eq!(geometry.locate(2147), Some((2, 99)));
        assert_eq!(geometry.locate(2148), None);
        assert_eq!(geometry.locate(1001), None);
        assert_eq!(geometry.locate(3072), None);
        assert_eq!(geometry.position(1, 3), Bytes(1003 << 12));
        assert_eq!(geometry.header(1, 3), Bytes((1000 << 12) + 1536));
        assert_eq!(geometry.header_blocks(), 1);
    }

    #[test]
    fn shapes_that_cannot_be() {
        let refused = |sizes: Sizes| assert!(Geometry::new(&sizes).is_none());
        refused(Sizes { block_bytes: 4095, ..SIZES });
        refused(Sizes { block_log: 13, ..SIZES });
        refused(Sizes { block_bytes: 1 << 17, block_log: 17, ..SIZES });
        refused(Sizes { sector_bytes: 8192, sector_log: 13, ..SIZES });
        refused(Sizes { sector_bytes: 256, sector_log: 8, ..SIZES });
        refused(Sizes { blocks: 3001, ..SIZES });
        refused(Sizes { blocks: 2063, ..SIZES });
        refused(Sizes { blocks: 0, ag_count: 0, ..SIZES });
        refused(Sizes { ag_blocks: 0, ..SIZES });
        refused(Sizes { ag_block_log: 9, ..SIZES });
        refused(Sizes { ag_count: u32::MAX, ag_blocks: u32::MAX, blocks: u64::MAX, ..SIZES });
    }
}
