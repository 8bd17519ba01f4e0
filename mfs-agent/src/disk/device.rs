//! Reading a disk. It is opened for reading only, and nothing ever writes to it.

use alloc::format;

use imagezip_core::device::ReadAt;
use imagezip_core::error::{ErrorKind, Place};
use imagezip_core::sector::Bytes;
use rustix::fd::OwnedFd;
use rustix::fs::{Advice, SeekFrom, fadvise, seek};

use super::Disk;
use crate::failure::{FailureKind, Os, Result};
use crate::file;
use crate::progress::Progress;

/// An open disk.
pub struct DiskDevice<'a> {
    device: OwnedFd,
    size: u64,
    progress: &'a Progress,
}

impl<'a> DiskDevice<'a> {
    /// Opens a disk. Reading it gives signs of life to `progress`.
    ///
    /// # Errors
    /// `DiskAbsent`
    pub fn open(disk: &Disk, progress: &'a Progress) -> Result<Self> {
        Self::open_path(&format!("/dev/{}", disk.name), progress)
    }

    fn open_path(path: &str, progress: &'a Progress) -> Result<Self> {
        let fail = |errno| {
            FailureKind::DiskAbsent.because(format_args!("cannot open {path}: {}", Os(errno)))
        };
        let device = file::open(path).map_err(fail)?;
        let size = seek(&device, SeekFrom::End(0)).map_err(fail)?;
        // Read ahead far, as all of it is read in order.
        let _ = fadvise(&device, 0, None, Advice::Sequential);
        Ok(Self { device, size, progress })
    }
}

impl ReadAt for DiskDevice<'_> {
    fn size(&self) -> Bytes {
        Bytes(self.size)
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> imagezip_core::Result<()> {
        let truncated = || ErrorKind::Truncated.at(Place::Byte(offset));
        let len = u64::try_from(buf.len()).map_err(|_| truncated())?;
        if offset.checked_add(len).is_none_or(|end| end.get() > self.size) {
            return Err(truncated());
        }
        self.progress.beat();
        file::read_at(&self.device, offset.get(), buf)
            .map_err(|errno| ErrorKind::Read(errno.raw_os_error()).at(Place::Byte(offset)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_end_where_the_disk_ends() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [7_u8; 1000]).unwrap();
        let progress = Progress::new();
        let disk = DiskDevice::open_path(file.path().to_str().unwrap(), &progress).unwrap();
        assert_eq!(disk.size(), Bytes(1000));
        let mut buf = [0; 10];
        disk.read_at(Bytes(990), &mut buf).unwrap();
        assert_eq!(buf, [7; 10]);
        let error = disk.read_at(Bytes(991), &mut buf).unwrap_err();
        assert_eq!(error, ErrorKind::Truncated.at(Place::Byte(Bytes(991))));
        assert!(disk.read_at(Bytes(u64::MAX), &mut buf).is_err());
        // A disk that gets shorter under the hands.
        std::fs::write(file.path(), [7_u8; 10]).unwrap();
        assert!(disk.read_at(Bytes(990), &mut buf).is_err());
    }
}
