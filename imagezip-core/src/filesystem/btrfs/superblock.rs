//! The superblock: shape of the file system, and where its trees begin.

use alloc::vec;
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Place, Result};
use crate::filesystem::read_if_there;
use crate::layout::Layout;
use crate::sector::Bytes;

use super::checksum::ChecksumType;
use super::key::owner;
use super::node::Pointer;

/// Where copies of the superblock lie, in bytes. The first one is what counts.
pub(super) const POSITIONS: [u64; 3] = [64 << 10, 64 << 20, 256 << 30];
/// The size of a copy in bytes.
pub(super) const SIZE: usize = 4096;

const MAGIC: [u8; 8] = *b"_BHRfS_M";
const MAGIC_AT: u64 = 64;

/// Flags that don't matter: the superblock was written.
const HARMLESS_FLAGS: u64 = 1;
/// Flag of a file system that others grow from.
const SEEDING: u64 = 1 << 32;

/// Features that add nothing to what is read here, or are handled: new back references (always
/// set), default subvolume, mixed block groups, LZO, zstd, big metadata, extended inode references, RAID 5/6
/// (profiles are checked by themselves), skinny metadata, no holes, a UUID of metadata, RAID 1 with 3 or
/// 4 copies, and simple quotas. Not among them: zones, extent tree version 2, RAID stripe tree.
const INCOMPAT: u64 = 0x1_0fff;
const MIXED_BACKREF: u64 = 1;
const METADATA_UUID: u64 = 1 << 10;

/// Features that only matter to writers: free-space tree, its validity, verity, block-group tree.
const COMPAT_RO: u64 = 0xf;

/// The bytes for system chunks at the end of the superblock.
const SYSTEM_CHUNKS: usize = 2048;

/// The superblock as it lies on the disk. The names are those of `btrfs inspect-internal
/// dump-super`.
struct View<'a>(Layout<'a, SIZE>);

#[rustfmt::skip]
impl View<'_> {
    fn fsid(&self) -> [u8; 16] { self.0.array::<0x20, 16>() }
    fn bytenr(&self) -> u64 { self.0.u64::<0x30>() }
    fn flags(&self) -> u64 { self.0.u64::<0x38>() }
    fn magic(&self) -> [u8; 8] { self.0.array::<0x40, 8>() }
    fn generation(&self) -> u64 { self.0.u64::<0x48>() }
    fn root(&self) -> u64 { self.0.u64::<0x50>() }
    fn chunk_root(&self) -> u64 { self.0.u64::<0x58>() }
    fn log_root(&self) -> u64 { self.0.u64::<0x60>() }
    fn bytes_used(&self) -> u64 { self.0.u64::<0x78>() }
    fn num_devices(&self) -> u64 { self.0.u64::<0x88>() }
    fn sector_size(&self) -> u32 { self.0.u32::<0x90>() }
    fn node_size(&self) -> u32 { self.0.u32::<0x94>() }
    fn system_chunks_len(&self) -> u32 { self.0.u32::<0xa0>() }
    fn chunk_root_generation(&self) -> u64 { self.0.u64::<0xa4>() }
    fn compat_ro(&self) -> u64 { self.0.u64::<0xb4>() }
    fn incompat(&self) -> u64 { self.0.u64::<0xbc>() }
    fn checksum_type(&self) -> u16 { self.0.u16::<0xc4>() }
    fn root_level(&self) -> u8 { self.0.u8::<0xc6>() }
    fn chunk_root_level(&self) -> u8 { self.0.u8::<0xc7>() }
    fn log_root_level(&self) -> u8 { self.0.u8::<0xc8>() }
    fn device(&self) -> DeviceItem { DeviceItem::view(Layout::from(&self.0.array::<0xc9, 98>())) }
    fn metadata_uuid(&self) -> [u8; 16] { self.0.array::<0x23b, 16>() }
    fn system_chunks(&self) -> [u8; SYSTEM_CHUNKS] { self.0.array::<0x32b, SYSTEM_CHUNKS>() }
}

/// What is said about a device; also an item of the chunk tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DeviceItem {
    pub(super) id: u64,
    /// How much of the device the file system has, in bytes.
    pub(super) total_bytes: u64,
    pub(super) uuid: [u8; 16],
    fsid: [u8; 16],
}

impl DeviceItem {
    /// The item in `bytes`.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        Layout::<98>::new(bytes).map(Self::view)
    }

    fn view(item: Layout<'_, 98>) -> Self {
        Self {
            id: item.u64::<0>(),
            total_bytes: item.u64::<8>(),
            uuid: item.array::<66, 16>(),
            fsid: item.array::<82, 16>(),
        }
    }
}

/// The primary superblock, checked.
#[derive(Clone, Debug)]
pub(super) struct Superblock {
    pub(super) checksum_type: ChecksumType,
    /// What every tree block has as its file system.
    pub(super) fsid: [u8; 16],
    pub(super) device: DeviceItem,
    /// In bytes, as is `node_size`.
    pub(super) sector_size: u32,
    pub(super) node_size: u32,
    /// The bytes of all extents, each once.
    pub(super) bytes_used: u64,
    pub(super) root: Pointer,
    pub(super) chunk_root: Pointer,
    /// The tree of logs that were not replayed.
    pub(super) log_root: Option<Pointer>,
    /// The chunks of the chunk tree: pairs of key and chunk item.
    pub(super) system_chunks: Vec<u8>,
    pub(super) has_block_group_tree: bool,
    /// The free-space tree is there, and nobody has written without it.
    pub(super) has_free_space_tree: bool,
    /// Which copies of the superblock are not what they should be.
    pub(super) damaged_copies: [bool; POSITIONS.len()],
}

