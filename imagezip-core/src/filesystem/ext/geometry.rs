//! Where blocks, groups and their fixed metadata lie.

use core::ops::Range;

use crate::sector::{Bytes, SECTOR_BYTES, Sector, SectorRange};

use super::features::{Compat, Features, RoCompat};

/// The size of a block: a power of two from 1 KiB to 64 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockSize {
    /// The binary logarithm of the bytes, 10 to 16.
    shift: u32,
}

impl BlockSize {
    /// A block of 1024 << `log` bytes.
    pub(super) fn from_log(log: u32) -> Option<Self> {
        let shift = log.checked_add(10)?;
        (shift <= 16).then_some(Self { shift })
    }

    /// The bytes of a block.
    pub(super) fn bytes(self) -> u32 {
        1_u32.wrapping_shl(self.shift)
    }

    /// The bytes of a block, as a length in memory.
    pub(super) fn len(self) -> usize {
        1_usize.wrapping_shl(self.shift)
    }

    /// The position of block `number`.
    pub(super) fn position(self, number: u64) -> Option<Bytes> {
        number.checked_mul(u64::from(self.bytes())).map(Bytes)
    }

    /// The block in which a byte lies, and the byte's offset there.
    pub(super) fn locate(self, at: Bytes) -> (u64, usize) {
        let number = at.get().wrapping_shr(self.shift);
        let mask = self.len().wrapping_sub(1);
        // The mask leaves at most 16 bits.
        let offset = usize::try_from(at.get() & u64::from(self.bytes()).wrapping_sub(1));
        (number, offset.unwrap_or(mask))
    }

    /// How many whole blocks a size holds.
    pub(super) fn blocks_in(self, size: Bytes) -> u64 {
        size.get().wrapping_shr(self.shift)
    }

    /// The blocks, as sectors.
    pub(super) fn sectors(self, blocks: &Range<u64>) -> Option<SectorRange> {
        let sector = |block| {
            let position = self.position(block)?;
            Sector::new(position.get() / SECTOR_BYTES)
        };
        SectorRange::new(sector(blocks.start)?, sector(blocks.end)?)
    }
}

/// Which groups hold a copy of the superblock and of the group descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backups {
    /// All of them.
    All,
    /// Groups 0 and 1 and the powers of 3, 5 and 7 (`sparse_super`).
    Sparse,
    /// Group 0 and these (`sparse_super2`).
    Listed([u32; 2]),
}

impl Backups {
    pub(super) fn new(features: Features, listed: [u32; 2]) -> Self {
        if features.compat.has(Compat::SPARSE_SUPER2) {
            Self::Listed(listed)
        } else if features.ro_compat.has(RoCompat::SPARSE_SUPER) {
            Self::Sparse
        } else {
            Self::All
        }
    }

    /// Whether group `group` has a superblock, the primary one included.
    fn has(self, group: u32) -> bool {
        match self {
            _ if group == 0 => true,
            Self::All => true,
            Self::Sparse => [3, 5, 7].iter().any(|base| is_power(group, *base)),
            Self::Listed(groups) => groups.contains(&group),
        }
    }
}

/// Whether `number` is `base` multiplied by itself, once being its 0th power.
fn is_power(number: u32, base: u32) -> bool {
    let mut power = Some(1_u32);
    while let Some(value) = power {
        if value >= number {
            return value == number;
        }
        power = value.checked_mul(base);
    }
    false
}

/// The shape of a file system. It holds together: groups are not empty, their bitmaps fit into
/// a block, descriptors and inodes do not cross blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) block_size: BlockSize,
    /// The binary logarithm of the blocks in a cluster, which is what a bit of a bitmap covers.
    pub(super) cluster_shift: u32,
    /// The first block of group 0.
    pub(super) first_block: u64,
    /// The block after the last.
    pub(super) end_block: u64,
    pub(super) blocks_per_group: u32,
    pub(super) inodes_per_group: u32,
    /// In bytes.
    pub(super) inode_size: u16,
    /// In bytes.
    pub(super) descriptor_size: u16,
    pub(super) reserved_gdt_blocks: u16,
    /// The first descriptor block that lies in the groups it describes; `None` without `meta_bg`.
    pub(super) first_meta_bg: Option<u32>,
    pub(super) backups: Backups,
    /// The number of groups.
    pub(super) groups: u32,
}

impl Geometry {
    /// The same with its number of groups worked out; `None` if the counts make no sense.
    pub(super) fn with_groups(mut self) -> Option<Self> {
        let blocks = self.end_block.checked_sub(self.first_block)?;
        let per_group = u64::from(self.blocks_per_group);
        let groups = blocks.checked_add(per_group)?.checked_sub(1)?.checked_div(per_group)?;
        self.groups = u32::try_from(groups).ok()?;
        (self.groups > 0 && self.inodes_per_group > 0).then_some(self)
    }

    pub(super) fn block_size(&self) -> BlockSize {
        self.block_size
    }

    /// The block after the last.
    pub(super) fn end_block(&self) -> u64 {
        self.end_block
    }

    /// The number of groups.
    pub(super) fn groups(&self) -> u32 {
        self.groups
    }

    /// Whether the blocks are inside the file system.
    pub(super) fn contains(&self, blocks: &Range<u64>) -> bool {
        self.first_block <= blocks.start && blocks.end <= self.end_block
    }

    /// The blocks of a group.
    pub(super) fn group_blocks(&self, group: u32) -> Range<u64> {
        let per_group = u64::from(self.blocks_per_group);
        // Both factors are 32 bits.
        let start = u64::from(group).saturating_mul(per_group).saturating_add(self.first_block);
        let end = start.saturating_add(per_group).min(self.end_block);
        start.min(end)..end
    }

