//! Inodes as they lie on the disk, and where in the file system the blocks of the journal lie.

use alloc::vec;
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{CorruptKind, Error, ErrorKind, Limit, Place, Result};
use crate::layout::Layout;
use crate::sector::Bytes;

use super::group::{DescriptorTable, read_block};
use super::superblock::{JournalPointer, Superblock};
use super::{extent_tree, indirect};
use crate::filesystem::checksum::Crc32c;

/// An inode as it lies on the disk: the part that all have.
///
/// Offsets: Linux, Documentation/filesystems/ext4, "Index Nodes".
struct View<'a>(Layout<'a, 128>);

#[rustfmt::skip]
impl View<'_> {
    fn size_low(&self) -> u32 { self.0.u32::<0x4>() }
    fn flags(&self) -> u32 { self.0.u32::<0x20>() }
    fn block_map(&self) -> [u8; 60] { self.0.array::<0x28, 60>() }
    fn generation(&self) -> [u8; 4] { self.0.array::<0x64, 4>() }
    fn size_high(&self) -> u32 { self.0.u32::<0x6c>() }
    fn checksum_low(&self) -> u16 { self.0.u16::<0x7c>() }
}

/// Set if the inode's block map is the root of a tree of extents.
pub(super) const EXTENTS_FLAG: u32 = 0x8_0000;
/// The most blocks of a journal: 16 GiB of 4 KiB blocks.
const MAX_BLOCKS: u64 = 1 << 22;
/// The most pieces of a journal. What is kept in memory for one takes 24 bytes.
const MAX_RUNS: usize = 1 << 20;

/// What it is called if the journal's inode or what hangs on it is damaged.
const FAULT: CorruptKind = CorruptKind::JournalInode;

/// That the journal's inode or what hangs on it is damaged.
pub(super) fn damaged() -> Error {
    ErrorKind::Corrupt(FAULT).at(Place::Whole)
}

/// Blocks that follow each other both in a file and in the file system.
struct Run {
    logical: u64,
    physical: u64,
    len: u64,
}

/// Blocks of a file that follow each other in the file system, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// The first, counted in the file.
    pub(super) logical: u64,
    /// The same, counted in the file system.
    pub(super) physical: u64,
    pub(super) len: u64,
    /// If not, they are reserved, and read as zeros.
    pub(super) written: bool,
}

/// Who wants to know where the blocks of a file lie. They are told in the order of the file.
pub(super) trait Places {
    /// The first block of the file of which nothing was told yet; `None` if all were.
    fn missing(&self) -> Option<u64>;

