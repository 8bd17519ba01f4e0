//! The two passes over the items: which buffers were given up, and what is in the others.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{ErrorKind, Limit, Result};
use crate::extent::ExtentSet;
use crate::layout::Layout;
use crate::overlay::Patch;
use crate::sector::{Bytes, SECTOR_BYTES, Sector, SectorCount, SectorRange};

use super::super::btree::{MAGIC_V4, MAGIC_V5};
use super::super::group::{AGF_MAGIC, AGFL_MAGIC};
use super::super::superblock::{self, Superblock};
use super::item::{CHUNK, Item, Place, Subject};
use super::{Recovered, wrong};

/// The most chunks that are kept: 32 MiB.
const MOST_CHUNKS: usize = 1 << 18;
/// The most buffers that are given up, and places that are read.
const MOST_PLACES: usize = 1 << 19;

/// What the log has for a file system.
pub(super) struct Replay<'a> {
    device: &'a dyn ReadAt,
    superblock: &'a Superblock,
    /// How often each buffer is given up in the rest of the log.
    cancelled: BTreeMap<Place, u32>,
    /// By their first sectors.
    buffers: BTreeMap<u64, Buffer>,
    /// How many chunks they have.
    chunks: usize,
    needed: Vec<SectorRange>,
}

/// A buffer that tells of free space.
struct Buffer {
    len: u32,
    /// How new it is on the device; 0 if it doesn't tell.
    lsn: u64,
    chunks: BTreeMap<u32, [u8; CHUNK]>,
}

impl<'a> Replay<'a> {
    pub(super) fn new(device: &'a dyn ReadAt, superblock: &'a Superblock) -> Self {
        let (cancelled, buffers, needed) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { device, superblock, cancelled, buffers, chunks: 0, needed }
    }

    /// The first pass: notes the buffers that a transaction gives up.
    pub(super) fn collect(&mut self, items: &[Item]) -> Result<()> {
        for item in items {
            if let Subject::Cancel(place) = subject(item)? {
                let count = self.cancelled.entry(place).or_default();
                *count = count.saturating_add(1);
            }
        }
        within(self.cancelled.len(), MOST_PLACES)
    }

