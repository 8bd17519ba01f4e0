//! The free sectors of an allocation group, from its B-tree of free extents by block and its list
//! of free blocks.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, Place, Result};
use crate::extent::ExtentSet;
use crate::layout::Layout;
use crate::sector::Bytes;

use super::btree::{self, Tree};
use super::geometry::Geometry;
use super::superblock::{Superblock, is_patched, is_summed};

/// The sectors of a group that hold its header of free space, and its list of free blocks.
const AGF_SECTOR: u32 = 1;
const AGFL_SECTOR: u32 = 3;
/// The marks of both: `XAGF` and `XAFL`.
pub(super) const AGF_MAGIC: u32 = 0x5841_4746;
pub(super) const AGFL_MAGIC: u32 = 0x5841_464c;
/// Where the checksums of both are, in version 5.
const AGF_CHECKSUM_AT: usize = 0xd8;
const AGFL_CHECKSUM_AT: usize = 0x20;
/// What the list begins with in version 5, in bytes.
const AGFL_HEADER: usize = 0x24;

/// The header of free space as it lies on the disk; docs/format.md, "XFS".
struct Agf<'a>(Layout<'a, 0xe0>);

#[rustfmt::skip]
impl Agf<'_> {
    fn magic(&self) -> u32 { self.0.be32::<0x0>() }
    fn version(&self) -> u32 { self.0.be32::<0x4>() }
    fn number(&self) -> u32 { self.0.be32::<0x8>() }
    fn length(&self) -> u32 { self.0.be32::<0xc>() }
    /// The roots of the B-trees of free extents, by block and by size.
    fn roots(&self) -> [u32; 2] { [self.0.be32::<0x10>(), self.0.be32::<0x14>()] }
    fn levels(&self) -> u32 { self.0.be32::<0x1c>() }
    fn list_first(&self) -> u32 { self.0.be32::<0x28>() }
    fn list_last(&self) -> u32 { self.0.be32::<0x2c>() }
    fn list_count(&self) -> u32 { self.0.be32::<0x30>() }
    fn free_blocks(&self) -> u32 { self.0.be32::<0x34>() }
    fn longest(&self) -> u32 { self.0.be32::<0x38>() }
    fn uuid(&self) -> [u8; 16] { self.0.array::<0x40, 16>() }
}

fn corrupt(kind: CorruptKind, at: Bytes) -> crate::Error {
    ErrorKind::Corrupt(kind).at(Place::Byte(at))
}

/// The free sectors of group `number`, in ascending order.
///
/// # Errors
/// `Corrupt` if what describes the group contradicts itself.
pub(super) fn free_sectors(
    device: &dyn ReadAt,
    superblock: &Superblock,
    patched: &ExtentSet,
    number: u32,
) -> Result<ExtentSet> {
    let geometry = &superblock.geometry;
    let len = geometry.sector_len();
    let mut headers = vec![0; len.saturating_mul(3)];
    let at = geometry.header(number, AGF_SECTOR);
    device.read_at(at, &mut headers)?;
    let (sector, list) = (headers.get(..len), headers.get(len.saturating_mul(2)..));
    let (sector, list) = (sector.unwrap_or_default(), list.unwrap_or_default());
    let agf = agf(superblock, patched, number, sector).map_err(|kind| corrupt(kind, at))?;

    let [root, root_by_size] = agf.roots();
    let tree = Tree { device, superblock, patched, ag: number };
    let btree::Contents { free, mut blocks } = btree::read(&tree, root, agf.levels())?;
    let contradiction = || corrupt(CorruptKind::AllocationMap, at);
    let (mut sum, mut longest) = (0_u32, 0);
    for extent in &free {
        let len = extent.end.saturating_sub(extent.start);
        (sum, longest) = (sum.saturating_add(len), longest.max(len));
    }
    if sum != agf.free_blocks() || longest != agf.longest() {
        return Err(contradiction());
    }
    let set = |blocks: &[Range<u32>]| sectors(geometry, number, blocks);
    blocks.push(one(root_by_size));
    let (free, used) = set(&free).zip(set(&blocks)).ok_or_else(contradiction)?;
    let used = used.union(&superblock.log.into());
    if !free.intersection(&used).is_empty() {
        return Err(contradiction());
    }
    // A list that can't be trusted only costs some blocks.
    let list = listed(superblock, patched, number, &agf, list).unwrap_or_default();
    let count = list.len();
    let list = set(&list).unwrap_or_default();
    // None of them twice.
    let expected = u64::try_from(count).unwrap_or(0).wrapping_shl(geometry.block_log);
    let is_sound = list.sector_count().to_bytes() == Bytes(expected)
        && list.intersection(&free.union(&used)).is_empty();
    Ok(if is_sound { free.union(&list) } else { free })
}