    /// The group in which a block lies; `None` if it lies in none.
    pub(super) fn group_of(&self, block: u64) -> Option<u32> {
        let from_first = block.checked_sub(self.first_block)?;
        let group = from_first.checked_div(u64::from(self.blocks_per_group))?;
        u32::try_from(group).ok().filter(|_| block < self.end_block)
    }

    /// How many clusters a group has; the last one may be cut short by the file system's end.
    pub(super) fn clusters_in(&self, group: u32) -> u32 {
        let blocks = self.group_blocks(group);
        let last = blocks.end.saturating_sub(blocks.start).saturating_add(self.cluster_mask());
        u32::try_from(last.wrapping_shr(self.cluster_shift)).unwrap_or(u32::MAX)
    }

    /// How many clusters a group has that is not cut short.
    pub(super) fn clusters_per_group(&self) -> u32 {
        self.blocks_per_group.wrapping_shr(self.cluster_shift)
    }

    fn cluster_mask(&self) -> u64 {
        1_u64.wrapping_shl(self.cluster_shift).wrapping_sub(1)
    }

    /// The blocks of the clusters `clusters` of a group, as sectors.
    pub(super) fn cluster_sectors(&self, group: u32, clusters: &Range<u32>) -> Option<SectorRange> {
        let blocks = self.group_blocks(group);
        let block = |cluster: u32| {
            let offset = u64::from(cluster).checked_shl(self.cluster_shift)?;
            Some(blocks.start.checked_add(offset)?.min(blocks.end))
        };
        self.block_size.sectors(&(block(clusters.start)?..block(clusters.end)?))
    }

    /// The clusters of a group that `sectors`, which lie in the group, touch.
    pub(super) fn clusters_touched(&self, group: u32, sectors: SectorRange) -> Range<u32> {
        let start = self.group_blocks(group).start;
        let block =
            |sector: Sector| self.block_size.locate(sector.to_bytes()).0.saturating_sub(start);
        let number = |cluster: u64| u32::try_from(cluster).unwrap_or(u32::MAX);
        let end = block(sectors.end()).saturating_add(self.cluster_mask());
        number(block(sectors.start()).wrapping_shr(self.cluster_shift))
            ..number(end.wrapping_shr(self.cluster_shift))
    }

    /// How many blocks a group's inode table takes.
    pub(super) fn inode_table_blocks(&self) -> u64 {
        let bytes = u64::from(self.inodes_per_group).saturating_mul(u64::from(self.inode_size));
        bytes.div_ceil(u64::from(self.block_size.bytes()).max(1))
    }

    /// How many descriptors a block holds.
    pub(super) fn descriptors_per_block(&self) -> u32 {
        self.block_size.bytes().checked_div(u32::from(self.descriptor_size)).unwrap_or(1)
    }

    /// The block in which the primary superblock lies.
    fn superblock_block(&self) -> u64 {
        u64::from(self.block_size.bytes() == 1024)
    }

    /// How many blocks at a group's start lie before the end of its superblock, if it has one.
    fn superblock_span(&self, group: u32) -> u64 {
        let boot_block = group == 0 && self.superblock_block() > self.first_block;
        u64::from(self.backups.has(group)).saturating_add(u64::from(boot_block))
    }

    /// The block that holds descriptor block `number` of the primary table.
    pub(super) fn descriptor_block(&self, number: u32) -> u64 {
        match self.first_meta_bg {
            Some(first) if number >= first => {
                let group = number.saturating_mul(self.descriptors_per_block());
                let start = self.group_blocks(group).start;
                start.saturating_add(self.superblock_span(group))
            }
            _ => self.superblock_block().saturating_add(1).saturating_add(u64::from(number)),
        }
    }

    /// How many blocks at a group's start hold its copies of the superblock and the descriptors,
    /// and those reserved for more descriptors.
    pub(super) fn base_blocks(&self, group: u32) -> u64 {
        let per_block = self.descriptors_per_block();
        let number = group.checked_div(per_block).unwrap_or(0);
        let table = match self.first_meta_bg {
            Some(first) if number >= first => {
                let place = group.checked_rem(per_block).unwrap_or(0);
                let last = per_block.saturating_sub(1);
                u64::from(place <= 1 || place == last)
            }
            _ if !self.backups.has(group) => 0,
            Some(first) => u64::from(first).saturating_add(self.reserved_gdt_blocks.into()),
            None => u64::from(self.groups.div_ceil(per_block.max(1)))
                .saturating_add(self.reserved_gdt_blocks.into()),
        };
        self.superblock_span(group).saturating_add(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparse_backups() {
        let groups: std::vec::Vec<u32> =
            (0..400).filter(|group| Backups::Sparse.has(*group)).collect();
        assert_eq!(groups, [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125, 243, 343]);
        assert!(!Backups::Sparse.has(u32::MAX));
        assert!(Backups::Sparse.has(3_u32.pow(20)));
        assert!(Backups::Listed([1, 6]).has(0) && Backups::Listed([1, 6]).has(6));
        assert!(!Backups::Listed([1, 0]).has(2));
    }

    #[test]
    fn block_sizes() {
        assert!(BlockSize::from_log(7).is_none());
        assert!(BlockSize::from_log(u32::MAX).is_none());
        let size = BlockSize::from_log(2).unwrap();
        assert_eq!((size.bytes(), size.len()), (4096, 4096));
        assert_eq!(size.locate(Bytes(4096 * 3 + 5)), (3, 5));
        assert_eq!(size.position(u64::MAX), None);
        assert_eq!(size.sectors(&(1..3)).unwrap().len().get(), 16);
    }
}