    /// The second pass: takes over the buffers of a transaction that began at `lsn`.
    pub(super) fn take_over(&mut self, lsn: u64, items: &[Item]) -> Result<()> {
        for item in items {
            match subject(item)? {
                Subject::Other | Subject::Cancel(_) => {}
                Subject::Buffer(place) | Subject::Read(place)
                    if self.cancelled.contains_key(&place) => {}
                Subject::Read(place) => self.need(place)?,
                Subject::Buffer(place) => {
                    self.need(place)?;
                    self.buffer(lsn, place, item)?;
                }
            }
        }
        for item in items {
            if let Subject::Cancel(place) = subject(item)?
                && let Some(count) = self.cancelled.get_mut(&place)
            {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.cancelled.remove(&place);
                }
            }
        }
        Ok(())
    }

    /// Recovery reads this.
    fn need(&mut self, place: Place) -> Result<()> {
        let range = range(place).filter(|range| self.device.sectors().contains(*range));
        self.needed.push(range.ok_or_else(|| wrong(at(place)))?);
        if self.needed.len() >= MOST_PLACES.saturating_mul(2) {
            let needed = ExtentSet::from_unsorted(core::mem::take(&mut self.needed));
            self.needed = needed.as_slice().to_vec();
            within(self.needed.len(), MOST_PLACES)?;
        }
        Ok(())
    }

    fn buffer(&mut self, lsn: u64, place: Place, item: &Item) -> Result<()> {
        let mut found = Vec::new();
        let end = u64::from(place.len).saturating_mul(SECTOR_BYTES);
        let mut inside = true;
        let add = &mut |number: u32, chunk: &[u8; CHUNK]| {
            let size = u64::try_from(CHUNK).unwrap_or(u64::MAX);
            inside &= u64::from(number).saturating_add(1).saturating_mul(size) <= end;
            found.push((number, *chunk));
        };
        if !item.is_wanted() {
            return Ok(());
        }
        item.chunks(add).filter(|()| inside).ok_or_else(|| wrong(at(place)))?;
        let first = found.first().filter(|(number, _)| *number == 0);
        let logged = first.and_then(|(_, chunk)| Layout::<4>::new(chunk)).map(Layout::be32::<0>);
        let is_known = self.buffers.contains_key(&place.start);
        if !self.tells_of_free_space(place, logged, is_known)? {
            return Ok(());
        }
        if !is_known {
            let lsn = self.lsn(place)?;
            let buffer = Buffer { len: place.len, lsn, chunks: BTreeMap::new() };
            self.buffers.insert(place.start, buffer);
        }
        let Some(buffer) = self.buffers.get_mut(&place.start) else { return Ok(()) };
        if buffer.len != place.len {
            return Err(wrong(at(place)));
        }
        // What is on the device may be from a later transaction than this.
        if buffer.lsn != 0 && buffer.lsn >= lsn {
            return Ok(());
        }
        let before = buffer.chunks.len();
        buffer.chunks.extend(found);
        let more = buffer.chunks.len().saturating_sub(before);
        self.chunks = self.chunks.saturating_add(more);
        within(self.chunks, MOST_CHUNKS)
    }

    /// Whether it is a superblock or a group's header or list, by its place, or a block of a free-space
    /// B-tree, by its mark: the one in the log, or else that on the device.
    fn tells_of_free_space(
        &self,
        place: Place,
        logged: Option<u32>,
        is_known: bool,
    ) -> Result<bool> {
        let geometry = &self.superblock.geometry;
        let sectors = geometry.sector_bytes / 512;
        let group = u64::from(geometry.ag_blocks).wrapping_shl(geometry.block_log.wrapping_sub(9));
        let offset = place.start.checked_rem(group).unwrap_or(0);
        if offset < u64::from(sectors).saturating_mul(4) {
            let kind = offset.checked_div(u64::from(sectors)).unwrap_or(0);
            return Ok(place.start == 0 || kind == 1 || kind == 3);
        }
        let magic = match logged {
            Some(magic) => magic,
            None if is_known => return Ok(true),
            None => self.header(place)?.map_or(0, |bytes| Layout::from(&bytes).be32::<0>()),
        };
        Ok(magic == MAGIC_V4 || magic == MAGIC_V5)
    }

    /// The first bytes of what is on the device.
    fn header(&self, place: Place) -> Result<Option<[u8; 512]>> {
        let mut bytes = [0; 512];
        let Some(range) = range(place).filter(|range| !range.is_empty()) else {
            return Ok(None);
        };
        self.device.read_sectors(range.start(), &mut bytes)?;
        Ok(Some(bytes))
    }

    /// How new what is on the device is: the transaction that was the last to change it. 0 if it
    /// doesn't tell, or if it is of an earlier use of the device.
    fn lsn(&self, place: Place) -> Result<u64> {
        let (Some(bytes), true) = (self.header(place)?, self.superblock.checksums) else {
            return Ok(0);
        };
        let view = Layout::<512>::from(&bytes);
        let (lsn, uuid) = match view.be32::<0>() {
            AGF_MAGIC => (view.be64::<0xd0>(), view.array::<0x40, 16>()),
            AGFL_MAGIC => (view.be64::<24>(), view.array::<8, 16>()),
            MAGIC_V5 => (view.be64::<24>(), view.array::<32, 16>()),
            // The superblock has the UUID of metadata at a place of its own if it is another one.
            superblock::MAGIC => (view.be64::<0xf0>(), self.superblock.meta_uuid),
            _ => return Ok(0),
        };
        let is_own = uuid == self.superblock.meta_uuid && lsn != u64::MAX;
        Ok(if is_own { lsn } else { 0 })
    }

    /// What recovery would make of it.
    pub(super) fn finish(self) -> Result<Recovered> {
        let (mut patches, mut changed) = (Vec::new(), Vec::new());
        for (start, buffer) in self.buffers {
            let place = Place { start, len: buffer.len };
            let range = range(place).ok_or_else(|| wrong(at(place)))?;
            if !buffer.chunks.is_empty() {
                changed.push(range);
            }
            let mut next = None;
            for (number, chunk) in buffer.chunks {
                let offset = u64::from(number).saturating_mul(128);
                match patches.last_mut() {
                    Some(Patch { bytes, .. }) if next == Some(number) => bytes.extend(chunk),
                    _ => {
                        let at = Bytes(range.start().to_bytes().get().saturating_add(offset));
                        patches.push(Patch { at, bytes: chunk.to_vec() });
                    }
                }
                next = number.checked_add(1);
            }
        }
        let needed = ExtentSet::from_unsorted(self.needed);
        Ok(Recovered { patches, patched: ExtentSet::from_unsorted(changed), needed })
    }
}

fn subject(item: &Item) -> Result<Subject> {
    item.subject().ok_or_else(|| wrong(crate::error::Place::Whole))
}

fn range(place: Place) -> Option<SectorRange> {
    SectorRange::with_len(Sector::new(place.start)?, SectorCount::from_u32(place.len))
}

fn at(place: Place) -> crate::error::Place {
    Sector::new(place.start).map_or(crate::error::Place::Whole, crate::error::Place::Sector)
}

fn within(count: usize, most: usize) -> Result<()> {
    if count > most { Err(ErrorKind::TooLarge(Limit::Journal).into()) } else { Ok(()) }
}
