//! The log: what the metadata of free space are after the recovery that a mount would do.
//!
//! Head and tail are found like the Linux kernel finds them, and what is committed between them
//! is replayed in two passes: the first collects the buffers that were given up, the second takes
//! over the others (docs/format.md, "XFS log"). Only buffers that tell what is free are kept. What
//! recovery does after that, finishing what was intended and freeing deleted files, takes only blocks
//! that are free, and reads only such that are in use.

use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{CorruptKind, Error, ErrorKind, Place, Result};
use crate::extent::ExtentSet;
use crate::overlay::Patch;

use super::superblock::Superblock;

mod head;
mod item;
mod record;
mod replay;
mod ring;
mod transaction;

use replay::Replay;
use ring::Ring;
use transaction::Transactions;

/// A file system after recovery.
pub(super) struct Recovered {
    /// What is to be replaced on its device.
    pub(super) patches: Vec<Patch>,
    /// The sectors of the blocks of which they replace something.
    pub(super) patched: ExtentSet,
    /// The sectors that recovery reads.
    pub(super) needed: ExtentSet,
}

/// Replays the log; `None` if there is nothing to be replayed.
///
/// # Errors
/// `Corrupt` or `TooLarge` if the log is not understood; `Read` if the device fails.
pub(super) fn recover(device: &dyn ReadAt, superblock: &Superblock) -> Result<Option<Recovered>> {
    let mut ring = Ring::new(device, superblock);
    let Some(extent) = head::find(&mut ring)? else {
        return Ok(None);
    };
    let mut replay = Replay::new(device, superblock);
    let mut transactions = Transactions::new(false);
    record::each(&mut ring, extent, &mut |record| {
        transactions.add(record, &mut |_, items| replay.collect(items))
    })?;
    replay.collected();
    let mut transactions = Transactions::new(true);
    record::each(&mut ring, extent, &mut |record| {
        transactions.add(record, &mut |lsn, items| replay.take_over(lsn, items))
    })?;
    Ok(Some(replay.finish()))
}

/// The log contradicts itself in what begins at `place`.
fn wrong(place: Place) -> Error {
    ErrorKind::Corrupt(CorruptKind::JournalLog).at(place)
}
