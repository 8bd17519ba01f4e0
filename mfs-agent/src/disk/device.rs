//! Reading a disk. It is opened for reading only, and nothing ever writes to it.

use imagezip_core::device::ReadAt;
use imagezip_core::error::{ErrorKind, Place};
use imagezip_core::sector::Bytes;
use rustix::fd::OwnedFd;
use rustix::fs::{Advice, CWD, Mode, OFlags, SeekFrom, fadvise, fstat, major, minor, openat, seek};

use super::{Disk, Number, Sources, cannot_open, is_unchanged};
use crate::failure::{FailureKind, Result};
use crate::file;
use crate::progress::Progress;

/// An open disk.
pub struct DiskDevice<'a> {
    device: OwnedFd,
    size: u64,
    progress: &'a Progress,
}

impl<'a> DiskDevice<'a> {
    /// Opens a disk that was found, for this program only: as long as it is open nobody can mount
    /// it or a part of it, swap to it, or make another device of it. Reading it gives signs of
    /// life to `progress`.
    ///
    /// # Errors
    /// `DiskInUse`; `DiskAbsent`, also if its name is now that of another disk.
    pub fn open(sources: &Sources<'_>, disk: &Disk, progress: &'a Progress) -> Result<Self> {
        let device = Self::open_as(sources, disk, OFlags::EXCL, progress)?;
        // An open disk keeps its number, so what /sys says of that number now is about this one.
        if !is_unchanged(sources, disk) {
            return Err(FailureKind::DiskAbsent.because(format_args!(
                "disk {disk} was replaced by another one while it was being opened"
            )));
        }
        Ok(device)
    }

    /// Opens a disk to look at it, whoever else uses it.
    ///
    /// # Errors
    /// `DiskAbsent`
    pub(crate) fn open_shared(
        sources: &Sources<'_>,
        disk: &Disk,
        progress: &'a Progress,
    ) -> Result<Self> {
        Self::open_as(sources, disk, OFlags::empty(), progress)
    }

    fn open_as(
        sources: &Sources<'_>,
        disk: &Disk,
        flags: OFlags,
        progress: &'a Progress,
    ) -> Result<Self> {
        let path = sources.device_file(disk);
        let fail = |errno| cannot_open(&path, errno);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | flags;
        let device = openat(CWD, &path, flags, Mode::empty()).map_err(fail)?;
        let number = fstat(&device).map_err(fail)?.st_rdev;
        let number = Number { major: major(number), minor: minor(number) };
        if number != disk.number {
            return Err(FailureKind::DiskAbsent.because(format_args!(
                "{path} is device {number}, but disk {} is {}",
                disk.name, disk.number
            )));
        }
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
mod tests;
