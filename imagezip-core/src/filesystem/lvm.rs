//! Physical volumes of LVM2 (docs/format.md, "LVM").
//!
//! Extents that belong to no logical volume are free. A logical volume that lies wholly on this
//! physical volume, one extent after the other, is examined as a device of its own; all others
//! count as in use, as do labels, metadata, and what lies before the first extent or behind the
//! last.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use super::inside::{self, Mapped};
use super::look::{Context, Found};
use super::verdict::{FilesystemKind, Part, RawReason};
use super::{Allocation, Examined};
use crate::device::ReadAt;
use crate::error::{CorruptKind, Error, ErrorKind, IncompatibleKind, Place, Result};
use crate::extent::ExtentSet;
use crate::partition::CRC;
use crate::sector::{Bytes, SECTOR_BYTES, Sector, SectorRange};

mod group;
mod label;
mod metadata;
mod segment;
mod text;

#[cfg(test)]
mod tests;

pub(super) use label::is_present;

use group::{Group, Volume};
use label::Label;
use metadata::Area;

/// The name of the layer.
pub(super) const NAME: &str = "LVM";

/// The most logical volumes that are looked into.
const MAX_EXAMINED: usize = 1024;

/// What LVM's checksums start from.
const CRC_START: u32 = 0xf597_a6cf;

/// LVM's checksum of parts that follow each other: a CRC-32 without the final inversion.
fn crc(parts: &[&[u8]]) -> u32 {
    let mut digest = CRC.digest_with_initial(CRC_START.reverse_bits());
    for part in parts {
        digest.update(part);
    }
    !digest.finalize()
}

fn wrong(kind: CorruptKind, at: u64) -> Error {
    ErrorKind::Corrupt(kind).at(Place::Byte(Bytes(at)))
}

/// What is in use on a physical volume.
///
/// # Errors
/// `Corrupt` if its metadata are damaged, `Incompatible` if they are on other disks only or say
/// something that is not known, `TooLarge`, and `Read` if the device fails.
pub(super) fn read(device: &dyn ReadAt, context: Context) -> Result<Found> {
    let label = Label::read(device)?;
    let texts = texts(device, &label)?;
    if texts.is_empty() {
        return without_group(device, &label);
    }
    let groups = texts.iter().map(|text| Group::parse(text, &label.uuid));
    let groups = groups.collect::<Result<Vec<_>>>()?;
    let Some(newest) = groups.iter().max_by_key(|group| group.sequence) else {
        return Ok(Found::Nothing);
    };
    if groups.iter().any(|group| group.id != newest.id) {
        return Err(wrong(CorruptKind::LvmMetadata, 0));
    }
    let data =
        data_area(device, &label, newest).ok_or_else(|| wrong(CorruptKind::LvmMetadata, 0))?;
    by_volumes(device, context, newest, data).map(Found::FileSystem)
}

/// The texts that count, of all metadata areas.
fn texts(device: &dyn ReadAt, label: &Label) -> Result<Vec<Vec<u8>>> {
    let mut texts = Vec::new();
    let mut any = false;
    for area in &label.metadata {
        match Area::read(device, area)? {
            Area::Ignored => {}
            Area::Empty => any = true,
            Area::Text(text) => {
                any = true;
                texts.push(text);
            }
        }
    }
    if any {
        Ok(texts)
    } else {
        Err(ErrorKind::Incompatible(IncompatibleKind::LvmElsewhere).into())
    }
}

/// A volume that belongs to no group has nothing but its label and empty metadata areas.
fn without_group(device: &dyn ReadAt, label: &Label) -> Result<Found> {
    if !label.is_orphan {
        return Err(ErrorKind::Incompatible(IncompatibleKind::LvmElsewhere).into());
    }
    let end =
        label.metadata.iter().map(|area| area.start).filter(|at| *at > label.data_start).min();
    let end = end.unwrap_or(u64::MAX).min(device.size().get());
    let data = free_area(label, label.data_start..end);
    let data = data.ok_or_else(|| wrong(CorruptKind::LvmLabel, 0))?;
    Ok(Found::FileSystem(allocation(device, vec![data], Vec::new())))
}

/// The sectors of all extents: they lie on the device, where the label has them, and nothing of
/// LVM's own is among them.
fn data_area(device: &dyn ReadAt, label: &Label, group: &Group<'_>) -> Option<SectorRange> {
    let start = Sector::new(group.first_extent)?.to_bytes().get();
    let len = group.extents.checked_mul(group.extent_size)?;
    let end = Sector::new(group.first_extent.checked_add(len)?)?.to_bytes().get();
    if start != label.data_start || end > device.size().get() {
        return None;
    }
    free_area(label, start..end)
}

/// The sectors of `range`, in bytes, if nothing of LVM's own is among them.
fn free_area(label: &Label, range: Range<u64>) -> Option<SectorRange> {
    let mut own = label.metadata.iter().chain(&label.boot);
    let shared = own.any(|area| area.start < range.end && range.start < area.end);
    if shared || range.start < label::AREA || !range.start.is_multiple_of(SECTOR_BYTES) {
        return None;
    }
    let sector = |bytes| Sector::new(Bytes(bytes).whole_sectors().get());
    SectorRange::new(sector(range.start)?, sector(range.end)?)
}

/// The allocation that the logical volumes make.
fn by_volumes(
    device: &dyn ReadAt,
    context: Context,
    group: &Group<'_>,
    data: SectorRange,
) -> Result<Allocation> {
    let mut taken = Vec::new();
    let mut free = Vec::new();
    let mut parts = Vec::new();
    for (number, volume) in group.volumes.iter().enumerate() {
        let pieces = sectors(volume, group).ok_or_else(|| wrong(CorruptKind::LvmMetadata, 0))?;
        taken.extend(&pieces);
        let mapped = Mapped::new(device, &pieces);
        let reason = match volume.role {
            Some(role) => Some(role.text()),
            None if number >= MAX_EXAMINED => Some("one of very many logical volumes"),
            None => None,
        };
        let examined = match reason {
            Some(reason) => Examined::raw(&mapped, RawReason::Holds(reason)),
            None => inside::examine(&mapped, context)?,
        };
        free.extend(mapped.places_of(&examined.in_use.complement(mapped.sectors())));
        let name = String::from_utf8_lossy(volume.name).into_owned();
        parts.push(Part::new(name, mapped.sectors().len(), examined));
    }
    free.extend(&ExtentSet::from_unsorted(taken).complement(data));
    Ok(allocation(device, free, parts))
}

fn allocation(device: &dyn ReadAt, free: Vec<SectorRange>, parts: Vec<Part>) -> Allocation {
    let in_use = ExtentSet::from_unsorted(free).complement(device.sectors());
    // Metadata may lie behind the last extent, so the volume ends where the device does.
    let size = device.sectors().len();
    Allocation { parts, ..Allocation::new(in_use, FilesystemKind::Lvm, size) }
}

/// The sectors of a logical volume, in its order.
fn sectors(volume: &Volume<'_>, group: &Group<'_>) -> Option<Vec<SectorRange>> {
    let sector = |extent: u64| {
        let offset = extent.checked_mul(group.extent_size)?;
        Sector::new(group.first_extent.checked_add(offset)?)
    };
    let range = |range: Range<u64>| SectorRange::new(sector(range.start)?, sector(range.end)?);
    volume.pieces.iter().map(|piece| range(piece.range())).collect()
}
