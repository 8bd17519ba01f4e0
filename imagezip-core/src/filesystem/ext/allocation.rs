//! The free sectors of each group, from its bitmap or from its shape.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::device::ReadAt;
use crate::error::Result;
use crate::extent::ExtentSet;
use crate::sector::SectorRange;

use super::doubt::{Doubt, Doubts, Trusted, trust};
use super::geometry::Geometry;
use super::group::{Descriptor, DescriptorTable, read_block};
use super::superblock::Superblock;
use crate::filesystem::bitmap::Bitmap;
use crate::filesystem::free_space::FreeSpace;

/// Finds the free sectors of a file system.
///
/// Groups for which there is a doubt have none: those in `suspects`, and those which are found
/// to contradict themselves. All of these are added to `doubts`.
pub(super) fn free_sectors(
    device: &dyn ReadAt,
    superblock: &Superblock,
    suspects: &Suspects,
    doubts: &mut Doubts,
) -> Result<ExtentSet> {
    let mut scan = Scan {
        device,
        superblock,
        metadata: metadata(device, superblock)?,
        block: vec![0; superblock.geometry.block_size().len()],
        runs: Vec::new(),
    };
    let mut table = DescriptorTable::new(device, superblock);
    let mut free = FreeSpace::new();
    for group in 0..superblock.geometry.groups() {
        let outcome = match suspects.doubt(group) {
            Some(doubt) => Err(doubt),
            None => match table.get(group)? {
                Ok(descriptor) => scan.group(group, &descriptor)?,
                Err(doubt) => Err(doubt),
            },
        };
        match outcome {
            Ok(()) => free.add(scan.runs.iter().copied()),
            Err(doubt) => doubts.add(doubt, group),
        }
    }
    Ok(free.finish())
}

/// Groups that are known to be doubtful beforehand, in ascending order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Suspects(Vec<u32>);

impl Suspects {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Groups in any order, some perhaps more than once.
    pub(super) fn new(mut groups: Vec<u32>) -> Self {
        groups.sort_unstable();
        groups.dedup();
        Self(groups)
    }

    /// The doubt about a group, if there is one.
    pub(super) fn doubt(&self, group: u32) -> Option<Doubt> {
        self.0.binary_search(&group).is_ok().then_some(Doubt::FastCommit)
    }
}

/// The sectors of all superblocks, descriptors, bitmaps and inode tables of trusted groups.
///
/// With `flex_bg` those of one group may lie in another.
fn metadata(device: &dyn ReadAt, superblock: &Superblock) -> Result<ExtentSet> {
    let geometry = &superblock.geometry;
    let mut table = DescriptorTable::new(device, superblock);
    // Each kind by itself, because the tables of successive groups often lie side by side.
    let mut kinds: [Vec<SectorRange>; 4] = Default::default();
    for group in 0..geometry.groups() {
        let start = geometry.group_blocks(group).start;
        let base = start..start.saturating_add(geometry.base_blocks(group));
        let [bitmaps, inode_bitmaps, tables] = match table.get(group)? {
            Ok(descriptor) => descriptor.metadata(),
            Err(_) => Default::default(),
        };
        for (kind, blocks) in kinds.iter_mut().zip([base, bitmaps, inode_bitmaps, tables]) {
            append(kind, geometry, &blocks);
        }
    }
    Ok(ExtentSet::from_unsorted(kinds.concat()))
}

/// Adds blocks to a list, as part of its last range if they follow on that.
fn append(ranges: &mut Vec<SectorRange>, geometry: &Geometry, blocks: &Range<u64>) {
    let Some(next) = geometry.block_size().sectors(blocks).filter(|range| !range.is_empty()) else {
        return;
    };
    match ranges.last_mut() {
        Some(last) if last.end() == next.start() => {
            *last = SectorRange::new(last.start(), next.end()).unwrap_or(*last);
        }
        _ => ranges.push(next),
    }
}

