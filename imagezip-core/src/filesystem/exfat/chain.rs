//! Where the clusters of a file lie.

use alloc::vec;
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::Result;
use crate::filesystem::clusters::ClusterSet;
use crate::sector::Bytes;

use super::boot_region::Geometry;

/// What an entry of a directory says about the clusters of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stream {
    /// The index of the first one.
    pub(super) first: u32,
    /// The size in bytes.
    pub(super) len: u64,
    /// They lie side by side, and the FAT says nothing about them.
    pub(super) is_contiguous: bool,
}

impl Stream {
    /// How many clusters it takes: at least the one that it names.
    pub(super) fn clusters(&self, geometry: &Geometry) -> u64 {
        self.len.div_ceil(geometry.heap.cluster_bytes.max(1)).max(1)
    }

    /// Its clusters, if they lie side by side; what is beyond the last cluster is left out.
    pub(super) fn side_by_side(&self, geometry: &Geometry) -> impl Iterator<Item = u32> + use<> {
        let clusters = usize::try_from(self.clusters(geometry)).unwrap_or(usize::MAX);
        (self.first..geometry.heap.clusters).take(clusters)
    }
}

/// A chain of clusters, as the FAT has it. Where there are two FATs, what the second one says comes
/// after what the first one says.
pub(super) struct Chain<'a> {
    device: &'a dyn ReadAt,
    geometry: &'a Geometry,
    later: Vec<u32>,
}

impl<'a> Chain<'a> {
    /// The chain that begins with index `first`.
    pub(super) fn new(device: &'a dyn ReadAt, geometry: &'a Geometry, first: u32) -> Self {
        Self { device, geometry, later: vec![first] }
    }

    /// The next cluster's index that is not in `visited`, which it is added to. So this comes to
    /// an end.
    ///
    /// # Errors
    /// `Read` if the device fails.
    pub(super) fn next(&mut self, visited: &mut ClusterSet) -> Result<Option<u32>> {
        while let Some(index) = self.later.pop() {
            if visited.insert(index) {
                let mut found = [None; 2];
                for (found, at) in found.iter_mut().zip(self.geometry.entries(index)) {
                    *found = entry(self.device, self.geometry, at)?;
                }
                let [first, second] = found;
                self.later.extend(second.filter(|_| second != first));
                self.later.extend(first);
                return Ok(Some(index));
            }
        }
        Ok(None)
    }
}

/// The index of the cluster that the FAT's entry at this position names.
pub(super) fn entry(device: &dyn ReadAt, geometry: &Geometry, at: Bytes) -> Result<Option<u32>> {
    let mut bytes = [0; 4];
    device.read_at(at, &mut bytes)?;
    Ok(geometry.heap.index(u32::from_le_bytes(bytes)))
}
