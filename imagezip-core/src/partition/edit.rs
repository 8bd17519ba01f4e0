//! Changing a partition's type, or the size of the disk that a table is for. Nothing is written
//! here: the result is what has to be written.

use alloc::vec;
use alloc::vec::Vec;

use super::gpt::{self, Copy};
use super::{DiskId, Guid, LogicalSectorSize, Partition};
use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Place, Result};
use crate::overlay::Patch;
use crate::sector::Bytes;

mod code;
mod resize;
pub(super) mod seal;

use code::TypeCode;
pub use resize::fit_to_disk;

/// Where an entry of a GPT has the type's GUID, and where the name of 36 UTF-16 units.
const GPT_TYPE: usize = 0;
const GPT_NAME: usize = 56;
const GPT_NAME_BYTES: usize = 72;

/// What to write to give partition `number` another type.
///
/// `code` is a type byte of an MBR, or the same with two more digits as `sgdisk` has them
/// (0x8300). Under a GPT the partition's name becomes that of the type, as the classic tools do
/// it, and every copy of the table that can be used is changed, with its checksums.
///
/// # Errors
/// `Corrupt(NoSuchPartition)` if there is no such partition, `Incompatible(PartitionType)` if the
/// table can't express the type, and whatever [`super::read`] reports.
pub fn set_type(
    device: &dyn ReadAt,
    size: LogicalSectorSize,
    number: u32,
    code: u32,
) -> Result<Vec<Patch>> {
    let place = Place::Partition(number);
    let table = super::read(device, size)?;
    let found = table.as_ref().and_then(|table| Some((table.disk_id, table.find(number)?)));
    let (disk_id, partition) =
        found.ok_or_else(|| ErrorKind::Corrupt(CorruptKind::NoSuchPartition).at(place))?;
    let unknown = || ErrorKind::Incompatible(IncompatibleKind::PartitionType).at(place);
    match disk_id {
        DiskId::Mbr(_) => mbr_patch(partition, code).ok_or_else(unknown).map(|patch| vec![patch]),
        DiskId::Gpt(_) => {
            gpt_patches(device, size, number, TypeCode::find(code).ok_or_else(unknown)?)
        }
    }
}

/// The type byte of an MBR entry.
fn mbr_patch(partition: &Partition, code: u32) -> Option<Patch> {
    Some(Patch { at: partition.entry.checked_add(4)?, bytes: vec![u8::try_from(code).ok()?] })
}

/// The entry in each copy that can be used, with the headers.
fn gpt_patches(
    device: &dyn ReadAt,
    size: LogicalSectorSize,
    number: u32,
    code: &TypeCode,
) -> Result<Vec<Patch>> {
    let primary = Copy::load(device, size, gpt::PRIMARY);
    let backup_at = match &primary {
        Ok(copy) => copy.header()?.alternate_lba(),
        Err(_) => gpt::last_block(device, size),
    };
    let backup = Copy::load(device, size, backup_at);
    let mut patches = Vec::new();
    for mut copy in [primary, backup].into_iter().flatten() {
        copy.set_type(number, code)?;
        patches.extend(copy.sealed(size)?);
    }
    Ok(patches)
}

impl Copy {
    /// Gives the entry of partition `number` a type and its name.
    fn set_type(&mut self, number: u32, code: &TypeCode) -> Result<()> {
        let place = Place::Partition(number);
        let missing = || ErrorKind::Corrupt(CorruptKind::NoSuchPartition).at(place);
        let entry = self.entry_mut(number).ok_or_else(missing)?;
        let Guid(guid) = code.guid;
        let kind = entry.get_mut(GPT_TYPE..).and_then(|rest| rest.first_chunk_mut());
        *kind.ok_or_else(missing)? = guid;
        let name = entry.get_mut(GPT_NAME..).and_then(|rest| rest.get_mut(..GPT_NAME_BYTES));
        let units = code.name.encode_utf16().chain(core::iter::repeat(0));
        for (place, unit) in name.ok_or_else(missing)?.chunks_exact_mut(2).zip(units) {
            place.copy_from_slice(&unit.to_le_bytes());
        }
        Ok(())
    }
}

/// The position of a block.
fn block_at(size: LogicalSectorSize, lba: u64) -> Bytes {
    Bytes(lba.saturating_mul(size.bytes()))
}

#[cfg(test)]
mod tests;