struct Scan<'a> {
    device: &'a dyn ReadAt,
    superblock: &'a Superblock,
    metadata: ExtentSet,
    /// The group's bitmap.
    block: Vec<u8>,
    /// The group's free sectors, in ascending order.
    runs: Vec<SectorRange>,
}

impl Scan<'_> {
    /// Puts the group's free sectors into `runs`.
    fn group(&mut self, group: u32, descriptor: &Descriptor) -> Result<Trusted<()>> {
        self.runs.clear();
        if !descriptor.bitmap_unwritten {
            let read =
                read_block(self.device, self.superblock, descriptor.block_bitmap, &mut self.block);
            if let Err(doubt) = trust(read)? {
                return Ok(Err(doubt));
            }
        }
        Ok(self.free_runs(group, descriptor))
    }

    fn free_runs(&mut self, group: u32, descriptor: &Descriptor) -> Trusted<()> {
        let mut runs = core::mem::take(&mut self.runs);
        let outcome = if descriptor.bitmap_unwritten {
            self.runs_by_shape(group, &mut runs)
        } else {
            self.runs_by_bitmap(group, descriptor, &mut runs)
        };
        self.runs = runs;
        if outcome? == descriptor.free_clusters { Ok(()) } else { Err(Doubt::FreeCount) }
    }

    /// The free sectors of a group whose bitmap was never written: nothing is in use but
    /// metadata. Returns the number of free clusters.
    fn runs_by_shape(&self, group: u32, runs: &mut Vec<SectorRange>) -> Trusted<u32> {
        let geometry = &self.superblock.geometry;
        let blocks = geometry.group_blocks(group);
        let sectors = geometry.block_size().sectors(&blocks).ok_or(Doubt::Bounds)?;
        let end = geometry.clusters_in(group);
        let used = self.metadata.within(sectors).map(|used| geometry.clusters_touched(group, used));
        let (mut next, mut free) = (0, 0_u32);
        for used in used.chain(core::iter::once(end..end)) {
            if next < used.start {
                runs.push(
                    geometry.cluster_sectors(group, &(next..used.start)).ok_or(Doubt::Bounds)?,
                );
                free = free.saturating_add(used.start.saturating_sub(next));
            }
            next = next.max(used.end);
        }
        Ok(free)
    }

    /// The free sectors of a group by its bitmap. Returns the number of free clusters.
    fn runs_by_bitmap(
        &self,
        group: u32,
        descriptor: &Descriptor,
        runs: &mut Vec<SectorRange>,
    ) -> Trusted<u32> {
        self.verify_bitmap(descriptor)?;
        let geometry = &self.superblock.geometry;
        let clusters = geometry.clusters_in(group);
        let bitmap = Bitmap::new(&self.block, clusters).ok_or(Doubt::Bounds)?;
        let mut free = 0_u32;
        for run in bitmap.clear_runs() {
            let sectors = geometry.cluster_sectors(group, &run).ok_or(Doubt::Bounds)?;
            if self.metadata.within(sectors).next().is_some() {
                return Err(Doubt::FreeMetadata);
            }
            runs.push(sectors);
            free = free.saturating_add(run.end.saturating_sub(run.start));
        }
        Ok(free)
    }

    fn verify_bitmap(&self, descriptor: &Descriptor) -> Trusted<()> {
        if !self.superblock.features.metadata_checksums() {
            return Ok(());
        }
        let bits = self.superblock.geometry.clusters_per_group();
        let len = usize::try_from(bits / 8).unwrap_or(usize::MAX);
        let summed = self.block.get(..len).ok_or(Doubt::Bounds)?;
        let sum = self.superblock.seed.add(summed).get();
        let right = sum & descriptor.bitmap_checksum_mask == descriptor.bitmap_checksum;
        if right { Ok(()) } else { Err(Doubt::BitmapChecksum) }
    }
}
