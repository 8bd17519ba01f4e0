//! The superblock: where the areas lie.

use alloc::vec;
use core::ops::Range;

use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Place, Result};
use crate::filesystem::checksum::agree;
use crate::layout::Layout;
use crate::sector::Bytes;

use super::checksum::crc32;
use super::{BLOCK, SEGMENT};

/// The magic number.
pub(super) const MAGIC: u32 = 0xf2f5_2010;

/// Where the superblock lies in each of the first two blocks.
const OFFSET: usize = 1024;
/// Its size in bytes: the rest of the block.
const SIZE: usize = 3072;
/// Where its checksum lies.
const CHECKSUM: usize = 3068;

/// Features with which the areas and the recovery are those of docs/format.md: encryption, atomic
/// writes, extra attributes, project quota, inode checksums, inline attributes of any size, quota
/// files, creation times, lost+found, verity, superblock checksums, case folding, compression.
const KNOWN: u32 = 0x3ffd;
/// A checksum of the superblock.
const SUPERBLOCK_CHECKSUM: u32 = 0x800;

/// The superblock as it lies on the disk.
struct View<'a>(Layout<'a, SIZE>);

#[rustfmt::skip]
impl View<'_> {
    fn magic(&self) -> u32 { self.0.u32::<0>() }
    fn log_sector_size(&self) -> u32 { self.0.u32::<8>() }
    fn log_sectors_per_block(&self) -> u32 { self.0.u32::<12>() }
    fn log_block_size(&self) -> u32 { self.0.u32::<16>() }
    fn log_blocks_per_segment(&self) -> u32 { self.0.u32::<20>() }
    fn checksum_offset(&self) -> u32 { self.0.u32::<32>() }
    fn block_count(&self) -> u64 { self.0.u64::<36>() }
    fn segment_count(&self) -> u32 { self.0.u32::<48>() }
    fn checkpoint_segments(&self) -> u32 { self.0.u32::<52>() }
    fn sit_segments(&self) -> u32 { self.0.u32::<56>() }
    fn nat_segments(&self) -> u32 { self.0.u32::<60>() }
    fn ssa_segments(&self) -> u32 { self.0.u32::<64>() }
    fn main_segments(&self) -> u32 { self.0.u32::<68>() }
    fn segment0(&self) -> u32 { self.0.u32::<72>() }
    fn checkpoint(&self) -> u32 { self.0.u32::<76>() }
    fn sit(&self) -> u32 { self.0.u32::<80>() }
    fn nat(&self) -> u32 { self.0.u32::<84>() }
    fn ssa(&self) -> u32 { self.0.u32::<88>() }
    fn main(&self) -> u32 { self.0.u32::<92>() }
    fn checkpoint_payload(&self) -> u32 { self.0.u32::<1664>() }
    fn features(&self) -> u32 { self.0.u32::<2180>() }
    fn first_device(&self) -> u8 { self.0.u8::<2201>() }
    fn stop_reasons(&self) -> [u8; 32] { self.0.array::<2762, 32>() }
    fn errors(&self) -> [u8; 16] { self.0.array::<2794, 16>() }
    fn checksum(&self) -> u32 { self.0.u32::<CHECKSUM>() }
}

/// A superblock that contradicts neither itself nor the size of its device, and has no feature
/// that is not known. Places are numbers of blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Superblock {
    /// Where the first checkpoint pack begins; the second one is a segment further on.
    pub(super) checkpoint: u32,
    /// How many blocks more than one the head of a checkpoint pack has.
    pub(super) payload: u32,
    /// Where the segment information table begins.
    pub(super) sit: u32,
    /// How many blocks one of its two copies has room for.
    pub(super) sit_blocks: u32,
    /// The main area.
    pub(super) main: Range<u32>,
    /// How many segments it has.
    pub(super) segments: u32,
    /// Where the last segment ends.
    pub(super) end: u32,
    /// A driver met an inconsistency.
    has_errors: bool,
}

/// Whether the first superblock's magic number is in the first bytes of a device.
pub(super) fn has_magic(head: &[u8]) -> bool {
    head.get(OFFSET..).is_some_and(|bytes| bytes.starts_with(&MAGIC.to_le_bytes()))
}

