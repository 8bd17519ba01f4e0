//! Nothing of the last user is left on a disk that was loaded.

use std::fs::File;
use std::os::unix::fs::FileExt;

use anyhow::{Result, ensure};
use xtask::node_disk::{NodeDisk, SECTOR};

/// What is read at once to compare.
const STEP: usize = 1 << 20;

/// Where a GPT's first copy ends, and how long its second one is at the disk's end, in sectors.
const TABLE_END: u64 = 34;
const BACKUP: u64 = 33;

/// Fails if a sector of the loaded disk, but for the table that was fitted to it, is neither zeros
/// nor what the saved disk has there.
pub(super) fn nothing_is_left(saved: &NodeDisk, loaded: &NodeDisk) -> Result<()> {
    let (saved_file, loaded_file) = (File::open(&saved.path)?, File::open(&loaded.path)?);
    let (mut was, mut is) = (vec![0; STEP], vec![0; STEP]);
    let (mut at, end) = (TABLE_END * SECTOR, (loaded.sectors - BACKUP) * SECTOR);
    while at < end {
        let len = usize::try_from(end - at)?.min(STEP);
        loaded_file.read_exact_at(&mut is[..len], at)?;
        let there = usize::try_from((saved.sectors * SECTOR).saturating_sub(at))?.min(len);
        saved_file.read_exact_at(&mut was[..there], at)?;
        was[there..].fill(0);
        for (index, (is, was)) in is[..len].chunks(512).zip(was.chunks(512)).enumerate() {
            let sector = at / SECTOR + index as u64;
            let good = is == was || is == [0; 512];
            ensure!(good, "sector {sector} of the disk is still the other user's");
        }
        at += len as u64;
    }
    Ok(())
}
