//! The disk, partition or file that is compared.

use std::path::Path;

use anyhow::{Context, anyhow};
use imagezip_core::device::ReadAt;
use imagezip_core::error::{ErrorKind, Place};
use imagezip_core::sector::{Bytes, SECTOR_BYTES, Sector};

use crate::host::FileDevice;
use crate::partition::find;

/// A disk from the sector on where an image should be.
///
/// What a file lacks of its last sector reads as zeros: images of files have zeros there.
#[derive(Debug)]
pub struct Disk {
    file: FileDevice,
    start: Bytes,
    size: Bytes,
}

impl Disk {
    /// The disk, partition or file at `path`, from sector `start` on.
    ///
    /// # Errors
    /// If it can't be opened.
    pub fn from_sector(path: &Path, start: Sector) -> anyhow::Result<Self> {
        let file = FileDevice::open(path)?;
        let sectors = file.size().get().div_ceil(SECTOR_BYTES);
        let end = Sector::new(sectors).context("a disk of that size")?;
        Ok(Self { file, start: start.to_bytes(), size: end.since(start).to_bytes() })
    }

    /// Partition `number` of the disk at `path`.
    ///
    /// # Errors
    /// If the disk can't be read or has no such partition.
    pub fn partition(path: &Path, number: u32) -> anyhow::Result<Self> {
        let whole = Self::from_sector(path, Sector::ZERO)?;
        let name = path.display().to_string();
        let size = whole.file.logical_sector_size();
        let size = size.map_err(|bytes| anyhow!("{name} has sectors of {bytes} bytes"))?;
        let range = find(&whole, &name, size, number)?.range;
        Ok(Self { start: range.start().to_bytes(), size: range.len().to_bytes(), ..whole })
    }
}

impl ReadAt for Disk {
    fn size(&self) -> Bytes {
        self.size
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> imagezip_core::Result<()> {
        let truncated = || ErrorKind::Truncated.at(Place::Byte(offset));
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.size);
        let at = end.and_then(|_| self.start.checked_add(offset.get())).ok_or_else(truncated)?;
        let there = self.file.size().get().saturating_sub(at.get());
        let there = usize::try_from(there).unwrap_or(usize::MAX).min(buf.len());
        let (data, padding) = buf.split_at_mut(there);
        padding.fill(0);
        if data.is_empty() { Ok(()) } else { self.file.read_at(at, data) }
    }
}
