//! Cylinder groups: which of their fragments are free, and which inodes were never used.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::device::ReadAt;
use crate::error::{ErrorKind, Place, Result};
use crate::layout::Layout;
use crate::sector::{Bytes, SectorCount, SectorRange};

use super::super::bitmap::Bitmap;
use super::doubt::Doubt;
use super::superblock::{Superblock, sum_without};

const MAGIC: u32 = 0x0009_0255;
/// The bytes before the bitmaps.
const HEADER: usize = 168;
const CHECKSUM_AT: usize = 132;

/// A group's header as it lies on the disk (docs/format.md, "UFS").
struct View<'a>(Layout<'a, HEADER>);

#[rustfmt::skip]
impl View<'_> {
    fn magic(&self) -> u32 { self.0.u32::<4>() }
    fn number(&self) -> u32 { self.0.u32::<12>() }
    fn old_inodes(&self) -> u16 { self.0.u16::<18>() }
    fn fragments(&self) -> u32 { self.0.u32::<20>() }
    fn free_blocks(&self) -> u32 { self.0.u32::<28>() }
    fn free_inodes(&self) -> u32 { self.0.u32::<32>() }
    fn free_fragments(&self) -> u32 { self.0.u32::<36>() }
    fn inode_bitmap(&self) -> u32 { self.0.u32::<92>() }
    fn free_bitmap(&self) -> u32 { self.0.u32::<96>() }
    fn inodes(&self) -> u32 { self.0.u32::<116>() }
    fn initialised(&self) -> u32 { self.0.u32::<120>() }
    fn checksum(&self) -> u32 { self.0.u32::<132>() }
}

/// What a group's header tells.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// The free sectors, in ascending order, none in metadata.
    pub(super) free: Vec<SectorRange>,
    /// The number of inodes that may ever have been used: the first ones.
    pub(super) inodes: u32,
}

/// Reads the groups of a file system.
pub(super) struct Groups<'a> {
    device: &'a dyn ReadAt,
    superblock: &'a Superblock,
    bytes: Vec<u8>,
}

impl<'a> Groups<'a> {
    pub(super) fn new(device: &'a dyn ReadAt, superblock: &'a Superblock) -> Self {
        Self { device, superblock, bytes: vec![0; superblock.geometry.header_bytes] }
    }

    /// What is known about a group, or why its header can't be trusted.
    pub(super) fn get(&mut self, group: u32) -> Result<core::result::Result<Group, Doubt>> {
        let geometry = &self.superblock.geometry;
        if geometry.metadata(group).end > geometry.group(group).end {
            return Ok(Err(Doubt::Header));
        }
        let at = geometry.header(group).checked_mul(geometry.fragment_bytes());
        let at = at.ok_or_else(|| ErrorKind::Truncated.at(Place::Whole))?;
        self.device.read_at(Bytes(at), &mut self.bytes)?;
        Ok(self.parse(group))
    }

    fn parse(&self, group: u32) -> core::result::Result<Group, Doubt> {
        let geometry = &self.superblock.geometry;
        let view = View(Layout::new(&self.bytes).ok_or(Doubt::Header)?);
        if view.magic() != MAGIC || view.number() != group {
            return Err(Doubt::Header);
        }
        if self.superblock.group_checksums
            && sum_without(&self.bytes, CHECKSUM_AT) != Some(view.checksum())
        {
            return Err(Doubt::Checksum);
        }
        let fragments = geometry.group(group);
        let count = fragments.end.saturating_sub(fragments.start);
        let inodes = if geometry.ufs2 { view.inodes() } else { u32::from(view.old_inodes()) };
        // In UFS1 what doesn't fit 16 bits is not there.
        let inodes_match = inodes == geometry.inodes_per_group
            || !geometry.ufs2 && geometry.inodes_per_group > u32::from(u16::MAX);
        if u64::from(view.fragments()) != count || !inodes_match {
            return Err(Doubt::Header);
        }
        let bitmap = self.bitmap(view.free_bitmap(), view.fragments())?;
        let mut free = self.free_runs(group, &view, bitmap)?;
        let inodes = self.used_inodes(&view)?;
        if let Some(never_used) = self.never_used(group, &view, inodes) {
            free.push(never_used);
            free.sort_unstable();
        }
        Ok(Group { free, inodes })
    }

