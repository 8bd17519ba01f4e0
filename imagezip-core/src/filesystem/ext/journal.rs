//! The journal: what the file system's metadata are after the recovery that a mount would do.
//!
//! A log is read like the Linux kernel does (`fs/jbd2/recovery.c`), in three passes: find the last
//! complete transaction, collect the revoked blocks, take over the rest. The blocks are not
//! copied but looked up in the log when they are read ([`Overlay`]). Blocks which the log frees
//! count as free, as after a mount: nobody can reach what was in them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Limit, Result};

use super::allocation::Suspects;
use super::inode::journal_blocks;
use super::superblock::Superblock;

mod fast_commit;
mod header;
mod log;
mod overlay;
mod record;
mod scan;

use fast_commit::FastCommits;
use log::{Log, Walk};
pub(super) use overlay::Overlay;
use overlay::Place;
use record::{Checked, Kind, Tag};

/// The most blocks that are revoked, and that are replaced: four times as many as the largest journal of mke2fs' making has
/// by default. What is kept in memory for one takes less than 64 bytes, and an agent has 256 MiB for everything.
const MAX_BLOCKS: usize = 1 << 20;

/// A file system after recovery.
pub(super) struct Recovered<'a> {
    /// The device with the log's blocks in their places.
    pub(super) device: Overlay<'a>,
    /// The superblock on that device.
    pub(super) superblock: Superblock,
    /// The groups in which fast commits give blocks to files.
    pub(super) suspects: Suspects,
    /// Whether there are fast commits, which were not replayed.
    pub(super) fast_commits: bool,
}

/// Replays the journal of a file system that needs recovery.
///
/// # Errors
/// `Incompatible` if the journal is on another device or of an unknown form, `Corrupt` if
/// recovery would fail, too; `Read` if the device fails.
pub(super) fn recover<'a>(
    device: &'a dyn ReadAt,
    superblock: &Superblock,
) -> Result<Recovered<'a>> {
    let missing = ErrorKind::Corrupt(CorruptKind::JournalMissing);
    let pointer = superblock.journal.as_ref().ok_or(missing)?;
    if pointer.inode == 0 {
        return Err(ErrorKind::Incompatible(IncompatibleKind::ExternalJournal).into());
    }
    let map = journal_blocks(device, superblock, pointer)?;
    let block_size = superblock.geometry.block_size();
    let log = Log::open(device, block_size, map)?;
    let mut overlay = Overlay::new(device, block_size);
    let Some(start) = log.start() else {
        let superblock = superblock.clone();
        let (suspects, fast_commits) = (Suspects::default(), false);
        return Ok(Recovered { device: overlay, superblock, suspects, fast_commits });
    };
    let end = scan::end_of_log(&log, start)?;
    let revoked = Revoked::collect(&log, log.walk_until(start, end))?;
    replay(&log, log.walk_until(start, end), &revoked, &mut overlay)?;
    let superblock = Superblock::read(&overlay)?;
    let FastCommits { any, groups } = fast_commit::read(&log, end, &superblock.geometry)?;
    Ok(Recovered { device: overlay, superblock, suspects: groups, fast_commits: any })
}

/// Blocks that must not be taken from transactions up to and including one.
struct Revoked(BTreeMap<u64, u32>);

impl Revoked {
    fn collect(log: &Log<'_>, mut walk: Walk<'_, '_>) -> Result<Self> {
        let mut revoked = BTreeMap::new();
        while let Some(kind) = walk.next()? {
            match kind {
                Kind::Descriptor => walk.skip_data()?,
                Kind::Commit => walk.end_transaction(),
                Kind::Revoke => {
                    for block in record::revoked_blocks(log.header(), walk.block())? {
                        // The numbers ascend during a walk: the last one counts.
                        revoked.insert(block, walk.sequence());
                        if revoked.len() > MAX_BLOCKS {
                            return Err(ErrorKind::TooLarge(Limit::Journal).into());
                        }
                    }
                }
            }
        }
        Ok(Self(revoked))
    }

    /// Whether what transaction `sequence` has for `block` must not be taken.
    fn has(&self, block: u64, sequence: u32) -> bool {
        self.0.get(&block).is_some_and(|last| !record::is_later(sequence, *last))
    }
}

fn replay(
    log: &Log<'_>,
    mut walk: Walk<'_, '_>,
    revoked: &Revoked,
    overlay: &mut Overlay<'_>,
) -> Result<()> {
    let mut data = log.buffer();
    while let Some(kind) = walk.next()? {
        match kind {
            Kind::Revoke => {}
            Kind::Commit => walk.end_transaction(),
            Kind::Descriptor => {
                record::check_block(log.header(), walk.block()).or_fail()?;
                let tags: Vec<_> = record::tags(log.header(), walk.block()).collect();
                for tag in tags {
                    let at = walk.next_data()?;
                    if !revoked.has(tag.block, walk.sequence()) {
                        let place = place(log, walk.sequence(), tag, at, &mut data)?;
                        overlay.replace(tag.block, place)?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Where the contents of a tag's block are to be read, block `at` of the log being its data.
fn place(log: &Log<'_>, sequence: u32, tag: Tag, at: u32, data: &mut [u8]) -> Result<Place> {
    if log.header().checks_blocks() {
        log.read(at, data)?;
        if tag.check(log.header(), sequence, data) == Checked::Wrong {
            // Recovery leaves it out, and fails: nobody knows what belongs there.
            return Ok(Place::Lost);
        }
    }
    Ok(Place::Log { block: log.locate(at)?, escaped: tag.escaped })
}
