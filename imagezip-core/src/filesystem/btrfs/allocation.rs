//! What is in use on the device, chunk by chunk.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{CorruptKind, Result};
use crate::extent::ExtentSet;
use crate::sector::{Bytes, Sector, SectorRange};

use super::super::free_space::FreeSpace;
use super::super::{Allocation, FilesystemKind};
use super::chunk::{self, Chunk};
use super::extents::{ExtentTrees, sectors};
use super::key::owner;
use super::node::Pointer;
use super::superblock::{POSITIONS, SIZE, Superblock};
use super::tree::{Trees, corrupt};
use super::{free_space, log};

/// What is left to boot loaders. Only old tools have put chunks there.
const RESERVED: u64 = 1 << 20;

/// Finds out which sectors of `device` are in use.
pub(super) fn read(device: &dyn ReadAt, superblock: &Superblock) -> Result<Allocation> {
    let mut trees = chunk::read(device, superblock)?;
    let logged = log::used(&mut trees)?;
    let extent_trees = ExtentTrees::find(&mut trees)?;
    let free_space =
        superblock.has_free_space_tree.then(|| trees.root(owner::FREE_SPACE)).transpose()?;
    let mut scan =
        Scan { trees, extent_trees, free_space, logged, bytes: 0, doubts: Doubts::default() };

    let whole = device.sectors();
    let size = Bytes(superblock.device.total_bytes).whole_sectors();
    let mut free = FreeSpace::new();
    // Where the last copy of a chunk ends.
    let mut end = Sector::ZERO;
    for (position, chunk) in scan.trees.chunks.by_position()? {
        let is_first = chunk.copies().next() == Some(position);
        let unused = scan.chunk(&chunk, is_first)?;
        let wrong = || corrupt(CorruptKind::Metadata, chunk.start);
        let place = sectors(position, chunk.len).ok_or_else(wrong)?;
        let logical = sectors(chunk.start, chunk.len).ok_or_else(wrong)?;
        free.add(SectorRange::new(end, place.start()));
        free.add(&unused.relative_to(logical.start()).absolute_from(place.start()));
        end = place.end();
    }
    free.add(SectorRange::new(end, SectorRange::first(size).end()));
    let in_use = free.finish().complement(whole);
    scan.check(&in_use)?;

    let own = POSITIONS.iter().map(|position| sectors(*position, SIZE as u64));
    let own = core::iter::once(sectors(0, RESERVED)).chain(own).flatten();
    let in_use = in_use.union(&own.filter_map(|range| range.intersection(whole)).collect());
    let notes = scan.notes();
    Ok(Allocation { notes, ..Allocation::new(in_use, FilesystemKind::Btrfs, size) })
}

/// Chunks about which there is a doubt: how many, and the first of them.
#[derive(Default)]
struct Doubts {
    unconfirmed: Doubt,
    disputed: Doubt,
}

type Doubt = Option<(u32, u64)>;

fn count(doubt: &mut Doubt, chunk: &Chunk) {
    let (count, _) = doubt.get_or_insert((0, chunk.start));
    *count = count.saturating_add(1);
}

struct Scan<'a> {
    trees: Trees<'a>,
    extent_trees: ExtentTrees,
    free_space: Option<Pointer>,
    /// What only the log knows of, as logical sectors.
    logged: ExtentSet,
    /// The bytes of all extents.
    bytes: u64,
    doubts: Doubts,
}

impl Scan<'_> {
    /// The logical sectors of a chunk that are free. It is counted if this is its first copy.
    fn chunk(&mut self, chunk: &Chunk, is_first: bool) -> Result<ExtentSet> {
        let extents = self.extent_trees.read(&mut self.trees, chunk)?;
        let whole = sectors(chunk.start, chunk.len).unwrap_or(SectorRange::EMPTY);
        if is_first {
            self.bytes = self.bytes.saturating_add(extents.bytes);
        }
        if !extents.is_confirmed {
            if is_first {
                count(&mut self.doubts.unconfirmed, chunk);
            }
            return Ok(ExtentSet::new());
        }
        let mut used = extents.used;
        if let Some(root) = self.free_space {
            let other = free_space::read(&mut self.trees, root, chunk)?.complement(whole);
            if other != used {
                if is_first {
                    count(&mut self.doubts.disputed, chunk);
                }
                used = used.union(&other);
            }
        }
        Ok(used.union(&self.logged.within(whole).collect()).complement(whole))
    }

    /// Compares what was found with what is known from elsewhere.
    fn check(&self, in_use: &ExtentSet) -> Result<()> {
        let superblock = self.trees.superblock;
        if self.doubts.unconfirmed.is_none() && self.bytes != superblock.bytes_used {
            return Err(corrupt(CorruptKind::AllocationMap, superblock.root.logical));
        }
        // The blocks from which all others are found.
        for pointer in [superblock.root, superblock.chunk_root, self.extent_trees.extents] {
            let len = u64::from(superblock.node_size);
            for position in self.trees.chunks.positions(pointer.logical, len) {
                if !sectors(position, len).is_some_and(|block| in_use.contains(block)) {
                    return Err(corrupt(CorruptKind::AllocationMap, pointer.logical));
                }
            }
        }
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some((count, first)) = self.doubts.unconfirmed {
            notes.push(format!(
                "{count} block groups from byte {first} on count as in use: \
                 they don't count what the extent tree has"
            ));
        }
        if let Some((count, first)) = self.doubts.disputed {
            notes.push(format!(
                "in {count} block groups from byte {first} on, what the extent tree \
                 or the free-space tree has counts as in use: they differ"
            ));
        }
        if self.trees.repaired > 0 {
            notes.push(format!(
                "{} blocks of metadata were read from their second copy, the first being damaged",
                self.trees.repaired
            ));
        }
        let copies = POSITIONS.iter().zip(self.trees.superblock.damaged_copies);
        for (position, _) in copies.filter(|(_, damaged)| *damaged) {
            notes.push(format!("the copy of the superblock at byte {position} is damaged"));
        }
        notes
    }
}
