//! A partition that somebody asked for by its number.

use anyhow::{Context, bail};
use imagezip_core::device::ReadAt;
use imagezip_core::partition::{self, LogicalSectorSize, Partition};

/// Partition `number` of a disk, which people know as `name`.
///
/// # Errors
/// If the table can't be read, or there is no such partition; then those that there are are named.
pub fn find(
    disk: &dyn ReadAt,
    name: &str,
    sector_size: LogicalSectorSize,
    number: u32,
) -> anyhow::Result<Partition> {
    let table = partition::read(disk, sector_size)
        .with_context(|| format!("reading the partition table of {name}"))?
        .with_context(|| format!("{name} has no partition table, and so no partition {number}"))?;
    let Some(found) = table.find(number) else {
        let numbers: Vec<_> = table.partitions.iter().map(|p| p.number.to_string()).collect();
        bail!("{name} has no partition {number}, only {}", numbers.join(", "));
    };
    Ok(found.clone())
}
