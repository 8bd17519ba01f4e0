//! The two passes over the items: which buffers were given up, and what is in the others.

use alloc::vec;
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{ErrorKind, Limit, Place, Result};
use crate::extent::ExtentSet;
use crate::layout::Layout;
use crate::overlay::Patch;
use crate::sector::{Sector, SectorRange};

use super::super::btree::{MAGIC_V4, MAGIC_V5};
use super::super::group::{AGF_MAGIC, AGFL_MAGIC};
use super::super::superblock::{self, Superblock};
use super::item::{Item, Subject};
use super::{Recovered, wrong};

/// The most buffers that are kept, and their bytes.
const MOST_BUFFERS: usize = 1 << 14;
const MOST_BYTES: usize = 32 << 20;
/// The most buffers that are given up, and places that are read.
const MOST_PLACES: usize = 1 << 19;

/// What the log has for a file system.
pub(super) struct Replay<'a> {
    device: &'a dyn ReadAt,
    superblock: &'a Superblock,
    /// The buffers that are given up, as often as that happens, in order.
    cancelled: Vec<SectorRange>,
    /// For the first one of those that are equal: how often that has happened.
    passed: Vec<usize>,
    /// In order.
    buffers: Vec<Buffer>,
    /// How many bytes they have.
    held: usize,
    needed: Vec<SectorRange>,
}

/// A buffer that tells of free space.
struct Buffer {
    place: SectorRange,
    /// How new it is on the device; 0 if it doesn't tell.
    lsn: u64,
    bytes: Vec<u8>,
    is_changed: bool,
}

impl<'a> Replay<'a> {
    pub(super) fn new(device: &'a dyn ReadAt, superblock: &'a Superblock) -> Self {
        let (cancelled, passed) = (Vec::new(), Vec::new());
        let (buffers, needed) = (Vec::new(), Vec::new());
        Self { device, superblock, cancelled, passed, buffers, held: 0, needed }
    }

    /// The first pass: notes the buffers that a transaction gives up.
    pub(super) fn collect(&mut self, items: &[Item]) -> Result<()> {
        for item in items {
            if let Subject::Cancel(place) = subject(item)? {
                self.cancelled.push(place);
            }
        }
        within(self.cancelled.len(), MOST_PLACES)
    }

    /// Ends the first pass.
    pub(super) fn collected(&mut self) {
        self.cancelled.sort_unstable();
        self.passed = vec![0; self.cancelled.len()];
    }

    /// How often a buffer was given up up to now, and how often in all of the log; `None` if it never
    /// is.
    fn cancels(&mut self, place: SectorRange) -> Option<(&mut usize, usize)> {
        let first = self.cancelled.partition_point(|other| *other < place);
        let end = self.cancelled.partition_point(|other| *other <= place);
        let count = end.checked_sub(first).filter(|count| *count > 0)?;
        Some((self.passed.get_mut(first)?, count))
    }

    /// The second pass: takes over the buffers of a transaction that began at `lsn`.
    pub(super) fn take_over(&mut self, lsn: u64, items: &[Item]) -> Result<()> {
        for item in items {
            let subject = subject(item)?;
            let (Subject::Buffer(place) | Subject::Read(place)) = subject else { continue };
            // It is given up later.
            if self.cancels(place).is_some_and(|(passed, all)| *passed < all) {
                continue;
            }
            self.need(place)?;
            if matches!(subject, Subject::Buffer(_)) && item.is_wanted() {
                self.buffer(lsn, place, item)?;
            }
        }
        for item in items {
            if let Subject::Cancel(place) = subject(item)?
                && let Some((passed, _)) = self.cancels(place)
            {
                *passed = passed.saturating_add(1);
            }
        }
        Ok(())
    }

    /// Recovery reads this.
    fn need(&mut self, place: SectorRange) -> Result<()> {
        if !self.device.sectors().contains(place) {
            return Err(wrong(at(place)));
        }
        self.needed.push(place);
        if self.needed.len() >= MOST_PLACES.saturating_mul(2) {
            let needed = ExtentSet::from_unsorted(core::mem::take(&mut self.needed));
            self.needed = needed.as_slice().to_vec();
            within(self.needed.len(), MOST_PLACES)?;
        }
        Ok(())
    }

