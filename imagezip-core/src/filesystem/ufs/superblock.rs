//! The superblock: where it is, and what it says of the file system.

use crate::device::ReadAt;
use crate::error::{CorruptKind, Error, ErrorKind, IncompatibleKind, Limit, Place, Result};
use crate::layout::Layout;
use crate::sector::Bytes;

use super::super::checksum::Crc32c;
use super::super::read_if_there;
use super::flags::Flags;
use super::geometry::Geometry;

/// The bytes up to the end of the magic number.
pub(super) const SIZE: usize = 1376;
/// The most bytes that a superblock takes, with whatever follows.
const MOST_BYTES: u32 = 8192;
/// Where the magic number lies.
const MAGIC_AT: u64 = 1372;

/// Where superblocks are looked for, in this order.
pub(super) const PLACES: [u64; 4] = [64 << 10, 8 << 10, 0, 256 << 10];
/// Where UFS2 has it but on media for booting, and where UFS1 has it.
const PLACE_UFS2: u64 = 64 << 10;
const PLACE_UFS1: u64 = 8 << 10;

const MAGIC_UFS1: u32 = 0x0001_1954;
const MAGIC_UFS2: u32 = 0x1954_0119;
/// `NetBSD`'s UFS2 with extended attributes, and a file system that was not wholly made.
const MAGIC_OTHER: [u32; 2] = [0x1901_2038, 0x1996_0408];

/// The superblock as it lies on the disk (docs/format.md, "UFS").
struct View<'a>(Layout<'a, SIZE>);

#[rustfmt::skip]
impl View<'_> {
    fn superblock_at(&self) -> u32 { self.0.u32::<8>() }
    fn header_at(&self) -> u32 { self.0.u32::<12>() }
    fn inodes_at(&self) -> u32 { self.0.u32::<16>() }
    fn data_at(&self) -> u32 { self.0.u32::<20>() }
    fn step(&self) -> u32 { self.0.u32::<24>() }
    fn step_mask(&self) -> u32 { self.0.u32::<28>() }
    fn old_size(&self) -> u32 { self.0.u32::<36>() }
    fn groups(&self) -> u32 { self.0.u32::<44>() }
    fn block_bytes(&self) -> u32 { self.0.u32::<48>() }
    fn fragment_bytes(&self) -> u32 { self.0.u32::<52>() }
    fn per_block(&self) -> u32 { self.0.u32::<56>() }
    fn size_in_bytes(&self) -> u32 { self.0.u32::<104>() }
    fn inodes_per_block(&self) -> u32 { self.0.u32::<120>() }
    fn old_summaries(&self) -> u32 { self.0.u32::<152>() }
    fn summary_bytes(&self) -> u32 { self.0.u32::<156>() }
    fn header_bytes(&self) -> u32 { self.0.u32::<160>() }
    fn inodes_per_group(&self) -> u32 { self.0.u32::<184>() }
    fn per_group(&self) -> u32 { self.0.u32::<188>() }
    fn clean(&self) -> u8 { self.0.u8::<209>() }
    fn old_flags(&self) -> u8 { self.0.u8::<211>() }
    fn largest_block(&self) -> u32 { self.0.u32::<860>() }
    fn place(&self) -> u64 { self.0.u64::<1000>() }
    fn size(&self) -> u64 { self.0.u64::<1080>() }
    fn summaries(&self) -> u64 { self.0.u64::<1096>() }
    fn pending(&self) -> bool { self.0.u64::<1104>() != 0 || self.0.u32::<1112>() != 0 }
    fn checksum(&self) -> u32 { self.0.u32::<1304>() }
    fn checksums(&self) -> u32 { self.0.u32::<1308>() }
    fn flags(&self) -> u32 { self.0.u32::<1312>() }
    fn longest_link(&self) -> u32 { self.0.u32::<1320>() }
    fn magic(&self) -> u32 { self.0.u32::<1372>() }
}

/// A superblock that contradicts neither itself nor the size of its device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Superblock {
    pub(super) geometry: Geometry,
    pub(super) flags: Flags,
    /// Whether it was unmounted cleanly, and nothing is left to do.
    pub(super) is_clean: bool,
    /// Whether the headers of groups have checksums.
    pub(super) group_checksums: bool,
    /// Symbolic links up to this length lie in the inode.
    pub(super) longest_link: u32,
}

