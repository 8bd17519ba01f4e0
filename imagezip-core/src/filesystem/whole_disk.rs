//! File systems that fill a disk and have a boot sector where a partition table would be.

use super::{exfat, fat, ntfs};
use crate::device::ReadAt;
use crate::error::{Error, ErrorKind, Result};

/// The file system whose boot sector is the first sector of `device`, if it is one that ends as a
/// master boot record does.
///
/// A boot sector that was left over from an earlier use of the disk does not count: what it
/// points to has to be there.
///
/// # Errors
/// `Read` if the device fails.
pub(crate) fn find(device: &dyn ReadAt) -> Result<Option<&'static str>> {
    if fat::fills(device)? {
        return Ok(Some("FAT"));
    }
    if exfat::fills(device)? {
        return Ok(Some("exFAT"));
    }
    Ok(ntfs::fills(device)?.then_some("NTFS"))
}

/// Whether all is right. A device that fails stays an error.
pub(super) fn is_right(result: Result<()>) -> Result<bool> {
    match result {
        Err(error @ Error { kind: ErrorKind::Read(_), .. }) => Err(error),
        result => Ok(result.is_ok()),
    }
}
