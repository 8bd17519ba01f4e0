//! Where fragments, blocks, cylinder groups and their fixed metadata lie.

use core::ops::Range;

use crate::sector::{SECTOR_BYTES, Sector, SectorRange};

/// The shape of a file system, in fragments unless something else is said. It holds together:
/// groups are not empty, and each has room for its own metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    /// UFS2, with 64-bit addresses and inodes of 256 bytes; else UFS1.
    pub(super) ufs2: bool,
    /// The binary logarithm of the bytes in a fragment, 9 to 16.
    pub(super) fragment_shift: u32,
    /// The fragments in a block: 1, 2, 4 or 8.
    pub(super) per_block: u32,
    /// The size of the file system.
    pub(super) size: u64,
    /// The number of cylinder groups.
    pub(super) groups: u32,
    pub(super) per_group: u32,
    pub(super) inodes_per_group: u32,
    /// The bytes of a group's header with its bitmaps, at most a block.
    pub(super) header_bytes: usize,
    /// Where in a group, from its start, lie the copy of the superblock, the header, the inodes,
    /// and then data.
    pub(super) superblock_at: u32,
    pub(super) header_at: u32,
    pub(super) inodes_at: u32,
    pub(super) data_at: u32,
    /// In UFS1 groups start later and later, for as many steps as the mask has no bits.
    pub(super) step: u32,
    pub(super) step_mask: u32,
    /// The summaries of all groups.
    pub(super) summaries: Range<u64>,
}

impl Geometry {
    /// The bytes in a fragment.
    pub(super) fn fragment_bytes(&self) -> u64 {
        1_u64.wrapping_shl(self.fragment_shift)
    }

    /// The bytes in a block: at most 64 KiB.
    pub(super) fn block_bytes(&self) -> u64 {
        self.fragment_bytes().saturating_mul(u64::from(self.per_block))
    }

    /// The bytes of a block, as a length in memory.
    pub(super) fn block_len(&self) -> usize {
        usize::try_from(self.block_bytes()).unwrap_or(usize::MAX)
    }

    /// The bytes of an inode.
    pub(super) fn inode_bytes(&self) -> u32 {
        if self.ufs2 { 256 } else { 128 }
    }

    /// How many inodes a block holds.
    pub(super) fn inodes_per_block(&self) -> u32 {
        let count = self.block_bytes().checked_div(u64::from(self.inode_bytes())).unwrap_or(1);
        u32::try_from(count).unwrap_or(u32::MAX).max(1)
    }

    /// The fragments of a group.
    pub(super) fn group(&self, group: u32) -> Range<u64> {
        // Both factors are 32 bits.
        let start = u64::from(group).saturating_mul(u64::from(self.per_group));
        start..start.saturating_add(u64::from(self.per_group)).min(self.size)
    }

    /// From where in a group its metadata are counted.
    fn start(&self, group: u32) -> u64 {
        let base = self.group(group).start;
        if self.ufs2 {
            return base;
        }
        let steps = u64::from(group & !self.step_mask);
        base.saturating_add(steps.saturating_mul(u64::from(self.step)))
    }

    /// The first fragment of a group's header.
    pub(super) fn header(&self, group: u32) -> u64 {
        self.start(group).saturating_add(u64::from(self.header_at))
    }

    /// The first fragment of a group's inodes.
    pub(super) fn inodes(&self, group: u32) -> u64 {
        self.start(group).saturating_add(u64::from(self.inodes_at))
    }

    /// The fragments of a group's copy of the superblock, header and inodes; in the first group
    /// also all before them: the boot area and the superblock itself.
    pub(super) fn metadata(&self, group: u32) -> Range<u64> {
        let start = self.start(group);
        let from = if group == 0 { 0 } else { start.saturating_add(u64::from(self.superblock_at)) };
        from..start.saturating_add(u64::from(self.data_at))
    }

    /// The fragments, as sectors.
    pub(super) fn sectors(&self, fragments: &Range<u64>) -> Option<SectorRange> {
        let per_fragment = self.fragment_bytes() / SECTOR_BYTES;
        let sector = |fragment: u64| Sector::new(fragment.checked_mul(per_fragment)?);
        SectorRange::new(sector(fragments.start)?, sector(fragments.end)?)
    }
}
