//! Writing a disk that is loaded.

use imagezip_core::device::{ReadAt, WriteAt, write_repeated};
use imagezip_core::error::{Error, ErrorKind, Place};
use imagezip_core::sector::Bytes;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FallocateFlags, Mode, OFlags, fallocate, fsync, openat};
use rustix::io::Errno;

use super::device::{DiskDevice, number_of};
use super::{Disk, Sources, cannot_open};
use crate::failure::{FailureKind, Result};
use crate::file;
use crate::progress::Progress;

/// Space is discarded or zeroed in whole pages of the kernel's cache, so that it drops no others.
const PAGE: u64 = 4096;

/// A disk that is open for writing, too. What is written goes through the kernel's cache; large
/// parts that are read come from the disk itself, after the kernel has written what it has of them.
pub struct TargetDisk<'a> {
    reader: DiskDevice<'a>,
    file: OwnedFd,
    progress: &'a Progress,
}

impl<'a> TargetDisk<'a> {
    /// Opens a disk that was found, for this program only.
    ///
    /// # Errors
    /// As [`DiskDevice::open`]; `DiskRefused` if it can't be written.
    pub fn open(sources: &Sources<'_>, disk: &Disk, progress: &'a Progress) -> Result<Self> {
        let reader = DiskDevice::open(sources, disk, progress)?;
        let path = sources.device_file(disk);
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let file = openat(CWD, &path, flags, Mode::empty()).map_err(|errno| match errno {
            Errno::ROFS | Errno::ACCESS | Errno::PERM => FailureKind::DiskRefused
                .because(format_args!("disk {disk} is write-protected; it can't be loaded")),
            errno => cannot_open(&path, errno),
        })?;
        // The first open keeps everybody from giving the name to another disk's number.
        if number_of(&file) != Ok(disk.number) {
            return Err(FailureKind::DiskAbsent.because(format_args!(
                "disk {disk} was replaced by another one while it was being opened"
            )));
        }
        Ok(Self { reader, file, progress })
    }

    /// Waits until the disk has everything.
    ///
    /// # Errors
    /// `Write`: it can't.
    pub fn sync(&self) -> imagezip_core::Result<()> {
        fsync(&self.file).map_err(|errno| failed(errno, 0))
    }

    /// The part of `len` bytes from `offset` on that is whole pages, or ends with the disk.
    fn whole_pages(&self, offset: u64, len: u64) -> (u64, u64) {
        let end = offset.saturating_add(len);
        let from = offset.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX).min(end);
        let at_end = end == self.reader.size().get();
        let to = if at_end { end } else { end.saturating_sub(end % PAGE) };
        (from, to.max(from))
    }

    /// Makes pages read as zeros, in the first of the ways that the disk has.
    fn clear(&self, offset: Bytes, len: u64, ways: &[FallocateFlags]) -> imagezip_core::Result<()> {
        self.progress.beat();
        let (at, end) = (offset.get(), offset.get().saturating_add(len));
        let (from, to) = self.whole_pages(at, len);
        let zeros =
            |from: u64, to: u64| write_repeated(self, Bytes(from), to.saturating_sub(from), &ZEROS);
        zeros(at, from)?;
        for way in ways.iter().filter(|_| from < to) {
            let len = to.saturating_sub(from);
            match fallocate(&self.file, *way | FallocateFlags::KEEP_SIZE, from, len) {
                Ok(()) => return zeros(to, end),
                Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NODEV | Errno::NOSYS) => {}
                Err(errno) => return Err(failed(errno, from)),
            }
        }
        zeros(from, end)
    }
}

fn failed(errno: Errno, at: u64) -> Error {
    ErrorKind::Write(errno.raw_os_error()).at(Place::Byte(Bytes(at)))
}

impl ReadAt for TargetDisk<'_> {
    fn size(&self) -> Bytes {
        self.reader.size()
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> imagezip_core::Result<()> {
        self.reader.read_at(offset, buf)
    }

    fn gap(&self) -> Bytes {
        self.reader.gap()
    }
}

impl WriteAt for TargetDisk<'_> {
    fn end(&self) -> Option<Bytes> {
        Some(self.reader.size())
    }

    fn write_at(&self, offset: Bytes, data: &[u8]) -> imagezip_core::Result<()> {
        let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
        if offset.checked_add(len).is_none_or(|end| end > self.reader.size()) {
            return Err(failed(Errno::NOSPC, offset.get()));
        }
        self.progress.beat();
        file::write_at(&self.file, offset.get(), data).map_err(|errno| failed(errno, offset.get()))
    }

    fn zero(&self, offset: Bytes, len: u64) -> imagezip_core::Result<()> {
        self.clear(offset, len, &[FallocateFlags::ZERO_RANGE])
    }

    /// What is discarded reads as zeros: disks that only may forget what they are told to are not
    /// asked to, as the next project must not find it.
    fn discard(&self, offset: Bytes, len: u64) -> imagezip_core::Result<u64> {
        self.clear(offset, len, &[FallocateFlags::PUNCH_HOLE, FallocateFlags::ZERO_RANGE])?;
        Ok(len)
    }
}

/// What is written where nothing else works.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
