//! Group descriptors and the table that holds them.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::device::ReadAt;
use crate::error::{ErrorKind, Place, Result};
use crate::layout::Layout;

use super::checksum::crc16;
use super::doubt::{Doubt, Trusted, trust};
use super::superblock::Superblock;

/// A descriptor as it lies on the disk.
///
/// Offsets: Linux, Documentation/filesystems/ext4, "Block Group Descriptors".
struct View<'a> {
    base: Layout<'a, 32>,
    /// The second half; it is there with 64-bit block numbers only.
    high: Option<Layout<'a, 32>>,
}

impl<'a> View<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        Some(Self { base: Layout::new(bytes)?, high: Layout::at(bytes, 32) })
    }

    /// The block number at `AT`; its high part is at the same place of the second half.
    fn block<const AT: usize>(&self) -> u64 {
        let high = self.high.map_or(0, Layout::u32::<AT>);
        u64::from(high) << 32 | u64::from(self.base.u32::<AT>())
    }

    /// The 32-bit value at `AT`; its high part is at the same place of the second half.
    fn value<const AT: usize>(&self) -> u32 {
        let high = self.high.map_or(0, Layout::u16::<AT>);
        u32::from(high) << 16 | u32::from(self.base.u16::<AT>())
    }
}

/// What a group's descriptor says, its checksum being right and its blocks being inside the
/// file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Descriptor {
    pub(super) block_bitmap: u64,
    pub(super) inode_bitmap: u64,
    pub(super) inode_table: Range<u64>,
    pub(super) free_clusters: u32,
    /// The block bitmap was never written: what is in use follows from the shape of the group.
    pub(super) bitmap_unwritten: bool,
    /// The bitmap's CRC-32C, of which only the bits of the mask are stored.
    pub(super) bitmap_checksum: u32,
    pub(super) bitmap_checksum_mask: u32,
}

impl Descriptor {
    fn parse(superblock: &Superblock, group: u32, bytes: &[u8]) -> Trusted<Self> {
        let view = View::new(bytes).ok_or(Doubt::Descriptor)?;
        if !checksum_is_right(superblock, group, bytes, &view) {
            return Err(Doubt::Descriptor);
        }
        let geometry = &superblock.geometry;
        let table = view.block::<0x8>();
        let flags = view.base.u16::<0x12>();
        let descriptor = Self {
            block_bitmap: view.block::<0x0>(),
            inode_bitmap: view.block::<0x4>(),
            inode_table: table..table.saturating_add(geometry.inode_table_blocks()),
            free_clusters: view.value::<0xc>(),
            bitmap_unwritten: superblock.features.descriptor_checksums() && flags & 2 != 0,
            bitmap_checksum: view.value::<0x18>(),
            bitmap_checksum_mask: if view.high.is_some() { u32::MAX } else { 0xffff },
        };
        let inside = descriptor.metadata().iter().all(|blocks| geometry.contains(blocks));
        if inside { Ok(descriptor) } else { Err(Doubt::Bounds) }
    }

    /// The blocks of the two bitmaps and of the inode table.
    pub(super) fn metadata(&self) -> [Range<u64>; 3] {
        let one = |block: u64| block..block.saturating_add(1);
        [one(self.block_bitmap), one(self.inode_bitmap), self.inode_table.clone()]
    }
}

fn checksum_is_right(superblock: &Superblock, group: u32, bytes: &[u8], view: &View<'_>) -> bool {
    const FIELD: usize = 0x1e;
    let stored = view.base.u16::<FIELD>();
    let number = group.to_le_bytes();
    let before = bytes.get(..FIELD).unwrap_or_default();
    let after = bytes.get(FIELD.saturating_add(2)..).unwrap_or_default();
    if superblock.features.metadata_checksums() {
        let sum = superblock.seed.add(&number).add(before).add(&[0; 2]).add(after);
        sum.low() == stored
    } else if superblock.features.descriptor_checksums() {
        crc16(&[&superblock.uuid, &number, before, after]) == stored
    } else {
        true
    }
}

/// The group descriptors, read a block at a time.
pub(super) struct DescriptorTable<'a> {
    device: &'a dyn ReadAt,
    superblock: &'a Superblock,
    block: Vec<u8>,
    /// Which descriptor block `block` holds, if it could be read.
    loaded: Option<(u32, Trusted<()>)>,
}

impl<'a> DescriptorTable<'a> {
    pub(super) fn new(device: &'a dyn ReadAt, superblock: &'a Superblock) -> Self {
        let block = vec![0; superblock.geometry.block_size().len()];
        Self { device, superblock, block, loaded: None }
    }

    /// The descriptor of a group.
    pub(super) fn get(&mut self, group: u32) -> Result<Trusted<Descriptor>> {
        let geometry = &self.superblock.geometry;
        let per_block = geometry.descriptors_per_block();
        let number = group.checked_div(per_block).unwrap_or(0);
        if let Err(doubt) = self.load(number)? {
            return Ok(Err(doubt));
        }
        let size = usize::from(geometry.descriptor_size);
        let place = usize::try_from(group.checked_rem(per_block).unwrap_or(0)).unwrap_or(0);
        let start = place.saturating_mul(size);
        let bytes = self.block.get(start..start.saturating_add(size)).unwrap_or_default();
        Ok(Descriptor::parse(self.superblock, group, bytes))
    }

    fn load(&mut self, number: u32) -> Result<Trusted<()>> {
        if let Some((loaded, outcome)) = self.loaded
            && loaded == number
        {
            return Ok(outcome);
        }
        let geometry = &self.superblock.geometry;
        let block = geometry.descriptor_block(number);
        self.loaded = None;
        let outcome = if block < geometry.end_block() {
            trust(read_block(self.device, self.superblock, block, &mut self.block))?
        } else {
            Err(Doubt::Bounds)
        };
        self.loaded = Some((number, outcome));
        Ok(outcome)
    }
}

/// Reads block `number` of the file system.
pub(super) fn read_block(
    device: &dyn ReadAt,
    superblock: &Superblock,
    number: u64,
    buf: &mut [u8],
) -> Result<()> {
    let position = superblock.geometry.block_size().position(number);
    device.read_at(position.ok_or_else(|| ErrorKind::Truncated.at(Place::Whole))?, buf)
}
