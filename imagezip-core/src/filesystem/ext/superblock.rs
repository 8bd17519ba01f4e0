//! The superblock: shape and state of the file system.

use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Limit, Place, Result};
use crate::layout::Layout;
use crate::sector::Bytes;

use super::features::{Compat, Features, Incompat, RoCompat};
use super::geometry::{BlockSize, Geometry};
use crate::filesystem::checksum::Crc32c;

/// Where the superblock lies, in bytes.
pub(super) const POSITION: u64 = 1024;
/// Its size in bytes.
pub(super) const SIZE: usize = 1024;
/// The bytes before its checksum.
const CHECKSUMMED: usize = 0x3fc;

const MAGIC: u16 = 0xef53;

/// The superblock as it lies on the disk.
///
/// Offsets: Linux, Documentation/filesystems/ext4, "Super Block".
struct View<'a>(Layout<'a, SIZE>);

#[rustfmt::skip]
impl View<'_> {
    fn blocks_low(&self) -> u32 { self.0.u32::<0x04>() }
    fn first_data_block(&self) -> u32 { self.0.u32::<0x14>() }
    fn log_block_size(&self) -> u32 { self.0.u32::<0x18>() }
    fn log_cluster_size(&self) -> u32 { self.0.u32::<0x1c>() }
    fn blocks_per_group(&self) -> u32 { self.0.u32::<0x20>() }
    fn clusters_per_group(&self) -> u32 { self.0.u32::<0x24>() }
    fn inodes_per_group(&self) -> u32 { self.0.u32::<0x28>() }
    fn magic(&self) -> u16 { self.0.u16::<0x38>() }
    fn state(&self) -> u16 { self.0.u16::<0x3a>() }
    fn revision(&self) -> u32 { self.0.u32::<0x4c>() }
    fn inode_size(&self) -> u16 { self.0.u16::<0x58>() }
    fn uuid(&self) -> [u8; 16] { self.0.array::<0x68, 16>() }
    fn reserved_gdt_blocks(&self) -> u16 { self.0.u16::<0xce>() }
    fn journal_inode(&self) -> u32 { self.0.u32::<0xe0>() }
    fn journal_backup_type(&self) -> u8 { self.0.u8::<0xfd>() }
    fn descriptor_size(&self) -> u16 { self.0.u16::<0xfe>() }
    fn first_meta_bg(&self) -> u32 { self.0.u32::<0x104>() }
    fn journal_blocks(&self) -> [u8; 60] { self.0.array::<0x10c, 60>() }
    fn journal_size_high(&self) -> u32 { self.0.u32::<0x148>() }
    fn journal_size_low(&self) -> u32 { self.0.u32::<0x14c>() }
    fn blocks_high(&self) -> u32 { self.0.u32::<0x150>() }
    fn checksum_type(&self) -> u8 { self.0.u8::<0x175>() }
    fn backup_groups(&self) -> [u32; 2] { [self.0.u32::<0x24c>(), self.0.u32::<0x250>()] }
    fn checksum_seed(&self) -> u32 { self.0.u32::<0x270>() }
    fn checksum(&self) -> u32 { self.0.u32::<0x3fc>() }

    fn features(&self) -> Features {
        Features {
            compat: Compat(self.0.u32::<0x5c>()),
            incompat: Incompat(self.0.u32::<0x60>()),
            ro_compat: RoCompat(self.0.u32::<0x64>()),
        }
    }
}

/// How the file system was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State(u16);

impl State {
    /// Unmounted cleanly, or kept consistent by its journal.
    pub(super) const fn is_valid(self) -> bool {
        self.0 & 1 != 0
    }

    /// A driver met an inconsistency.
    pub(super) const fn has_errors(self) -> bool {
        self.0 & 2 != 0
    }
}

/// What the superblock says about the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct JournalPointer {
    /// The journal's inode; 0 if it lies on another device.
    pub(super) inode: u32,
    /// A copy of that inode's block map, and the journal's size in bytes.
    pub(super) backup: Option<([u8; 60], u64)>,
}

/// A superblock that contradicts neither itself nor the size of its device, and has no feature
/// that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Superblock {
    pub(super) features: Features,
    pub(super) state: State,
    pub(super) geometry: Geometry,
    pub(super) journal: Option<JournalPointer>,
    pub(super) uuid: [u8; 16],
    /// What the checksums of metadata start from.
    pub(super) seed: Crc32c,
}

impl Superblock {
    /// Reads the primary superblock.
    pub(super) fn read(device: &dyn ReadAt) -> Result<Self> {
        let mut bytes = [0; SIZE];
        device.read_at(Bytes(POSITION), &mut bytes)?;
        Self::parse(&bytes, device.size())
    }