/// Whether the mark of a superblock is that of the copy at `position`.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn is_marked(device: &dyn ReadAt, position: Bytes) -> Result<bool> {
    let mut magic = [0; MAGIC.len()];
    let at = Bytes(position.get().saturating_add(MAGIC_AT));
    Ok(read_if_there(device, at, &mut magic)? && magic == MAGIC)
}

impl Superblock {
    /// Reads the primary superblock and compares the others with it.
    pub(super) fn read(device: &dyn ReadAt) -> Result<Self> {
        let [first, copies @ ..] = POSITIONS;
        let mut bytes = vec![0; SIZE];
        device.read_at(Bytes(first), &mut bytes)?;
        let mut superblock = Self::parse(&bytes, device.size())?;
        let fsid = bytes.get(0x20..0x30).unwrap_or_default().to_vec();
        let end = superblock.device.total_bytes;
        for (position, damaged) in
            copies.into_iter().zip(superblock.damaged_copies.iter_mut().skip(1))
        {
            if position.saturating_add(4096) > end {
                break;
            }
            device.read_at(Bytes(position), &mut bytes)?;
            let is_right = Layout::<SIZE>::new(&bytes).map(View).is_some_and(|view| {
                view.magic() == MAGIC
                    && view.bytenr() == position
                    && superblock.checksum_type.is_right(&bytes)
            });
            *damaged = !is_right;
            // Which of the two file systems is the later one can't be told.
            if is_right && bytes.get(0x20..0x30) != Some(&fsid) {
                return Err(
                    ErrorKind::Corrupt(CorruptKind::Superblock).at(Place::Byte(Bytes(position)))
                );
            }
        }
        Ok(superblock)
    }

    /// Takes the primary superblock apart, of a file system on a device of size `device`.
    fn parse(bytes: &[u8], device: Bytes) -> Result<Self> {
        let [position, ..] = POSITIONS;
        let place = Place::Byte(Bytes(position));
        let corrupt = |kind: CorruptKind| ErrorKind::Corrupt(kind).at(place);
        let incompatible = |kind: IncompatibleKind| ErrorKind::Incompatible(kind).at(place);
        let view = View(Layout::new(bytes).ok_or_else(|| ErrorKind::Truncated.at(place))?);
        let checksum_type = ChecksumType::from_code(view.checksum_type())
            .ok_or_else(|| incompatible(IncompatibleKind::ChecksumType))?;
        if !checksum_type.is_right(bytes) {
            return Err(corrupt(CorruptKind::SuperblockChecksum));
        }
        if view.magic() != MAGIC || view.bytenr() != position {
            return Err(corrupt(CorruptKind::Superblock));
        }
        let (incompat, compat_ro) = (view.incompat(), view.compat_ro());
        if incompat & !INCOMPAT != 0 || incompat & MIXED_BACKREF == 0 || compat_ro & !COMPAT_RO != 0
        {
            return Err(incompatible(IncompatibleKind::Feature));
        }
        let item = view.device();
        if view.num_devices() != 1 || view.flags() & SEEDING != 0 || item.id == 0 {
            return Err(incompatible(IncompatibleKind::Devices));
        }
        if view.flags() & !HARMLESS_FLAGS != 0 {
            return Err(incompatible(IncompatibleKind::Unclean));
        }
        let fsid = if incompat & METADATA_UUID == 0 { view.fsid() } else { view.metadata_uuid() };
        let (sector_size, node_size) = (view.sector_size(), view.node_size());
        let is_size = |size: u32| size.is_power_of_two() && (4096..=65536).contains(&size);
        if !is_size(sector_size)
            || !is_size(node_size)
            || node_size < sector_size
            || item.fsid != fsid
        {
            return Err(corrupt(CorruptKind::Superblock));
        }
        if item.total_bytes > device.get() {
            return Err(corrupt(CorruptKind::FileSystemSize));
        }
        let system_chunks = usize::try_from(view.system_chunks_len())
            .ok()
            .and_then(|len| view.system_chunks().get(..len).map(<[u8]>::to_vec))
            .ok_or_else(|| corrupt(CorruptKind::Superblock))?;
        let generation = view.generation();
        let log_root = (view.log_root() != 0).then(|| Pointer {
            logical: view.log_root(),
            level: view.log_root_level(),
            // A log is of the transaction that has not ended.
            generation: generation.saturating_add(1),
            ..Pointer::root(owner::LOG)
        });
        Ok(Self {
            checksum_type,
            fsid,
            device: item,
            sector_size,
            node_size,
            bytes_used: view.bytes_used(),
            root: Pointer {
                logical: view.root(),
                level: view.root_level(),
                generation,
                ..Pointer::root(owner::ROOT)
            },
            chunk_root: Pointer {
                logical: view.chunk_root(),
                level: view.chunk_root_level(),
                generation: view.chunk_root_generation(),
                ..Pointer::root(owner::CHUNK)
            },
            log_root,
            system_chunks,
            has_block_group_tree: compat_ro & 8 != 0,
            has_free_space_tree: compat_ro & 3 == 3,
            damaged_copies: [false; POSITIONS.len()],
        })
    }
}