    /// The bitmap of so many bits that begins at byte `at` of the header.
    fn bitmap(&self, at: u32, bits: u32) -> core::result::Result<Bitmap<'_>, Doubt> {
        let bytes = usize::try_from(at).ok().and_then(|at| self.bytes.get(at..));
        bytes.and_then(|bytes| Bitmap::new(bytes, bits)).ok_or(Doubt::Header)
    }

    fn free_runs(
        &self,
        group: u32,
        view: &View<'_>,
        bitmap: Bitmap<'_>,
    ) -> core::result::Result<Vec<SectorRange>, Doubt> {
        let geometry = &self.superblock.geometry;
        let base = geometry.group(group).start;
        let metadata = geometry.metadata(group);
        let mut free = Vec::new();
        let mut count = 0_u64;
        for run in bitmap.set_runs() {
            let absolute = |fragment: u32| base.saturating_add(u64::from(fragment));
            let run = absolute(run.start)..absolute(run.end);
            if meet(&run, &metadata) || meet(&run, &geometry.summaries) {
                return Err(Doubt::FreeMetadata);
            }
            count = count.saturating_add(run.end.saturating_sub(run.start));
            free.push(geometry.sectors(&run).ok_or(Doubt::Header)?);
        }
        let blocks = u64::from(view.free_blocks()).saturating_mul(u64::from(geometry.per_block));
        let counted = blocks.saturating_add(u64::from(view.free_fragments()));
        if count == counted { Ok(free) } else { Err(Doubt::FreeCount) }
    }

    /// The number of inodes that may have been used: all of UFS1; of UFS2 those that were
    /// initialised, if that agrees with the bitmap of inodes, else all.
    fn used_inodes(&self, view: &View<'_>) -> core::result::Result<u32, Doubt> {
        let geometry = &self.superblock.geometry;
        let all = geometry.inodes_per_group;
        let bitmap = self.bitmap(view.inode_bitmap(), all)?;
        let initialised = view.initialised();
        let used = bitmap.set_runs().map(|run| run.end.saturating_sub(run.start));
        let used = used.fold(0_u32, u32::saturating_add);
        let trusted = geometry.ufs2
            && (1..all).contains(&initialised)
            && bitmap.find(true, initialised) == all
            && all.checked_sub(used) == Some(view.free_inodes());
        Ok(if trusted { initialised } else { all })
    }

    /// The sectors of inodes that were never written, `used` being the number of the others.
    ///
    /// A driver writes all of a block of inodes before it counts them as initialised, so nobody
    /// ever reads these. The last block is left out but for one sector, as the reference does.
    fn never_used(&self, group: u32, view: &View<'_>, used: u32) -> Option<SectorRange> {
        let geometry = &self.superblock.geometry;
        let (all, per_block) = (geometry.inodes_per_group, geometry.inodes_per_block());
        // Without soft updates the header on the disk may be older than the inodes.
        let timely = self.superblock.is_clean || self.superblock.flags.has_soft_updates();
        let whole = used.is_multiple_of(per_block) && all.is_multiple_of(per_block);
        if !geometry.ufs2 || !timely || !whole || used >= all || view.free_inodes() == 0 {
            return None;
        }
        let block = |inode: u32| {
            let fragments = inode.checked_div(per_block)?.checked_mul(geometry.per_block)?;
            geometry.inodes(group).checked_add(u64::from(fragments))
        };
        let sectors = geometry.sectors(&(block(used)?..block(all.checked_sub(1)?)?))?;
        let end = sectors.end().checked_add(SectorCount::from_u32(1))?;
        SectorRange::new(sectors.start(), end)
    }
}

fn meet(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}
