//! Boot images: a disk cut down to what it needs to boot one root partition.
//!
//! The image is one of a smaller disk that does not exist: the partitions that stay are where they
//! were, the table has no others, and the disk ends after the last of them. What makes the
//! difference are patches over the disk (docs/format.md, "Boot images").

use alloc::vec;
use alloc::vec::Vec;

use super::edit::seal::Seat;
use super::gpt::{self, Copy};
use super::{DiskId, LogicalSectorSize, MbrType, Partition, PartitionTable};
use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Place, Result};
use crate::extent::ExtentSet;
use crate::overlay::Patch;
use crate::sector::{Bytes, Sector, SectorCount, SectorRange};

/// How to make the image of a disk that is cut down to what boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootImage {
    /// The size of the image.
    pub sectors: SectorCount,
    /// The numbers of the partitions that stay.
    pub kept: Vec<u32>,
    /// What the image has in other places than the disk: its table.
    pub patches: Vec<Patch>,
    /// The sectors from the disk's first partition on that belong to none that stays.
    pub unused: ExtentSet,
}

/// What stays of the disk, where.
struct Plan<'a> {
    device: &'a dyn ReadAt,
    size: LogicalSectorSize,
    kept: Vec<&'a Partition>,
    /// The first sector of any partition.
    first: Sector,
    /// The end of the last partition that stays.
    end: Sector,
}

/// Decides what belongs into the boot image for the partition `root`: all that lies before the
/// first partition, every EFI system partition, the first partition for a boot loader, and the
/// root.
///
/// # Errors
/// `Corrupt(NoSuchPartition)` if there is no such partition, `Corrupt(PartitionLimits)` if one
/// that has to stay has no clear limits, `Incompatible(BootRoot)` if the root is a logical
/// partition or one for a boot loader, and whatever [`super::read`] reports.
pub fn plan(device: &dyn ReadAt, size: LogicalSectorSize, root: u32) -> Result<BootImage> {
    let place = Place::Partition(root);
    let missing = || ErrorKind::Corrupt(CorruptKind::NoSuchPartition).at(place);
    let table = super::read(device, size)?.ok_or_else(missing)?;
    let partition = table.find(root).ok_or_else(missing)?;
    if partition.kind.is_efi_system() || partition.kind.is_boot_loader() {
        return Err(ErrorKind::Incompatible(IncompatibleKind::BootRoot).at(place));
    }
    let kept = kept(&table, root);
    for partition in &kept {
        check(partition, table.disk_id)?;
    }
    let plan = Plan {
        device,
        size,
        first: table.partitions.iter().map(|part| part.range.start()).min().unwrap_or_default(),
        end: kept.iter().map(|part| part.range.end()).max().unwrap_or_default(),
        kept,
    };
    match table.disk_id {
        DiskId::Mbr(_) => plan.mbr(),
        DiskId::Gpt(_) => plan.gpt(),
    }
}

/// The partitions that stay, by ascending number.
fn kept(table: &PartitionTable, root: u32) -> Vec<&Partition> {
    let loader = table.partitions.iter().find(|part| part.kind.is_boot_loader());
    let loader = loader.map(|part| part.number);
    let stays = |part: &&Partition| {
        part.number == root || part.kind.is_efi_system() || Some(part.number) == loader
    };
    table.partitions.iter().filter(stays).collect()
}

/// Whether a partition can stay in a table that is made anew.
fn check(partition: &Partition, disk_id: DiskId) -> Result<()> {
    let place = Place::Partition(partition.number);
    if partition.doubt.is_some() {
        return Err(ErrorKind::Corrupt(CorruptKind::PartitionLimits).at(place));
    }
    // The chain of tables to a logical partition leads through others that don't stay.
    if matches!(disk_id, DiskId::Mbr(_)) && partition.number > 4 {
        return Err(ErrorKind::Incompatible(IncompatibleKind::BootRoot).at(place));
    }
    Ok(())
}

