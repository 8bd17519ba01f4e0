//! Writing a disk that is loaded.

use imagezip_core::device::{ReadAt, WriteAt, write_repeated};
use imagezip_core::error::{Error, ErrorKind, Place};
use imagezip_core::sector::Bytes;
use rustix::fs::{FallocateFlags, fallocate, fsync};
use rustix::io::Errno;

use super::device::DiskDevice;
use super::{Attributes, Disk, Sources};
use crate::failure::{FailureKind, Result};
use crate::file;
use crate::progress::Progress;

/// Space is discarded or zeroed in whole pages of the kernel's cache, so that it drops no others.
const PAGE: u64 = 4096;

/// A disk that is open for writing, too. What is written goes through the kernel's cache. What is
/// read comes from the disk itself, after the kernel has written what it has of it, if it is whole
/// sectors that go where such reads may: what is compared and what is read back always is.
pub struct TargetDisk<'a> {
    device: DiskDevice<'a>,
    progress: &'a Progress,
}

impl<'a> TargetDisk<'a> {
    /// Opens a disk that was found, for this program only. It is one open file for all: the kernel
    /// drops what it has in its cache of a part that is zeroed only for who has the disk alone.
    ///
    /// # Errors
    /// As [`DiskDevice::open`]; `DiskRefused`: it is write-protected, or can't be read past the
    /// kernel's cache.
    pub fn open(sources: &Sources<'_>, disk: &Disk, progress: &'a Progress) -> Result<Self> {
        // Opening it would be no error, only writing.
        if Attributes::of(sources, disk).number("ro") == Ok(1) {
            return Err(FailureKind::DiskRefused
                .because(format_args!("disk {disk} is write-protected; it can't be loaded")));
        }
        let device = DiskDevice::open_to_write(sources, disk, progress)?;
        if !device.has_direct() {
            return Err(FailureKind::DiskRefused.because(format_args!(
                "disk {disk} can't be read past the kernel's cache, so nothing could be proven of \
                 what is loaded on it"
            )));
        }
        Ok(Self { device, progress })
    }

    /// Waits until the disk has everything.
    ///
    /// # Errors
    /// `Write`: it can't.
    pub fn sync(&self) -> imagezip_core::Result<()> {
        fsync(self.device.file()).map_err(|errno| failed(errno, 0))
    }

    /// The part of `len` bytes from `offset` on that is whole pages, or ends with the disk.
    fn whole_pages(&self, offset: u64, len: u64) -> (u64, u64) {
        let end = offset.saturating_add(len);
        let from = offset.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX).min(end);
        let at_end = end == self.device.size().get();
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
            match fallocate(self.device.file(), *way | FallocateFlags::KEEP_SIZE, from, len) {
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
        self.device.size()
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> imagezip_core::Result<()> {
        self.device.read_from_disk(offset, buf)
    }

    fn gap(&self) -> Bytes {
        self.device.gap()
    }
}

impl WriteAt for TargetDisk<'_> {
    fn end(&self) -> Option<Bytes> {
        Some(self.device.size())
    }

    fn write_at(&self, offset: Bytes, data: &[u8]) -> imagezip_core::Result<()> {
        let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
        if offset.checked_add(len).is_none_or(|end| end > self.device.size()) {
            return Err(failed(Errno::NOSPC, offset.get()));
        }
        self.progress.beat();
        file::write_at(self.device.file(), offset.get(), data)
            .map_err(|errno| failed(errno, offset.get()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::device::tests::Loop;
    use crate::disk::{SYSTEM, attributes};
    use imagezip_core::buffer::PageBuffer;
    use std::fs;
    use std::os::unix::fs::{FileExt, MetadataExt};
    use std::vec;

    /// The end is within a page.
    const LEN: usize = 300 * 1024 + 512;

    /// A loop device of a file of this length, and the file; `None` without root.
    fn attached() -> Option<(Loop, tempfile::NamedTempFile)> {
        if !fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
            std::println!("skipped: loop devices need root");
            return None;
        }
        let image = tempfile::NamedTempFile::new().unwrap();
        fs::write(image.path(), vec![0x5a; LEN]).unwrap();
        Some((Loop::of(image.path()), image))
    }

    fn found(device: &Loop) -> Disk {
        let name = device.disk().name;
        attributes::list(&SYSTEM).into_iter().find(|disk| disk.name == name).unwrap()
    }

    /// The disk has changed behind the kernel's cache.
    #[test]
    fn what_is_read_back_comes_from_the_disk() {
        let Some((device, image)) = attached() else { return };
        let progress = Progress::new();
        let disk = TargetDisk::open(&SYSTEM, &found(&device), &progress).unwrap();
        let mut buffer = PageBuffer::new();
        disk.write_at(Bytes(0), &[1; 8192]).unwrap();
        disk.read_at(Bytes(0), buffer.grown(8192)).unwrap();
        assert!(buffer.get()[..8192].iter().all(|byte| *byte == 1));
        image.as_file().write_all_at(&[2; 512], 4096).unwrap();
        disk.read_at(Bytes(4096), buffer.grown(4096)).unwrap();
        assert!(buffer.get()[..512].iter().all(|byte| *byte == 2));
    }

    #[test]
    fn exactly_what_is_asked_for_becomes_zeros() {
        let Some((device, _image)) = attached() else { return };
        let progress = Progress::new();
        let found = found(&device);
        let disk = TargetDisk::open(&SYSTEM, &found, &progress).unwrap();
        let mut model = vec![0x5a; LEN];
        let all = LEN - LEN % 512;
        let mut check = |at: usize, len: usize, discards: bool| {
            let data: vec::Vec<u8> = (0..all).map(|byte| (byte / 7).to_le_bytes()[0] | 1).collect();
            disk.write_at(Bytes(0), &data).unwrap();
            model[..all].copy_from_slice(&data);
            let (offset, bytes) = (Bytes(at as u64), len as u64);
            if discards {
                assert_eq!(disk.discard(offset, bytes).unwrap(), bytes);
            } else {
                disk.zero(offset, bytes).unwrap();
            }
            model[at..at + len].fill(0);
            let mut found = vec![0; all];
            disk.read_at(Bytes(0), &mut found).unwrap();
            assert!(found == model[..all], "{at} {len} {discards}");
        };
        for discards in [false, true] {
            for at in [0, 512, 4096, 4096 * 3 + 1024] {
                for len in [512, 4096, 4608, 8192, 100 * 1024, all - at] {
                    check(at, len, discards);
                }
            }
        }
        disk.sync().unwrap();
        let error = disk.write_at(Bytes(all as u64), &[1; 1024]).unwrap_err();
        assert_eq!(error, failed(Errno::NOSPC, all as u64));
        // Nobody else may have it as long as it is written.
        assert!(TargetDisk::open(&SYSTEM, &found, &progress).is_err());
    }
}
