//! The state of the volume, in record 3.

use alloc::vec;

use crate::error::{ErrorKind, IncompatibleKind, Result};
use crate::layout::Layout;

use super::attribute::kind;
use super::mft::{Mft, number};
use super::record::damaged;

/// Flags that say nothing about what is in use: a change journal is being deleted, object identifiers are being
/// repaired, and Windows NT 4 has used the volume.
const HARMLESS: u16 = 0x10 | 0x20 | 0x08;

/// Whether the volume is marked as being changed, to be checked, or with anything else that is not known.
///
/// # Errors
/// `Incompatible(Version)` if the version is none that is known, `Corrupt` if the record is
/// damaged, `Read` if the device fails.
pub(super) fn is_dirty(mft: &Mft<'_>) -> Result<bool> {
    let mut buf = vec![];
    let record = mft.record(number::VOLUME, &mut buf)?;
    let found = record.find(kind::VOLUME_INFORMATION, &[], 0)?;
    let view = found.and_then(|found| Layout::<0x0c>::new(found.resident()?));
    let view = view.ok_or_else(|| damaged(number::VOLUME))?;
    match [view.u8::<0x08>(), view.u8::<0x09>()] {
        [1, 2] | [3, 0 | 1] => Ok(view.u16::<0x0a>() & !HARMLESS != 0),
        _ => Err(ErrorKind::Incompatible(IncompatibleKind::Version).into()),
    }
}