    /// Takes over what an item has of a buffer, if that tells of free space.
    fn buffer(&mut self, lsn: u64, place: SectorRange, item: &Item) -> Result<()> {
        let index = self.buffers.partition_point(|buffer| buffer.place.start() < place.start());
        let known = self.buffers.get(index).filter(|buffer| buffer.place.start() == place.start());
        if known.is_none() {
            let bytes = self.read(place)?;
            if !self.tells_of_free_space(place, item, &bytes) {
                return Ok(());
            }
            self.held = self.held.saturating_add(bytes.len());
            let lsn = self.lsn(&bytes);
            self.buffers.insert(index, Buffer { place, lsn, bytes, is_changed: false });
            within(self.buffers.len(), MOST_BUFFERS)?;
            within(self.held, MOST_BYTES)?;
        }
        let error = || wrong(at(place));
        let buffer = self.buffers.get_mut(index).filter(|buffer| buffer.place == place);
        let buffer = buffer.ok_or_else(error)?;
        // What is on the device may be from a later transaction than this.
        if buffer.lsn != 0 && buffer.lsn >= lsn {
            return Ok(());
        }
        buffer.is_changed = true;
        item.apply(&mut buffer.bytes).ok_or_else(error)
    }

    /// What is on the device. Nothing that tells of free space is longer than a block.
    fn read(&self, place: SectorRange) -> Result<Vec<u8>> {
        let len = usize::try_from(place.len().to_bytes().get()).unwrap_or(usize::MAX);
        let mut bytes = vec![0; len.min(self.superblock.geometry.block_len())];
        self.device.read_sectors(place.start(), &mut bytes)?;
        Ok(bytes)
    }

    /// Whether it is the superblock or a group's header or list, by its place, or a block of a free-space
    /// B-tree, by its mark: the one in the log, or else that on the device.
    fn tells_of_free_space(&self, place: SectorRange, item: &Item, bytes: &[u8]) -> bool {
        let geometry = &self.superblock.geometry;
        let sectors = u64::from(geometry.sector_bytes / 512);
        let group = u64::from(geometry.ag_blocks).wrapping_shl(geometry.block_log.wrapping_sub(9));
        let offset = place.start().get().checked_rem(group).unwrap_or(0);
        if offset < sectors.saturating_mul(4) {
            let kind = offset.checked_div(sectors).unwrap_or(0);
            return place.start() == Sector::ZERO || kind == 1 || kind == 3;
        }
        let first = item.first_chunk().or_else(|| bytes.first_chunk());
        let magic = first.map_or(0, |bytes| Layout::from(bytes).be32::<0>());
        magic == MAGIC_V4 || magic == MAGIC_V5
    }

    /// How new what is on the device is: the transaction that was the last to change it. 0 if it
    /// doesn't tell, or if it is of an earlier use of the device.
    fn lsn(&self, bytes: &[u8]) -> u64 {
        let view = Layout::<512>::new(bytes).filter(|_| self.superblock.checksums);
        let Some(view) = view else { return 0 };
        let (lsn, uuid) = match view.be32::<0>() {
            AGF_MAGIC => (view.be64::<0xd0>(), view.array::<0x40, 16>()),
            AGFL_MAGIC => (view.be64::<24>(), view.array::<8, 16>()),
            MAGIC_V5 => (view.be64::<24>(), view.array::<32, 16>()),
            // The superblock has the UUID of metadata at a place of its own if it is another one.
            superblock::MAGIC => (view.be64::<0xf0>(), self.superblock.meta_uuid),
            _ => return 0,
        };
        if uuid == self.superblock.meta_uuid && lsn != u64::MAX { lsn } else { 0 }
    }

    /// What recovery would make of it.
    pub(super) fn finish(self) -> Recovered {
        let (mut patches, mut changed) = (Vec::new(), Vec::new());
        for Buffer { place, bytes, is_changed, .. } in self.buffers {
            if is_changed {
                changed.push(place);
                patches.push(Patch { at: place.start().to_bytes(), bytes });
            }
        }
        let needed = ExtentSet::from_unsorted(self.needed);
        Recovered { patches, patched: ExtentSet::from_unsorted(changed), needed }
    }
}

fn subject(item: &Item) -> Result<Subject> {
    item.subject().ok_or_else(|| wrong(Place::Whole))
}

fn at(place: SectorRange) -> Place {
    Place::Sector(place.start())
}

fn within(count: usize, most: usize) -> Result<()> {
    if count > most { Err(ErrorKind::TooLarge(Limit::Journal).into()) } else { Ok(()) }
}
