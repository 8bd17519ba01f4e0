//! Chunks: which bytes of the device a logical address means.

use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Limit, Place, Result};
use crate::layout::Layout;
use crate::sector::Bytes;

use super::key::{KEY_BYTES, Key, kind};
use super::superblock::{DeviceItem, Superblock};
use super::tree::{Trees, Visitor, corrupt};

/// A chunk's item without its stripes, and a stripe.
const ITEM: usize = 48;
const STRIPE: usize = 32;

/// The object that all chunks are items of, and that of devices.
const CHUNKS: u64 = 256;
const DEVICES: u64 = 1;

/// Data, system, metadata.
const TYPES: u64 = 7;
const RAID: u64 = 0x7d8;
const DUP: u64 = 1 << 5;

/// 1 PiB in chunks of 1 GiB.
const MAX_CHUNKS: usize = 1 << 20;

/// A run of logical addresses, which is also a block group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// The first logical address, in bytes.
    pub(super) start: u64,
    /// In bytes.
    pub(super) len: u64,
    /// Type and profile.
    pub(super) flags: u64,
    /// Where on the device its copies lie, in bytes; of one copy, twice the same.
    stripes: [u64; 2],
}

impl Chunk {
    /// Takes apart a chunk item, and tells its length.
    fn parse(key: Key, bytes: &[u8], superblock: &Superblock) -> Result<(Self, usize)> {
        let corrupt = || corrupt(CorruptKind::Metadata, key.offset);
        let incompatible = |kind: IncompatibleKind| {
            ErrorKind::Incompatible(kind).at(Place::Byte(Bytes(key.offset)))
        };
        let item = Layout::<ITEM>::new(bytes).ok_or_else(corrupt)?;
        let (len, flags, count) = (item.u64::<0>(), item.u64::<24>(), item.u16::<44>());
        if flags & RAID != 0 {
            return Err(incompatible(IncompatibleKind::RaidLevel));
        }
        if flags & !(TYPES | DUP) != 0 {
            return Err(incompatible(IncompatibleKind::Feature));
        }
        let expected = if flags & DUP == 0 { 1 } else { 2 };
        if key.object != CHUNKS
            || key.kind != kind::CHUNK
            || flags & TYPES == 0
            || count != expected
        {
            return Err(corrupt());
        }
        let size = usize::from(count).saturating_mul(STRIPE).saturating_add(ITEM);
        let stripe = |at| {
            let stripe = Layout::<STRIPE>::at(bytes, at).ok_or_else(corrupt)?;
            let device = &superblock.device;
            if stripe.u64::<0>() != device.id || stripe.array::<16, 16>() != device.uuid {
                return Err(incompatible(IncompatibleKind::Devices));
            }
            Ok(stripe.u64::<8>())
        };
        let stripes = [stripe(ITEM)?, stripe(size.saturating_sub(STRIPE))?];
        let chunk = Self { start: key.offset, len, flags, stripes };
        let [first, second] = stripes;
        let sector_size = u64::from(superblock.sector_size);
        let is_aligned =
            [chunk.start, len, first, second].iter().all(|n| n.is_multiple_of(sector_size));
        let limit = superblock.device.total_bytes.checked_sub(len);
        let is_inside = |start: u64| limit.is_some_and(|limit| start <= limit);
        let is_sound = len > 0
            && is_aligned
            && key.offset.checked_add(len).is_some()
            && chunk.copies().all(is_inside);
        if is_sound { Ok((chunk, size)) } else { Err(corrupt()) }
    }

    /// The logical address after the last.
    pub(super) const fn end(&self) -> u64 {
        self.start.saturating_add(self.len)
    }

    /// Where on the device the copies begin, in bytes.
    pub(super) fn copies(&self) -> impl Iterator<Item = u64> + use<> {
        let [first, second] = self.stripes;
        core::iter::once(first).chain((self.flags & DUP != 0).then_some(second))
    }
}

/// The chunks of a file system, in the order of their logical addresses.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunks(Vec<Chunk>);

impl Chunks {
    /// The chunks that the superblock has, which hold the chunk tree.
    pub(super) fn system(superblock: &Superblock) -> Result<Self> {
        let mut rest = &superblock.system_chunks[..];
        let mut chunks = Vec::new();
        while !rest.is_empty() {
            let (key, item) = rest.split_at_checked(KEY_BYTES).unwrap_or_default();
            let key = Key::parse(key).ok_or_else(|| corrupt(CorruptKind::Superblock, 0))?;
            let (chunk, size) = Chunk::parse(key, item, superblock)?;
            chunks.push(chunk);
            rest = item.get(size..).unwrap_or_default();
        }
        Self::new(chunks)
    }

