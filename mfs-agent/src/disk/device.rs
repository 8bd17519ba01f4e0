//! Reading a disk. It is opened for reading only, unless it is a
//! [`TargetDisk`](super::target::TargetDisk).

use imagezip_core::device::ReadAt;
use imagezip_core::error::{ErrorKind, Place};
use imagezip_core::sector::Bytes;
use rustix::fd::OwnedFd;
use rustix::fs::{Advice, CWD, Mode, OFlags, SeekFrom, fadvise, fstat, major, minor, openat, seek};
use rustix::io::Errno;

use super::{Disk, Number, Sources, cannot_open, is_unchanged};
use crate::failure::{FailureKind, Result};
use crate::file;
use crate::progress::Progress;

/// The least that is read directly. The cache fetches smaller reads together.
const LARGE: usize = 64 << 10;

/// An open disk.
pub struct DiskDevice<'a> {
    device: OwnedFd,
    /// The same without the kernel's cache, for what is read once.
    direct: Option<OwnedFd>,
    /// What offsets, lengths and addresses of direct reads are multiples of.
    sector_size: usize,
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
        Self::open_alone(sources, disk, OFlags::RDONLY, progress)
    }

    /// As [`DiskDevice::open`], for writing, too: the file is [`DiskDevice::file`].
    ///
    /// # Errors
    /// As [`DiskDevice::open`].
    pub(super) fn open_to_write(
        sources: &Sources<'_>,
        disk: &Disk,
        progress: &'a Progress,
    ) -> Result<Self> {
        Self::open_alone(sources, disk, OFlags::RDWR, progress)
    }

    fn open_alone(
        sources: &Sources<'_>,
        disk: &Disk,
        access: OFlags,
        progress: &'a Progress,
    ) -> Result<Self> {
        let device = Self::open_as(sources, disk, access | OFlags::EXCL, progress)?;
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
        Self::open_as(sources, disk, OFlags::RDONLY, progress)
    }

    fn open_as(
        sources: &Sources<'_>,
        disk: &Disk,
        flags: OFlags,
        progress: &'a Progress,
    ) -> Result<Self> {
        let path = sources.device_file(disk);
        let fail = |errno| cannot_open(&path, errno);
        let device = openat(CWD, &path, flags | OFlags::CLOEXEC, Mode::empty()).map_err(fail)?;
        let number = number_of(&device).map_err(fail)?;
        if number != disk.number {
            return Err(FailureKind::DiskAbsent.because(format_args!(
                "{path} is device {number}, but disk {} is {}",
                disk.name, disk.number
            )));
        }
        let size = seek(&device, SeekFrom::End(0)).map_err(fail)?;
        // Read ahead far, as all of it is read in order.
        let _ = fadvise(&device, 0, None, Advice::Sequential);
        // This one is no second exclusive user, so the same disk can be opened.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECT;
        let direct = openat(CWD, &path, flags, Mode::empty())
            .ok()
            .filter(|direct| number_of(direct) == Ok(number));
        let sector_size = usize::try_from(disk.sector_size).unwrap_or(0);
        Ok(Self { device, direct, sector_size, size, progress })
    }

    /// The open file.
    pub(super) fn file(&self) -> &OwnedFd {
        &self.device
    }

    /// Reads a large part past the kernel's cache, if the disk can do that; whether it did.
    fn read_directly(&self, offset: u64, buf: &mut [u8]) -> rustix::io::Result<bool> {
        if buf.len() < LARGE {
            return Ok(false);
        }
        match self.read_aligned(offset, buf) {
            // The driver wants something else.
            Err(Errno::INVAL) => Ok(false),
            result => result,
        }
    }

    /// Reads whole sectors past the kernel's cache, if they are to go where such reads may; whether
    /// it did.
    fn read_aligned(&self, offset: u64, buf: &mut [u8]) -> rustix::io::Result<bool> {
        let Some(direct) = &self.direct else { return Ok(false) };
        let place = usize::try_from(offset).unwrap_or(usize::MAX) | buf.len() | buf.as_ptr().addr();
        if place.checked_rem(self.sector_size) != Some(0) {
            return Ok(false);
        }
        file::read_at(direct, offset, buf).map(|()| true)
    }

    /// Fills `buf` by `read`, or else from the cache.
    fn read_by(
        &self,
        offset: Bytes,
        buf: &mut [u8],
        read: impl FnOnce(&Self, &mut [u8]) -> rustix::io::Result<bool>,
    ) -> imagezip_core::Result<()> {
        let truncated = || ErrorKind::Truncated.at(Place::Byte(offset));
        let len = u64::try_from(buf.len()).map_err(|_| truncated())?;
        if offset.checked_add(len).is_none_or(|end| end.get() > self.size) {
            return Err(truncated());
        }
        self.progress.beat();
        let read = read(self, buf).and_then(|read| {
            if read { Ok(()) } else { file::read_at(&self.device, offset.get(), buf) }
        });
        read.map_err(|errno| ErrorKind::Read(errno.raw_os_error()).at(Place::Byte(offset)))
    }

    /// Fills `buf`, past the kernel's cache if that can be: whole sectors, in memory that begins as
    /// sectors do.
    ///
    /// # Errors
    /// As [`ReadAt::read_at`].
    pub(super) fn read_from_disk(
        &self,
        offset: Bytes,
        buf: &mut [u8],
    ) -> imagezip_core::Result<()> {
        self.read_by(offset, buf, |device, buf| device.read_aligned(offset.get(), buf))
    }

    /// Whether anything can be read past the kernel's cache.
    pub(super) fn has_direct(&self) -> bool {
        self.direct.is_some()
    }
}

fn number_of(device: &OwnedFd) -> rustix::io::Result<Number> {
    let number = fstat(device)?.st_rdev;
    Ok(Number { major: major(number), minor: minor(number) })
}

impl ReadAt for DiskDevice<'_> {
    fn size(&self) -> Bytes {
        Bytes(self.size)
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> imagezip_core::Result<()> {
        self.read_by(offset, buf, |device, buf| device.read_directly(offset.get(), buf))
    }

    /// A disk that turns reads as much in the time that it takes to skip it.
    fn gap(&self) -> Bytes {
        Bytes(64 << 10)
    }
}

#[cfg(test)]
pub(super) mod tests;
