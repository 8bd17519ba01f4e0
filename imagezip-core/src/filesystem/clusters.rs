//! Which clusters of a FAT or exFAT file system are in use, and the sectors of the others.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use super::bitmap::Bitmap;
use super::free_space::FreeSpace;
use crate::error::{ErrorKind, Limit, Result};
use crate::extent::ExtentSet;
use crate::sector::{Bytes, SectorRange};

/// The most clusters: more than FAT32 can have. A set of them takes 32 MiB.
const MAX_CLUSTERS: u32 = 1 << 28;

/// Where the clusters of a file system lie. The first one is number 2 in its structures and index
/// 0 here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heap {
    /// The first cluster.
    pub(super) start: Bytes,
    /// The size of a cluster: a multiple of 512.
    pub(super) cluster_bytes: u64,
    /// How many there are.
    pub(super) clusters: u32,
}

impl Heap {
    /// The index of cluster `number`, if there is such a cluster.
    pub(super) fn index(&self, number: u32) -> Option<u32> {
        number.checked_sub(2).filter(|index| *index < self.clusters)
    }

    /// Where the cluster with this index begins.
    pub(super) fn position(&self, index: u32) -> Option<Bytes> {
        self.start.checked_add(u64::from(index).checked_mul(self.cluster_bytes)?)
    }

    fn sectors(&self, indexes: &Range<u32>) -> Option<SectorRange> {
        let start = self.position(indexes.start)?.whole_sectors();
        let end = self.position(indexes.end)?.whole_sectors();
        let (_, range) = SectorRange::first(end).split_at(SectorRange::first(start).end());
        Some(range)
    }
}

/// A set of clusters, by index.
pub(super) struct ClusterSet {
    /// As in exFAT's allocation bitmap.
    bytes: Vec<u8>,
    clusters: u32,
}

impl ClusterSet {
    /// The empty set, for indexes below `clusters`.
    ///
    /// # Errors
    /// `TooLarge(Metadata)` if it needs too much memory.
    pub(super) fn new(clusters: u32) -> Result<Self> {
        if clusters > MAX_CLUSTERS {
            return Err(ErrorKind::TooLarge(Limit::Metadata).into());
        }
        let len = usize::try_from(clusters.div_ceil(8)).unwrap_or_default();
        Ok(Self { bytes: vec![0; len], clusters })
    }

    /// Adds a cluster; true if it was not in the set. What is beyond the last one is ignored.
    pub(super) fn insert(&mut self, index: u32) -> bool {
        let place = usize::try_from(index / 8).ok().filter(|_| index < self.clusters);
        let bit = 1_u8.wrapping_shl(index % 8);
        match place.and_then(|place| self.bytes.get_mut(place)) {
            Some(byte) if *byte & bit == 0 => {
                *byte |= bit;
                true
            }
            _ => false,
        }
    }

    /// Whether a cluster is in the set.
    pub(super) fn contains(&self, index: u32) -> bool {
        let byte = usize::try_from(index / 8).ok().and_then(|place| self.bytes.get(place));
        byte.is_some_and(|byte| byte & 1_u8.wrapping_shl(index % 8) != 0)
    }

    /// Adds the clusters whose bits are set in `bits`, which begins with byte `at` of the whole
    /// set's bitmap.
    pub(super) fn insert_bits(&mut self, at: usize, bits: &[u8]) {
        let places = self.bytes.get_mut(at..).unwrap_or_default();
        for (byte, more) in places.iter_mut().zip(bits) {
            *byte |= more;
        }
    }

    /// The sectors of the clusters that are not in the set.
    pub(super) fn free_sectors(&self, heap: &Heap) -> ExtentSet {
        let mut free = FreeSpace::new();
        if let Some(bitmap) = Bitmap::new(&self.bytes, self.clusters) {
            free.add(bitmap.clear_runs().filter_map(|run| heap.sectors(&run)));
        }
        free.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sector::Sector;

    #[test]
    fn free_is_what_was_not_inserted() {
        let heap = Heap { start: Bytes(5 * 512), cluster_bytes: 1024, clusters: 70 };
        let mut set = ClusterSet::new(heap.clusters).unwrap();
        assert!(set.insert(0) && !set.insert(0) && set.insert(66));
        assert!(!set.insert(70) && !set.insert(u32::MAX));
        set.insert_bits(1, &[0b11]);
        assert!(
            set.contains(8) && set.contains(66) && !set.contains(65) && !set.contains(u32::MAX)
        );
        let range = |start: u32, end: u32| {
            SectorRange::new(Sector::from_u32(5 + 2 * start), Sector::from_u32(5 + 2 * end))
                .unwrap()
        };
        let free = set.free_sectors(&heap);
        assert_eq!(free.as_slice(), [range(1, 8), range(10, 66), range(67, 70)]);
        assert_eq!((heap.index(1), heap.index(2), heap.index(71)), (None, Some(0), Some(69)));
        assert_eq!(heap.index(72), None);
        assert!(ClusterSet::new(u32::MAX).is_err());
    }
}
