//! File systems that fill a disk and have a boot sector where a partition table would be.

use super::{exfat, fat};
use crate::device::ReadAt;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::Layout;
use crate::sector::Bytes;

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
    Ok(is_ntfs(device)?.then_some("NTFS"))
}

/// Whether there is the boot sector of NTFS, and the first record of the table of files where it
/// says.
fn is_ntfs(device: &dyn ReadAt) -> Result<bool> {
    let mut bytes = [0; 512];
    if is_right(device.read_at(Bytes(0), &mut bytes))? {
        let sector = Layout::<512>::from(&bytes);
        let cluster = u64::from(sector.u16::<11>()).saturating_mul(sector.u8::<13>().into());
        let table = Bytes(sector.u64::<48>().saturating_mul(cluster));
        let mut record = [0; 4];
        return Ok(&sector.array::<3, 8>() == b"NTFS    "
            && is_right(device.read_at(table, &mut record))?
            && &record == b"FILE");
    }
    Ok(false)
}

/// Whether all is right. A device that fails stays an error.
pub(super) fn is_right(result: Result<()>) -> Result<bool> {
    match result {
        Err(error @ Error { kind: ErrorKind::Read(_), .. }) => Err(error),
        result => Ok(result.is_ok()),
    }
}