/// Whether there is the mark of a superblock.
pub(super) fn is_present(device: &dyn ReadAt) -> Result<bool> {
    for place in PLACES {
        let mut magic = [0; 4];
        if !read_if_there(device, Bytes(place.saturating_add(MAGIC_AT)), &mut magic)? {
            continue;
        }
        let magic = u32::from_le_bytes(magic);
        if magic == MAGIC_UFS1 || magic == MAGIC_UFS2 || MAGIC_OTHER.contains(&magic) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What a superblock is, by its magic number and place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    /// UFS2's own, where it says it is.
    Ufs2,
    /// UFS1's own, at its usual place.
    Ufs1,
    /// UFS1's at another place; it may be a copy in the first group.
    Elsewhere,
}

fn rank(view: &View<'_>, at: u64) -> Option<Rank> {
    match view.magic() {
        MAGIC_UFS2 if view.old_flags() & Flags::UPDATED == 0 => {
            (at == PLACE_UFS2).then_some(Rank::Ufs2)
        }
        MAGIC_UFS2 => (view.place() == at).then_some(Rank::Ufs2),
        MAGIC_UFS1 if at == PLACE_UFS1 => Some(Rank::Ufs1),
        // FreeBSD takes none of UFS1 there: with blocks of 64 KiB a copy lies in that place.
        MAGIC_UFS1 => (at != PLACE_UFS2).then_some(Rank::Elsewhere),
        _ => None,
    }
}

impl Superblock {
    /// Reads the superblock.
    pub(super) fn read(device: &dyn ReadAt) -> Result<Self> {
        let mut found: Option<(Rank, u64, [u8; SIZE])> = None;
        for at in PLACES {
            let mut bytes = [0; SIZE];
            if !read_if_there(device, Bytes(at), &mut bytes)? {
                continue;
            }
            let Some(rank) = rank(&View(Layout::from(&bytes)), at) else { continue };
            match &found {
                None | Some((Rank::Elsewhere, ..)) => found = Some((rank, at, bytes)),
                Some(_) if rank == Rank::Elsewhere => {}
                // Which of two is the later one can't be told.
                Some(_) => return Err(contradiction(at)),
            }
        }
        let place = Place::Byte(Bytes(PLACE_UFS2));
        let unknown = || ErrorKind::Incompatible(IncompatibleKind::Version).at(place);
        let (_, at, bytes) = found.ok_or_else(unknown)?;
        let view = View(Layout::from(&bytes));
        verify(device, &view, at)?;
        Self::parse(&view, at, device.size())
    }

    fn parse(view: &View<'_>, at: u64, device: Bytes) -> Result<Self> {
        let place = Place::Byte(Bytes(at));
        let geometry = geometry(view).ok_or_else(|| contradiction(at))?;
        let size = geometry.size.checked_mul(geometry.fragment_bytes());
        if size.is_none_or(|size| size > device.get()) {
            return Err(ErrorKind::Corrupt(CorruptKind::FileSystemSize).at(place));
        }
        if geometry.groups > MAX_GROUPS {
            return Err(ErrorKind::TooLarge(Limit::Groups).at(place));
        }
        let flags = flags(view);
        let is_clean =
            view.clean() == 1 && !flags.has(Flags::UNCLEAN | Flags::NEEDS_CHECK) && !view.pending();
        // What these journals would write back is not known here.
        if flags.has(Flags::BLOCK_JOURNAL) || !is_clean && flags.has(Flags::WAPBL) {
            return Err(ErrorKind::Incompatible(IncompatibleKind::JournalFeature).at(place));
        }
        Ok(Self {
            geometry,
            flags,
            is_clean,
            group_checksums: flags.has(Flags::CHECKSUMS) && view.checksums() & 2 != 0,
            // The oldest file systems have none, and say so with a negative number.
            longest_link: Some(view.longest_link()).filter(|len| *len <= 120).unwrap_or(0),
        })
    }
}

/// 2 TiB of groups of 2 MiB, the smallest that are usual.
const MAX_GROUPS: u32 = 1 << 20;

fn contradiction(at: u64) -> Error {
    ErrorKind::Corrupt(CorruptKind::Superblock).at(Place::Byte(Bytes(at)))
}

fn flags(view: &View<'_>) -> Flags {
    let old = view.old_flags();
    if old & Flags::UPDATED == 0 { Flags(u32::from(old)) } else { Flags(view.flags()) }
}

/// Checks the checksum of the superblock at `at`, if it has one.
fn verify(device: &dyn ReadAt, view: &View<'_>, at: u64) -> Result<()> {
    if !flags(view).has(Flags::CHECKSUMS) || view.checksums() & 1 == 0 {
        return Ok(());
    }
    let len = view.size_in_bytes();
    if len > MOST_BYTES {
        return Err(contradiction(at));
    }
    let mut bytes = alloc::vec![0; usize::try_from(len).unwrap_or_default()];
    device.read_at(Bytes(at), &mut bytes)?;
    if sum_without(&bytes, 1304) == Some(view.checksum()) {
        return Ok(());
    }
    Err(ErrorKind::Corrupt(CorruptKind::SuperblockChecksum).at(Place::Byte(Bytes(at))))
}

/// The checksum of `bytes`, with zeros in the place of the checksum itself, at `field`; `None` if
/// that is not among them.
pub(super) fn sum_without(bytes: &[u8], field: usize) -> Option<u32> {
    let (before, rest) = bytes.split_at_checked(field)?;
    let (_, after) = rest.split_at_checked(4)?;
    Some(Crc32c::START.add(before).add(&[0; 4]).add(after).get())
}

/// The shape of the file system; `None` if no file system can have it.
fn geometry(view: &View<'_>) -> Option<Geometry> {
    let (block, fragment) = (view.block_bytes(), view.fragment_bytes());
    let shapes = block.is_power_of_two() && fragment.is_power_of_two();
    if !shapes || !(4096..=65536).contains(&block) || fragment < 512 {
        return None;
    }
    let per_block = block.checked_div(fragment)?;
    if !(1..=8).contains(&per_block) || per_block != view.per_block() {
        return None;
    }
    let ufs2 = view.magic() == MAGIC_UFS2;
    // In UFS1 the wider fields are in use if this one is.
    let wide = ufs2 || view.largest_block() == block;
    let size = if wide { view.size() } else { u64::from(view.old_size()) };
    if !ufs2 && size != u64::from(view.old_size()) {
        return None;
    }
    let summaries = if wide { view.summaries() } else { u64::from(view.old_summaries()) };
    let summary = u64::from(view.summary_bytes()).div_ceil(u64::from(fragment));
    let geometry = Geometry {
        ufs2,
        fragment_shift: fragment.trailing_zeros(),
        per_block,
        size,
        groups: view.groups(),
        per_group: view.per_group(),
        inodes_per_group: view.inodes_per_group(),
        header_bytes: usize::try_from(view.header_bytes()).ok()?,
        superblock_at: view.superblock_at(),
        header_at: view.header_at(),
        inodes_at: view.inodes_at(),
        data_at: view.data_at(),
        step: view.step(),
        step_mask: view.step_mask(),
        summaries: summaries..summaries.checked_add(summary)?,
    };
    holds_together(&geometry, view.inodes_per_block()).then_some(geometry)
}

fn holds_together(geometry: &Geometry, inodes_per_block: u32) -> bool {
    let Geometry { size, groups, per_group, inodes_per_group, .. } = *geometry;
    let order = [
        geometry.superblock_at,
        geometry.header_at,
        geometry.inodes_at,
        geometry.data_at,
        per_group,
    ];
    let ascending = order.array_windows().all(|[before, after]| before < after);
    let inode_blocks = u64::from(inodes_per_group.div_ceil(geometry.inodes_per_block()));
    let inode_fragments = inode_blocks.saturating_mul(u64::from(geometry.per_block));
    let last = groups.saturating_sub(1);
    let expected = size.div_ceil(u64::from(per_group.max(1)));
    let limit = geometry.group(last).end;
    ascending
        && u64::from(groups) == expected
        && groups > 0
        && per_group.is_multiple_of(geometry.per_block)
        && inodes_per_group > 0
        && inodes_per_block == geometry.inodes_per_block()
        && u64::from(geometry.inodes_at).saturating_add(inode_fragments)
            <= u64::from(geometry.data_at)
        && geometry.header_bytes <= geometry.block_len()
        && geometry.metadata(last).end <= limit
        && geometry.summaries.end <= size
}
