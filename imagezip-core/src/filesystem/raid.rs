//! Members of Linux software RAID (docs/format.md, "Linux RAID").
//!
//! A member of a RAID1 array holds all of the array's data, one sector after the other. They are
//! examined as a device of its own; everything else, superblock, bitmap and list of bad blocks,
//! is in use. Other members hold parts of the data, and are in use as a whole.

use alloc::string::{String, ToString};
use alloc::vec;

use super::inside::{self, Mapped};
use super::look::{Context, Found};
use super::verdict::{FilesystemKind, Part};
use super::{Allocation, read_if_there};
use crate::device::ReadAt;
use crate::error::{CorruptKind, Error, ErrorKind, IncompatibleKind, Place, Result};
use crate::sector::{Bytes, SectorRange};

mod old;
mod version1;

#[cfg(test)]
mod tests;

/// The name of the layer.
pub(super) const NAME: &str = "Linux RAID";

/// The magic number of a superblock.
const MAGIC: u32 = 0xa92b_4efc;

/// The part of a RAID1 member that holds the array's data.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mirror {
    data: SectorRange,
    /// The array's name, empty if it has none.
    name: String,
}

/// Where superblocks lie, by their version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    /// 0.90: in the last 64 KiB that begin at a multiple of 64 KiB.
    Old,
    /// 1.0: at least 8 KiB before the end, at a multiple of 4 KiB.
    End,
    /// 1.1: at the start.
    Start,
    /// 1.2: 4 KiB behind the start.
    Behind,
}

impl Version {
    const ALL: [Self; 4] = [Self::Old, Self::End, Self::Start, Self::Behind];

    /// Where the superblock of a device of this size lies.
    fn position(self, size: Bytes) -> Option<u64> {
        let size = size.whole_sectors().to_bytes().get();
        match self {
            Self::Old => (size & !0xffff).checked_sub(0x1_0000),
            Self::End => size.checked_sub(0x2000).map(|at| at & !0xfff),
            Self::Start => Some(0),
            Self::Behind => Some(4096),
        }
    }

    /// Whether there is the mark of a superblock, in either byte order.
    fn is_present(self, device: &dyn ReadAt) -> Result<bool> {
        let Some(at) = self.position(device.size()) else { return Ok(false) };
        let mut magic = [0; 4];
        Ok(read_if_there(device, Bytes(at), &mut magic)?
            && [MAGIC, MAGIC.swap_bytes()].contains(&u32::from_le_bytes(magic)))
    }

    /// Reads the superblock.
    fn read(self, device: &dyn ReadAt) -> Result<Mirror> {
        let at = self.position(device.size()).unwrap_or_default();
        match self {
            Self::Old => old::read(device, at),
            Self::End | Self::Start | Self::Behind => version1::read(device, at),
        }
    }
}

/// Whether there is the mark of a superblock.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn is_present(device: &dyn ReadAt) -> Result<bool> {
    for version in Version::ALL {
        if version.is_present(device)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where there is the mark of a superblock behind the data, in bytes.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn mark_at_end(device: &dyn ReadAt) -> Result<Option<u64>> {
    for version in [Version::Old, Version::End] {
        if version.is_present(device)? {
            return Ok(version.position(device.size()));
        }
    }
    Ok(None)
}

/// What the superblock behind the data says, if there is a valid one and its data begin with the
/// device: then what lies at the start is inside of the array.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn read_enclosing(device: &dyn ReadAt, context: Context) -> Result<Option<Found>> {
    let mut only = None;
    for version in [Version::Old, Version::End] {
        if version.is_present(device)? && only.replace(version).is_some() {
            return Ok(None);
        }
    }
    let Some(version) = only else { return Ok(None) };
    match version.read(device) {
        Ok(mirror) if mirror.data.start().get() == 0 => {
            allocation(device, context, mirror).map(|found| Some(Found::FileSystem(found)))
        }
        // A superblock without a right checksum is no reason to believe in it.
        Err(Error {
            kind: ErrorKind::Corrupt(_) | ErrorKind::Incompatible(IncompatibleKind::Version),
            ..
        })
        | Ok(_) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is in use on a member.
///
/// # Errors
/// `Corrupt` if its superblock is damaged or there are several, `Incompatible` if it is no member
/// of a RAID1 array, or not one with all of its data, and `Read` if the device fails.
pub(super) fn read(device: &dyn ReadAt, context: Context) -> Result<Found> {
    let mut only = None;
    for version in Version::ALL {
        if version.is_present(device)? && only.replace(version).is_some() {
            return Err(ErrorKind::Corrupt(CorruptKind::RaidSuperblock).into());
        }
    }
    let Some(version) = only else { return Ok(Found::Nothing) };
    let mirror = version.read(device)?;
    allocation(device, context, mirror).map(Found::FileSystem)
}

fn allocation(device: &dyn ReadAt, context: Context, mirror: Mirror) -> Result<Allocation> {
    let data = Mapped::new(device, &[mirror.data]);
    let examined = inside::examine(&data, context)?;
    let free = data.places_of(&examined.in_use.complement(data.sectors()));
    let free = free.into_iter().collect::<crate::extent::ExtentSet>();
    let name = if mirror.name.is_empty() { "md".to_string() } else { mirror.name };
    let parts = vec![Part::new(name, mirror.data.len(), examined)];
    let in_use = free.complement(device.sectors());
    let size = device.sectors().len();
    Ok(Allocation { parts, ..Allocation::new(in_use, FilesystemKind::Raid, size) })
}

/// The sum of little-endian words; carries are added to it.
fn checksum(bytes: &[u8]) -> u32 {
    let mut words = bytes.chunks_exact(4);
    let mut sum = 0_u64;
    for word in &mut words {
        let word = word.first_chunk().copied().map_or(0, u32::from_le_bytes);
        sum = sum.saturating_add(u64::from(word));
    }
    if let Some(half) = words.remainder().first_chunk() {
        sum = sum.saturating_add(u64::from(u16::from_le_bytes(*half)));
    }
    let folded = (sum & u64::from(u32::MAX)).saturating_add(sum >> 32);
    u32::try_from(folded & u64::from(u32::MAX)).unwrap_or_default()
}

fn corrupt(kind: CorruptKind, at: u64) -> Error {
    ErrorKind::Corrupt(kind).at(Place::Byte(Bytes(at)))
}