/// Blocks of a group, in any order, as sectors.
fn sectors(geometry: &Geometry, number: u32, blocks: &[Range<u32>]) -> Option<ExtentSet> {
    let mut ranges = Vec::new();
    for extent in blocks {
        ranges.push(geometry.sectors(number, extent)?);
    }
    Some(ExtentSet::from_unsorted(ranges))
}

fn one(block: u32) -> Range<u32> {
    block..block.saturating_add(1)
}

/// The header of free space, if it belongs to this group and agrees with the superblock.
fn agf<'a>(
    superblock: &Superblock,
    patched: &ExtentSet,
    number: u32,
    sector: &'a [u8],
) -> core::result::Result<Agf<'a>, CorruptKind> {
    let geometry = &superblock.geometry;
    let at = geometry.header(number, AGF_SECTOR);
    let agf = Agf(Layout::new(sector).ok_or(CorruptKind::Metadata)?);
    if agf.magic() != AGF_MAGIC {
        return Err(CorruptKind::Metadata);
    }
    let summed = is_patched(patched, at, sector.len()) || is_summed(sector, AGF_CHECKSUM_AT);
    if superblock.checksums && !summed {
        return Err(CorruptKind::MetadataChecksum);
    }
    let inside = geometry.header_blocks()..geometry.ag_len(number);
    let valid = agf.version() == 1
        && agf.number() == number
        && agf.length() == geometry.ag_len(number)
        && (!superblock.checksums || agf.uuid() == superblock.meta_uuid)
        && agf.roots().iter().all(|root| inside.contains(root))
        && (1..=btree::MOST_LEVELS).contains(&agf.levels());
    if valid { Ok(agf) } else { Err(CorruptKind::Metadata) }
}

/// The blocks on the list of those that are reserved for the B-trees: nothing is in them. `None`
/// if the list makes no sense.
fn listed(
    superblock: &Superblock,
    patched: &ExtentSet,
    number: u32,
    agf: &Agf<'_>,
    sector: &[u8],
) -> Option<Vec<Range<u32>>> {
    let geometry = &superblock.geometry;
    let mut entries = sector;
    if superblock.checksums {
        let header = Layout::<AGFL_HEADER>::new(sector)?;
        let at = geometry.header(number, AGFL_SECTOR);
        let valid = header.be32::<0>() == AGFL_MAGIC
            && header.be32::<4>() == number
            && header.array::<8, 16>() == superblock.meta_uuid
            && (is_patched(patched, at, sector.len()) || is_summed(sector, AGFL_CHECKSUM_AT));
        entries = sector.get(AGFL_HEADER..).filter(|_| valid)?;
    }
    let size = u32::try_from(entries.len() / 4).ok()?;
    let (first, last, count) = (agf.list_first(), agf.list_last(), agf.list_count());
    // It is a ring.
    let filled = if last >= first {
        last.checked_sub(first)
    } else {
        size.checked_sub(first)?.checked_add(last)
    }?;
    let consistent = count == 0 || filled.checked_add(1) == Some(count);
    if first >= size || last >= size || count > size || !consistent {
        return None;
    }
    let inside = geometry.header_blocks()..geometry.ag_len(number);
    let mut blocks = Vec::new();
    let mut at = first;
    for _ in 0..count {
        let offset = usize::try_from(at).ok()?.checked_mul(4)?;
        let block = Layout::<4>::at(entries, offset)?.be32::<0>();
        blocks.push(one(block));
        if !inside.contains(&block) {
            return None;
        }
        at = at.checked_add(1).filter(|next| *next < size).unwrap_or(0);
    }
    Some(blocks)
}