impl Plan<'_> {
    fn image(&self, end: Sector, patches: Vec<Patch>) -> BootImage {
        let kept = self.kept.iter().map(|part| part.range).collect();
        let span = SectorRange::new(self.first, self.end).unwrap_or(SectorRange::EMPTY);
        BootImage {
            sectors: end.since(Sector::ZERO),
            kept: self.kept.iter().map(|part| part.number).collect(),
            patches,
            unused: ExtentSet::from_unsorted(kept).complement(span),
        }
    }

    fn stays(&self, number: u32) -> bool {
        self.kept.iter().any(|part| part.number == number)
    }

    fn mbr(&self) -> Result<BootImage> {
        let patch = self.patched_mbr(|number, entry| {
            if !self.stays(number) {
                *entry = [0; 16];
            }
        })?;
        Ok(self.image(self.end, vec![patch]))
    }

    fn gpt(&self) -> Result<BootImage> {
        let mut copy = match Copy::load(self.device, self.size, gpt::PRIMARY) {
            Ok(copy) => copy,
            Err(_) => self.backup_as_primary()?,
        };
        for number in 1..=copy.header()?.entry_count() {
            if !self.stays(number) {
                copy.entry_mut(number).into_iter().for_each(|entry| entry.fill(0));
            }
        }
        let header = copy.header()?;
        let entries = header.entries_lba();
        let room = header.table_blocks(self.size);
        let end = self.size.blocks(self.end);
        let last = end.saturating_add(room);
        let limits = || ErrorKind::Corrupt(CorruptKind::PartitionLimits).at(Place::Whole);
        let image_end = Sector::new(self.size.sectors(last.saturating_add(1)));
        let image_end = image_end
            .filter(|end| *end <= self.device.sectors().end())
            .filter(|_| entries.saturating_add(room) <= self.size.blocks(self.first))
            .ok_or_else(limits)?;

        let last_usable = end.saturating_sub(1);
        let mut patches = vec![self.protective_mbr(last.saturating_add(1))?];
        let primary = Seat { own: gpt::PRIMARY, alternate: last, entries, last_usable };
        let backup = Seat { own: last, alternate: gpt::PRIMARY, entries: end, last_usable };
        for seat in [primary, backup] {
            let mut copy = copy.clone();
            copy.seat(seat)?;
            patches.extend(copy.sealed(self.size)?);
        }
        patches.sort_by_key(|patch| patch.at);
        Ok(self.image(image_end, patches))
    }

    /// The backup copy of the GPT, with its entries where those of the primary copy usually are.
    fn backup_as_primary(&self) -> Result<Copy> {
        let last = gpt::last_block(self.device, self.size);
        let mut copy = Copy::load(self.device, self.size, last)?;
        let last_usable = copy.header()?.last_usable();
        let entries = gpt::PRIMARY.saturating_add(1);
        copy.seat(Seat { own: gpt::PRIMARY, alternate: last, entries, last_usable })?;
        Ok(copy)
    }

    /// The MBR that guards a GPT on a disk of `blocks`.
    ///
    /// In a hybrid one there are partitions, too: those that stay are left as they are.
    fn protective_mbr(&self, blocks: u64) -> Result<Patch> {
        self.patched_mbr(|_, entry| {
            let [_, _, _, _, kind, _, _, _, s0, s1, s2, s3, l0, l1, l2, l3] = *entry;
            let start = u64::from(u32::from_le_bytes([s0, s1, s2, s3]));
            let len = u64::from(u32::from_le_bytes([l0, l1, l2, l3]));
            let is_kept = self.kept.iter().any(|part| {
                let (from, to) = (part.range.start(), part.range.end());
                self.size.blocks(from) == start && self.size.blocks(to) == start.saturating_add(len)
            });
            if MbrType(kind) != MbrType::GPT_PROTECTIVE {
                if !is_kept {
                    *entry = [0; 16];
                }
            } else if start.saturating_add(len) > blocks || len == u64::from(u32::MAX) {
                let len = u32::try_from(blocks.saturating_sub(start)).unwrap_or(u32::MAX);
                let [l0, l1, l2, l3] = len.to_le_bytes();
                if let Some((_, field)) = entry.split_last_chunk_mut::<4>() {
                    *field = [l0, l1, l2, l3];
                }
            }
        })
    }

    /// The first sector with each of its four entries, numbered from 1, `changed`.
    fn patched_mbr(&self, changed: impl Fn(u32, &mut [u8; 16])) -> Result<Patch> {
        let mut bytes = vec![0; 512];
        self.device.read_at(Bytes(0), &mut bytes)?;
        let entries = bytes.get_mut(446..510).unwrap_or_default().chunks_exact_mut(16);
        for (number, entry) in (1..).zip(entries) {
            if let Some(entry) = entry.first_chunk_mut() {
                changed(number, entry);
            }
        }
        Ok(Patch { at: Bytes(0), bytes })
    }
}

#[cfg(test)]
mod tests;
