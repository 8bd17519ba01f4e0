//! What all fuzz targets do with their input.
//!
//! An input is a disk that is mostly zeros: its size in sectors (32 bits, little-endian), then for
//! each sector that isn't zeros its number (32 bits, little-endian) and its 512 bytes. `fixtures`
//! makes such inputs of what a parser reads of real file systems (`corruption::seed`).

use std::collections::BTreeMap;

use imagezip_core::Result;
use imagezip_core::allocation::{Options, Selection, scan};
use imagezip_core::device::ReadAt;
use imagezip_core::error::{ErrorKind, Place};
use imagezip_core::filesystem;
use imagezip_core::partition::LogicalSectorSize;
use imagezip_core::sector::Bytes;

const SECTOR: usize = 512;

/// A disk of zeros with some other sectors.
struct SparseDisk<'a> {
    sectors: u32,
    content: BTreeMap<u64, &'a [u8]>,
}

impl<'a> SparseDisk<'a> {
    fn new(input: &'a [u8]) -> Option<Self> {
        let (sectors, rest) = input.split_first_chunk::<4>()?;
        let mut content = BTreeMap::new();
        for record in rest.chunks_exact(4 + SECTOR) {
            let (number, bytes) = record.split_first_chunk::<4>()?;
            content.insert(u64::from(u32::from_le_bytes(*number)), bytes);
        }
        Some(Self { sectors: u32::from_le_bytes(*sectors), content })
    }
}

impl ReadAt for SparseDisk<'_> {
    fn size(&self) -> Bytes {
        Bytes(u64::from(self.sectors) * SECTOR as u64)
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.size());
        let end = end.ok_or_else(|| ErrorKind::Truncated.at(Place::Byte(offset)))?;
        buf.fill(0);
        let first = offset.get() / SECTOR as u64;
        for (number, bytes) in self.content.range(first..end.get().div_ceil(SECTOR as u64)) {
            let start = number * SECTOR as u64;
            let from = offset.get().max(start);
            let to = end.get().min(start + SECTOR as u64);
            let source = &bytes[(from - start) as usize..(to - start) as usize];
            buf[(from - offset.get()) as usize..(to - offset.get()) as usize]
                .copy_from_slice(source);
        }
        Ok(())
    }
}

/// Looks for a file system on the disk that `input` describes.
pub fn examine(input: &[u8]) {
    let Some(disk) = SparseDisk::new(input) else { return };
    let Ok(examined) = filesystem::examine(&disk, None) else { return };
    assert!(examined.in_use.iter().all(|extent| disk.sectors().contains(extent)));
}

/// Looks for partitions, and for what is in them.
pub fn whole_disk(input: &[u8]) {
    let Some(disk) = SparseDisk::new(input) else { return };
    for size in [LogicalSectorSize::B512, LogicalSectorSize::B4096] {
        let _ = scan(&disk, Selection::WholeDisk, Options::new(size));
    }
}
