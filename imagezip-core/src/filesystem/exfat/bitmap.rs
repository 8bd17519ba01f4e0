//! The allocation bitmaps.

use alloc::vec;

use crate::device::ReadAt;
use crate::error::{CorruptKind, Error, ErrorKind, Place, Result};
use crate::filesystem::clusters::ClusterSet;

use super::boot_region::Geometry;
use super::chain::{self, Stream};

/// How much is read at once.
const PIECE: u64 = 256 << 10;

/// The clusters that are in use by any of the bitmaps `bitmaps`.
///
/// Where two are switched by transactions only one of them counts, but Linux always takes the same
/// one.
///
/// # Errors
/// `Corrupt(AllocationMap)` if there is none, one lies where it can't, or says that itself or the
/// root directory is free; `TooLarge(Metadata)` if there are too many clusters; `Read` if the device
/// fails.
pub(super) fn read(
    device: &dyn ReadAt,
    geometry: &Geometry,
    bitmaps: &[Stream],
) -> Result<ClusterSet> {
    let mut in_use = ClusterSet::new(geometry.heap.clusters)?;
    for bitmap in bitmaps {
        add(device, geometry, bitmap, &mut in_use)?;
    }
    let own = bitmaps.iter().flat_map(|bitmap| bitmap.side_by_side(geometry));
    for index in own.chain([geometry.root]) {
        if !in_use.contains(index) {
            return Err(damaged(geometry, index));
        }
    }
    Ok(in_use)
}

fn damaged(geometry: &Geometry, index: u32) -> Error {
    let place = geometry.heap.position(index).map_or(Place::Whole, Place::Byte);
    ErrorKind::Corrupt(CorruptKind::AllocationMap).at(place)
}

fn add(
    device: &dyn ReadAt,
    geometry: &Geometry,
    bitmap: &Stream,
    in_use: &mut ClusterSet,
) -> Result<()> {
    let clusters = geometry.heap.clusters;
    let bytes = u64::from(clusters.div_ceil(8));
    let is_inside = bitmap.clusters(geometry) <= u64::from(clusters.saturating_sub(bitmap.first));
    if bitmap.len < bytes || !is_inside {
        return Err(damaged(geometry, bitmap.first));
    }
    // Linux takes it for contiguous, others follow the FAT. So both must be the same.
    let mut expected = bitmap.side_by_side(geometry).skip(1);
    for index in bitmap.side_by_side(geometry) {
        let Some(next) = expected.next() else { break };
        let mut is_chained = false;
        for at in geometry.entries(index) {
            is_chained |= chain::entry(device, geometry, at)? == Some(next);
        }
        if !is_chained {
            return Err(damaged(geometry, index));
        }
    }
    let start = geometry.heap.position(bitmap.first).ok_or(ErrorKind::Truncated)?;
    let mut at = 0;
    while at < bytes {
        let left = bytes.saturating_sub(at).min(PIECE);
        let mut piece = vec![0; usize::try_from(left).unwrap_or_default()];
        device.read_at(start.checked_add(at).ok_or(ErrorKind::Truncated)?, &mut piece)?;
        in_use.insert_bits(usize::try_from(at).unwrap_or(usize::MAX), &piece);
        at = at.saturating_add(left);
    }
    Ok(())
}