    /// Takes the place of blocks, of which the first is not before the missing one.
    fn append(&mut self, source: Source<'_>, extent: Extent) -> Result<()>;

    /// The next `len` blocks of the file have no place: it has a hole.
    fn skip(&mut self, source: Source<'_>, len: u64) -> Result<()>;

    /// A block is about to be read that tells of the places of others.
    fn descend(&mut self) -> Result<()>;
}

/// Where the blocks of a file lie, from its first to its last without a hole.
pub(super) struct FileMap {
    runs: Vec<Run>,
    /// The blocks of the file.
    blocks: u64,
}

impl FileMap {
    fn new(blocks: u64) -> Self {
        Self { runs: Vec::new(), blocks }
    }

    /// The blocks of the file.
    pub(super) fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Where block `logical` of the file lies.
    pub(super) fn block(&self, logical: u64) -> Option<u64> {
        let after = self.runs.partition_point(|run| run.logical <= logical);
        let run = self.runs.get(after.checked_sub(1)?)?;
        let offset = logical.checked_sub(run.logical).filter(|offset| *offset < run.len)?;
        run.physical.checked_add(offset)
    }
}

impl Places for FileMap {
    fn missing(&self) -> Option<u64> {
        let next = self.runs.last().map_or(0, |run| run.logical.saturating_add(run.len));
        (next < self.blocks).then_some(next)
    }

    /// Fails unless they are the next blocks of the file and in the file system.
    fn append(&mut self, source: Source<'_>, extent: Extent) -> Result<()> {
        let Extent { logical, physical, len, .. } = extent;
        let end = physical.checked_add(len).ok_or_else(damaged)?;
        let follows = self.missing().is_none_or(|next| next == logical);
        if !follows || !source.superblock.geometry.contains(&(physical..end)) {
            return Err(damaged());
        }
        let full = self.runs.len() >= MAX_RUNS;
        match self.runs.last_mut() {
            Some(last) if last.physical.checked_add(last.len) == Some(physical) => {
                last.len = last.len.saturating_add(len);
            }
            _ if full => {
                return Err(ErrorKind::TooLarge(Limit::Journal).into());
            }
            _ => self.runs.push(Run { logical, physical, len }),
        }
        Ok(())
    }

    fn skip(&mut self, _: Source<'_>, _: u64) -> Result<()> {
        Err(damaged())
    }

    fn descend(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The device and file system in which a file is looked up.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) device: &'a dyn ReadAt,
    pub(super) superblock: &'a Superblock,
    /// What the checksums of the file's metadata start from; `None` if they aren't known.
    pub(super) seed: Option<Crc32c>,
    /// What it is called if the file's inode or what hangs on it is damaged.
    pub(super) fault: CorruptKind,
}

impl Source<'_> {
    /// That the file's inode or what hangs on it is damaged.
    pub(super) fn damaged(&self) -> Error {
        ErrorKind::Corrupt(self.fault).at(Place::Whole)
    }

    /// Block `number`, if it is in the file system.
    pub(super) fn read(&self, number: u64) -> Result<Vec<u8>> {
        let geometry = &self.superblock.geometry;
        if !geometry.contains(&(number..number.saturating_add(1))) {
            return Err(self.damaged());
        }
        let mut block = vec![0; geometry.block_size().len()];
        read_block(self.device, self.superblock, number, &mut block)?;
        Ok(block)
    }
}

/// Where the journal's blocks lie: by its inode, or if that is damaged by the superblock's copy.
pub(super) fn journal_blocks(
    device: &dyn ReadAt,
    superblock: &Superblock,
    pointer: &JournalPointer,
) -> Result<FileMap> {
    let outcome = by_inode(device, superblock, pointer.inode);
    match (&outcome, pointer.backup) {
        (Err(Error { kind: ErrorKind::Corrupt(_), .. }), Some((block_map, size))) => {
            // The copy has no flags and no checksum: a tree of extents tells by its mark.
            let is_tree = extent_tree::has_magic(&block_map);
            let source = Source { device, superblock, seed: None, fault: FAULT };
            map(source, &block_map, is_tree, size).or(outcome)
        }
        _ => outcome,
    }
}

fn by_inode(device: &dyn ReadAt, superblock: &Superblock, number: u32) -> Result<FileMap> {
    let (bytes, seed) = read_inode(device, superblock, number, FAULT)?;
    let view = View(Layout::new(&bytes).ok_or_else(damaged)?);
    let source = Source { device, superblock, seed: Some(seed), fault: FAULT };
    let size = u64::from(view.size_high()) << 32 | u64::from(view.size_low());
    map(source, &view.block_map(), view.flags() & EXTENTS_FLAG != 0, size)
}

/// Where inode `number` lies, in bytes; fails as `Corrupt(fault)` if there can be no such inode.
pub(super) fn locate_inode(
    device: &dyn ReadAt,
    superblock: &Superblock,
    number: u32,
    fault: CorruptKind,
) -> Result<Bytes> {
    let damaged = || ErrorKind::Corrupt(fault).at(Place::Entry(number.into()));
    let geometry = &superblock.geometry;
    let index = number.checked_sub(1).ok_or_else(damaged)?;
    let group = index.checked_div(geometry.inodes_per_group).ok_or_else(damaged)?;
    let place = index.checked_rem(geometry.inodes_per_group).ok_or_else(damaged)?;
    if group >= geometry.groups() {
        return Err(damaged());
    }
    let descriptor = DescriptorTable::new(device, superblock).get(group)?;
    let table = descriptor.map_err(|_| damaged())?.inode_table.start;
    let from_table = u64::from(place).checked_mul(geometry.inode_size.into());
    let position = geometry.block_size().position(table).zip(from_table);
    let position = position.and_then(|(table, offset)| table.checked_add(offset));
    position.ok_or_else(damaged)
}

/// Inode `number`, and what the checksums of its metadata start from; fails as `Corrupt(fault)`
/// if there can be no such inode, or its checksum is wrong.
pub(super) fn read_inode(
    device: &dyn ReadAt,
    superblock: &Superblock,
    number: u32,
    fault: CorruptKind,
) -> Result<(Vec<u8>, Crc32c)> {
    let damaged = || ErrorKind::Corrupt(fault).at(Place::Entry(number.into()));
    let position = locate_inode(device, superblock, number, fault)?;
    let mut bytes = vec![0; superblock.geometry.inode_size.into()];
    device.read_at(position, &mut bytes)?;
    let view = View(Layout::new(&bytes).ok_or_else(damaged)?);
    let seed = superblock.seed.add(&number.to_le_bytes()).add(&view.generation());
    if superblock.features.metadata_checksums() && !checksum_is_right(seed, &bytes, &view) {
        return Err(damaged());
    }
    Ok((bytes, seed))
}

fn checksum_is_right(seed: Crc32c, bytes: &[u8], view: &View<'_>) -> bool {
    let part = |from: usize, to: usize| bytes.get(from..to).unwrap_or_default();
    let sum = seed.add(part(0, 0x7c)).add(&[0; 2]).add(part(0x7e, 0x80));
    // How many of the fields beyond the first 128 bytes there are; the high half of the checksum
    // is the second of them, at 0x82.
    let extra = Layout::<4>::at(bytes, 0x80);
    match extra.filter(|extra| extra.u16::<0>() >= 4) {
        Some(extra) => {
            let sum = sum.add(part(0x80, 0x82)).add(&[0; 2]).add(part(0x84, bytes.len()));
            sum.get() == u32::from(extra.u16::<2>()) << 16 | u32::from(view.checksum_low())
        }
        None => sum.add(part(0x80, bytes.len())).low() == view.checksum_low(),
    }
}

fn map(source: Source<'_>, block_map: &[u8; 60], is_tree: bool, size: u64) -> Result<FileMap> {
    let block_size = source.superblock.geometry.block_size();
    let blocks = block_size.blocks_in(Bytes(size));
    if blocks > MAX_BLOCKS {
        return Err(ErrorKind::TooLarge(Limit::Journal).into());
    }
    let mut map = FileMap::new(blocks);
    if is_tree {
        extent_tree::walk(source, block_map, &mut map)?;
    } else {
        indirect::walk(source, block_map, &mut map)?;
    }
    if map.missing().is_some() { Err(damaged()) } else { Ok(map) }
}
