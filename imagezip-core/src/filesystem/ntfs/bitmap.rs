//! The free clusters, by the volume's bitmap.

use alloc::vec;

use crate::error::{CorruptKind, ErrorKind, Result};
use crate::extent::ExtentSet;
use crate::filesystem::bitmap::Bitmap;
use crate::filesystem::free_space::FreeSpace;

use super::attribute::kind;
use super::mft::{Mft, number};

/// So much is read at once.
const PIECE: usize = 256 << 10;

/// The free sectors of the volume. The boot sector's cluster is never free.
///
/// # Errors
/// `Corrupt` if the bitmap is damaged or has not a bit for each cluster, `Read` if the device
/// fails.
pub(super) fn free(mft: &Mft<'_>) -> Result<ExtentSet> {
    let wrong = || ErrorKind::Corrupt(CorruptKind::AllocationMap);
    let geometry = &mft.geometry;
    let mut buf = vec![];
    let record = mft.record(number::BITMAP, &mut buf)?;
    let stream = mft.stream(&record, kind::DATA, &[])?.ok_or_else(wrong)?;
    let len = geometry.clusters.div_ceil(8);
    if !stream.is_plain || stream.initialized < len {
        return Err(wrong().into());
    }
    let mut free = FreeSpace::new();
    let mut piece = vec![0; PIECE];
    let mut at = 0_u64;
    while at < len {
        let left = usize::try_from(len.saturating_sub(at)).unwrap_or(usize::MAX).min(PIECE);
        piece.truncate(left);
        stream.read_at(mft.device, geometry, at, &mut piece)?;
        let base = at.saturating_mul(8);
        let bits = geometry.clusters.saturating_sub(base);
        let bits = u32::try_from(left.saturating_mul(8)).map_or(bits, |most| bits.min(most.into()));
        let bitmap = Bitmap::new(&piece, u32::try_from(bits).unwrap_or_default());
        for run in bitmap.ok_or_else(wrong)?.clear_runs() {
            let start = base.saturating_add(run.start.into()).max(1);
            let end = base.saturating_add(run.end.into());
            free.add(geometry.sectors(&(start..end)));
        }
        at = at.saturating_add(u64::try_from(left).unwrap_or(u64::MAX));
    }
    Ok(free.finish())
}
