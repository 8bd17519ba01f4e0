//! The signature of something that is no image.

use core::sync::atomic::{AtomicU64, Ordering};

use super::blocks::{BlockReader, WINDOW};
use super::{Workers, ordered};
use crate::device::ReadAt;
use crate::digest::HashType;
use crate::error::Result;
use crate::sector::{Sector, SectorCount, SectorRange};
use crate::signature::{ChunkNumber, Entry, HashBlockSize, Remainder, Signature, cut};

/// Makes the signature of a file or device as it is: of all of its sectors, and of the bytes after
/// its last whole sector. The number of bytes is added to `done` as they are hashed.
///
/// # Errors
/// What the device reports; `Memory`.
pub fn hash_device(
    workers: &dyn Workers,
    device: &dyn ReadAt,
    hash_type: HashType,
    block: HashBlockSize,
    done: &AtomicU64,
) -> Result<Signature> {
    let slots = (0..workers.count().saturating_mul(2))
        .map(|_| (BlockReader::new(), Signature::new(hash_type, block)))
        .collect();
    let mut rest = device.sectors();
    let mut signature = Signature::new(hash_type, block);
    ordered(
        workers,
        slots,
        || {
            let (job, after) = rest.split_at(end_of_job(rest, block));
            rest = after;
            Ok((!job.is_empty()).then_some(job))
        },
        |job, (reader, part): &mut (BlockReader, Signature)| {
            reader.begin(job.into());
            for range in cut(job, block) {
                let digest = reader.digest(device, Sector::ZERO, range, hash_type)?;
                part.push(Entry { range, chunk: ChunkNumber::default(), digest })?;
            }
            done.fetch_add(job.len().to_bytes().get(), Ordering::Relaxed);
            Ok(())
        },
        |(_, part)| signature.append(part),
    )?;
    if let Some(remainder) = remainder_of(device, hash_type)? {
        signature.set_remainder(remainder)?;
    }
    Ok(signature)
}

/// The first sectors of `rest` as a unit of work: whole hash blocks, and at least as many as are
/// read at once.
fn end_of_job(rest: SectorRange, block: HashBlockSize) -> Sector {
    let window = rest.split_at(rest.start().saturating_add(WINDOW)).0;
    let last = window.end().checked_sub(SectorCount::from_u32(1)).unwrap_or(window.start());
    block.end_of(last)
}

/// The bytes after the last whole sector.
fn remainder_of(device: &dyn ReadAt, hash_type: HashType) -> Result<Option<Remainder>> {
    let end = device.sectors().end();
    let left = device.size().get().saturating_sub(end.to_bytes().get());
    let mut sector = [0; 512];
    let Some(bytes) = usize::try_from(left).ok().and_then(|left| sector.get_mut(..left)) else {
        return Ok(None);
    };
    device.read_sectors(end, bytes)?;
    let len = u16::try_from(left).unwrap_or_default();
    Ok(Remainder::new(end, len, hash_type.digest(bytes)))
}
