//! What of a FAT32 file system is in use, found without this project's parsers.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::{SECTOR, Slice};

/// The sectors of `disk` that the FAT32 file system in `esp`, with sectors of 512 bytes, uses: all up to
/// its first cluster, and each cluster whose entry in the first FAT isn't zero.
pub(super) fn in_use(disk: &Path, esp: Slice) -> Result<Vec<Slice>> {
    let file = File::open(disk)?;
    let mut boot = [0; 512];
    file.read_exact_at(&mut boot, esp.start * SECTOR)?;
    let number = |at: usize, len: usize| {
        let bytes = boot[at..at + len].iter().rev();
        bytes.fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    ensure!(number(11, 2) == SECTOR && number(22, 2) == 0, "no FAT32 with sectors of 512 bytes");
    let (per_cluster, reserved) = (number(13, 1), number(14, 2));
    let (fats, fat_sectors) = (number(16, 1), number(36, 4));
    let data = reserved + fats * fat_sectors;
    let clusters = (number(32, 4) - data) / per_cluster;
    let mut fat = vec![0; usize::try_from(fat_sectors * SECTOR)?];
    file.read_exact_at(&mut fat, (esp.start + reserved) * SECTOR)?;
    let mut slices = vec![Slice { start: esp.start, sectors: data }];
    let (entries, _) = fat.as_chunks::<4>();
    for cluster in 0..clusters {
        // The first two entries are of no cluster.
        let entry = entries.get(usize::try_from(cluster)? + 2).context("the FAT is too short")?;
        if u32::from_le_bytes(*entry) & 0x0fff_ffff != 0 {
            let start = esp.start + data + cluster * per_cluster;
            slices.push(Slice { start, sectors: per_cluster });
        }
    }
    Ok(slices)
}