    /// Takes a superblock apart that describes a file system on a device of size `device`.
    pub(super) fn parse(bytes: &[u8; SIZE], device: Bytes) -> Result<Self> {
        let place = Place::Byte(Bytes(POSITION));
        let corrupt = |kind: CorruptKind| ErrorKind::Corrupt(kind).at(place);
        let view = View(Layout::new(bytes).ok_or_else(|| ErrorKind::Truncated.at(place))?);
        if view.magic() != MAGIC {
            return Err(corrupt(CorruptKind::ExtMagic));
        }
        if view.revision() > 1 {
            return Err(ErrorKind::Incompatible(IncompatibleKind::Version).at(place));
        }
        let features = view.features();
        features.check()?;
        if features.metadata_checksums() {
            let (summed, _) = bytes.split_at(CHECKSUMMED);
            if view.checksum_type() != 1 {
                return Err(ErrorKind::Incompatible(IncompatibleKind::Feature).at(place));
            }
            if Crc32c::START.add(summed).get() != view.checksum() {
                return Err(corrupt(CorruptKind::SuperblockChecksum));
            }
        }
        let geometry = geometry(&view).ok_or_else(|| corrupt(CorruptKind::Superblock))?;
        if geometry.end_block() > geometry.block_size().blocks_in(device) {
            return Err(corrupt(CorruptKind::FileSystemSize));
        }
        if geometry.groups() > MAX_GROUPS {
            return Err(ErrorKind::TooLarge(Limit::Groups).at(place));
        }
        let uuid = view.uuid();
        let seed = if features.incompat.has(Incompat::CSUM_SEED) {
            Crc32c::from_seed(view.checksum_seed())
        } else {
            Crc32c::START.add(&uuid)
        };
        let journal = features.compat.has(Compat::HAS_JOURNAL).then(|| journal(&view));
        Ok(Self { features, state: State(view.state()), geometry, journal, uuid, seed })
    }
}

/// 128 TiB of 4 KiB blocks. What is kept in memory for a group takes up to 64 bytes.
const MAX_GROUPS: u32 = 1 << 20;

fn journal(view: &View<'_>) -> JournalPointer {
    // 0 comes from tools that kept the copy before they marked it.
    let backup = (view.journal_backup_type() <= 1).then(|| {
        let size = u64::from(view.journal_size_high()) << 32 | u64::from(view.journal_size_low());
        (view.journal_blocks(), size)
    });
    JournalPointer { inode: view.journal_inode(), backup }
}

/// The shape of the file system; `None` if no file system can have it.
fn geometry(view: &View<'_>) -> Option<Geometry> {
    let features = view.features();
    let block_size = BlockSize::from_log(view.log_block_size())?;
    let sixty_four_bit = features.incompat.has(Incompat::SIXTY_FOUR_BIT);
    let high = if sixty_four_bit { view.blocks_high() } else { 0 };
    let end_block = u64::from(high) << 32 | u64::from(view.blocks_low());

    let (cluster_shift, clusters_per_group) = if features.ro_compat.has(RoCompat::BIGALLOC) {
        let shift = view.log_cluster_size().checked_sub(view.log_block_size())?;
        (shift, view.clusters_per_group())
    } else {
        (0, view.blocks_per_group())
    };
    let blocks_per_group = u64::from(clusters_per_group).checked_shl(cluster_shift)?;
    let fits_bitmap = clusters_per_group <= block_size.bytes().checked_mul(8)?;
    let ratio_matches = blocks_per_group == u64::from(view.blocks_per_group());
    if !fits_bitmap || !ratio_matches || !clusters_per_group.is_multiple_of(8) {
        return None;
    }

    // Blocks of 1 KiB leave the boot block out of the groups, unless clusters span it.
    let boot_block = u32::from(block_size.bytes() == 1024 && cluster_shift == 0);
    if view.first_data_block() != boot_block {
        return None;
    }

    let descriptor_size = if sixty_four_bit { view.descriptor_size() } else { 32 };
    let descriptor_fits = u32::from(descriptor_size) <= block_size.bytes();
    if !descriptor_size.is_power_of_two()
        || !descriptor_fits
        || sixty_four_bit && descriptor_size < 64
    {
        return None;
    }

    let inode_size = if view.revision() == 0 { 128 } else { view.inode_size() };
    if !inode_size.is_power_of_two()
        || inode_size < 128
        || u32::from(inode_size) > block_size.bytes()
    {
        return None;
    }

    Geometry {
        block_size,
        cluster_shift,
        first_block: u64::from(boot_block),
        end_block,
        blocks_per_group: view.blocks_per_group(),
        inodes_per_group: view.inodes_per_group(),
        inode_size,
        descriptor_size,
        reserved_gdt_blocks: view.reserved_gdt_blocks(),
        first_meta_bg: features.incompat.has(Incompat::META_BG).then(|| view.first_meta_bg()),
        backups: super::geometry::Backups::new(features, view.backup_groups()),
        groups: 0,
    }
    .with_groups()
}