impl Superblock {
    /// Reads the superblock: the first one, or the second one if the first is damaged.
    pub(super) fn read(device: &dyn ReadAt) -> Result<Self> {
        let mut blocks = vec![0; BLOCK.saturating_mul(2)];
        device.read_at(Bytes(0), &mut blocks)?;
        let (first, second) = blocks.split_at(BLOCK);
        let [first, second] = [first, second].map(|block| Self::parse(block, device.size()));
        match (first, second) {
            // A change of size was interrupted. Linux goes by the first.
            (Ok(first), Ok(second)) if !first.same_areas(&second) => Err(corrupt()),
            (Ok(first), _) => Ok(first),
            (Err(error), second) if error.kind == corrupt().kind => second.map_err(|_| error),
            (Err(error), _) => Err(error),
        }
    }

    /// Takes the superblock in a block apart, of a file system on a device of size `device`.
    fn parse(block: &[u8], device: Bytes) -> Result<Self> {
        let view = View(Layout::at(block, OFFSET).ok_or_else(corrupt)?);
        if view.magic() != MAGIC {
            return Err(corrupt());
        }
        let incompatible = |kind| Err(ErrorKind::Incompatible(kind).at(PLACE));
        if view.features() & SUPERBLOCK_CHECKSUM != 0 {
            let (summed, _) = view.0.as_bytes().split_at(CHECKSUM);
            let placed = usize::try_from(view.checksum_offset()) == Ok(CHECKSUM);
            if !placed || !agree(crc32(&[summed]), view.checksum()) {
                return Err(corrupt());
            }
        }
        if view.features() & !KNOWN != 0 {
            return incompatible(IncompatibleKind::Feature);
        }
        if view.first_device() != 0 {
            return incompatible(IncompatibleKind::Devices);
        }
        if view.log_block_size() != 12 {
            return incompatible(IncompatibleKind::BlockSize);
        }
        let superblock = areas(&view).ok_or_else(corrupt)?;
        if super::position(superblock.end) > device {
            return Err(ErrorKind::Corrupt(CorruptKind::FileSystemSize).at(PLACE));
        }
        Ok(superblock)
    }

    /// Why no bitmap of the file system can be trusted, if so.
    pub(super) fn distrust(&self) -> Option<&'static str> {
        self.has_errors.then_some("it is marked as having errors")
    }

    fn same_areas(&self, other: &Self) -> bool {
        Self { has_errors: other.has_errors, ..self.clone() } == *other
    }
}

const PLACE: Place = Place::Byte(Bytes(1024));

fn corrupt() -> crate::Error {
    ErrorKind::Corrupt(CorruptKind::Superblock).at(PLACE)
}

/// Where the areas lie; `None` if they are not in the order, or not as large, as they must be.
fn areas(view: &View<'_>) -> Option<Superblock> {
    let sector_sizes = 9..=12;
    let sectors = view.log_sector_size().checked_add(view.log_sectors_per_block())?;
    if !sector_sizes.contains(&view.log_sector_size())
        || sectors != 12
        || view.log_blocks_per_segment() != SEGMENT.trailing_zeros()
        || view.checkpoint_segments() != 2
        || view.segment0() != view.checkpoint()
        || view.checkpoint() < 2
    {
        return None;
    }
    let after = |start: u32, segments: u32| start.checked_add(segments.checked_mul(SEGMENT)?);
    let follows = |start, segments, next| after(start, segments) == Some(next);
    let in_order = follows(view.checkpoint(), view.checkpoint_segments(), view.sit())
        && follows(view.sit(), view.sit_segments(), view.nat())
        && follows(view.nat(), view.nat_segments(), view.ssa())
        && follows(view.ssa(), view.ssa_segments(), view.main());
    let main_end = after(view.main(), view.main_segments())?;
    let end = after(view.segment0(), view.segment_count())?;
    // There may be segments that are too few for a section, and blocks too few for a segment.
    if !in_order
        || main_end > end
        || u64::from(view.segment_count()).saturating_mul(SEGMENT.into()) > view.block_count()
    {
        return None;
    }
    let sit_blocks = (view.sit_segments() / 2).checked_mul(SEGMENT)?;
    // What else a pack has beside its first blocks: six summaries and its last block.
    let payload = view.checkpoint_payload();
    if payload > SEGMENT.checked_sub(8)? {
        return None;
    }
    // How often checkpoints were given up, for each reason. The first one is that it was asked for.
    let stopped = view.stop_reasons().iter().skip(1).any(|times| *times != 0);
    let has_errors = stopped || view.errors() != [0; 16];
    Some(Superblock {
        checkpoint: view.checkpoint(),
        payload,
        sit: view.sit(),
        sit_blocks,
        main: view.main()..main_end,
        segments: view.main_segments(),
        end,
        has_errors,
    })
}