    fn new(mut chunks: Vec<Chunk>) -> Result<Self> {
        chunks.sort_unstable_by_key(|chunk| chunk.start);
        let overlap = chunks.iter().zip(chunks.iter().skip(1)).find(|(a, b)| a.end() > b.start);
        match overlap {
            Some((_, chunk)) => Err(corrupt(CorruptKind::Metadata, chunk.start)),
            None => Ok(Self(chunks)),
        }
    }

    pub(super) fn as_slice(&self) -> &[Chunk] {
        &self.0
    }

    /// The chunk that holds `len` bytes from a logical address on.
    pub(super) fn find(&self, logical: u64, len: u64) -> Option<&Chunk> {
        let next = self.0.partition_point(|chunk| chunk.start <= logical);
        let chunk = self.0.get(next.checked_sub(1)?)?;
        (logical.checked_add(len)? <= chunk.end()).then_some(chunk)
    }

    /// Where on the device the copies of a block lie that begins at a logical address, in bytes.
    pub(super) fn positions(&self, logical: u64, len: u64) -> impl Iterator<Item = u64> + use<> {
        let chunk = self.find(logical, len).copied();
        chunk.into_iter().flat_map(move |chunk| {
            let offset = logical.saturating_sub(chunk.start);
            chunk.copies().map(move |start| start.saturating_add(offset))
        })
    }

    /// Each copy of each chunk with its position, in the order in which they lie on the device.
    ///
    /// # Errors
    /// `Corrupt(Metadata)` if copies overlap.
    pub(super) fn by_position(&self) -> Result<Vec<(u64, Chunk)>> {
        let mut copies = Vec::new();
        for chunk in &self.0 {
            copies.extend(chunk.copies().map(|start| (start, *chunk)));
        }
        copies.sort_unstable_by_key(|(start, chunk)| (*start, chunk.start));
        let mut pairs = copies.iter().zip(copies.iter().skip(1));
        match pairs.find(|((start, chunk), (next, _))| start.saturating_add(chunk.len) > *next) {
            Some((_, (_, chunk))) => Err(corrupt(CorruptKind::Metadata, chunk.start)),
            None => Ok(copies),
        }
    }
}

/// Reads the chunk tree.
///
/// # Errors
/// `Corrupt` or `Incompatible` if it is not that of a file system on one device.
pub(super) fn read<'a>(device: &'a dyn ReadAt, superblock: &'a Superblock) -> Result<Trees<'a>> {
    let system = Chunks::system(superblock)?;
    let mut trees = Trees::new(device, superblock, system);
    let mut found = Found { superblock, chunks: Vec::new(), devices: 0 };
    trees.walk(superblock.chunk_root, Key::FIRST, &mut found)?;
    let (chunks, devices) = (Chunks::new(found.chunks)?, found.devices);
    let is_known = |chunk: &Chunk| chunks.find(chunk.start, chunk.len) == Some(chunk);
    if devices != 1 || !trees.chunks.as_slice().iter().all(is_known) {
        return Err(corrupt(CorruptKind::Metadata, superblock.chunk_root.logical));
    }
    trees.chunks = chunks;
    Ok(trees)
}

struct Found<'a> {
    superblock: &'a Superblock,
    chunks: Vec<Chunk>,
    devices: u32,
}

impl Visitor for Found<'_> {
    fn item(&mut self, key: Key, data: &[u8]) -> Result<bool> {
        match key.kind {
            kind::DEVICE if key.object == DEVICES => {
                let device = &self.superblock.device;
                let item = DeviceItem::parse(data);
                if item.is_none_or(|item| (item.id, item.uuid) != (device.id, device.uuid)) {
                    return Err(ErrorKind::Incompatible(IncompatibleKind::Devices).into());
                }
                if item != Some(*device) {
                    return Err(corrupt(CorruptKind::Superblock, key.offset));
                }
                self.devices = self.devices.saturating_add(1);
            }
            kind::CHUNK => {
                let (chunk, size) = Chunk::parse(key, data, self.superblock)?;
                if size != data.len() {
                    return Err(corrupt(CorruptKind::Metadata, key.offset));
                }
                if self.chunks.len() >= MAX_CHUNKS {
                    return Err(ErrorKind::TooLarge(Limit::Groups).into());
                }
                self.chunks.push(chunk);
            }
            _ => return Err(ErrorKind::Incompatible(IncompatibleKind::Feature).into()),
        }
        Ok(true)
    }
}
