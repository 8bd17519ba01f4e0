//! Reading what a target holds.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use imagezip_core::buffer::PageBuffer;
use imagezip_core::device::ReadAt;
use imagezip_core::error::{ErrorKind, Place, Result};
use imagezip_core::sector::Bytes;
use rustix::fs::{Advice, OFlags, fadvise};

use super::{FileDevice, FileKind};

/// A target that is read while an image is loaded on it.
#[derive(Debug)]
pub struct TargetReader<'a> {
    device: &'a FileDevice,
    from: From,
    /// What a regular file lacks reads as zeros.
    grows: bool,
    failed: AtomicBool,
}

/// Where data are read from.
#[derive(Debug)]
enum From {
    Cache,
    /// The device, with `O_DIRECT`: the kernel writes out first what it has in its cache.
    Direct {
        file: File,
        buffers: Mutex<Vec<PageBuffer>>,
    },
    /// The device, as far as the system drops from its cache what it has written out.
    Synced,
}

impl<'a> TargetReader<'a> {
    /// What the target holds, from memory or the device.
    pub fn cached(device: &'a FileDevice) -> Self {
        Self { device, from: From::Cache, grows: false, failed: AtomicBool::new(false) }
    }

    /// What the device itself holds, past the page cache.
    pub fn uncached(device: &'a FileDevice) -> Self {
        let from = match open_direct(device.file()) {
            Ok(file) => From::Direct { file, buffers: Mutex::default() },
            Err(_) => From::Synced,
        };
        Self { from, ..Self::cached(device) }
    }

    /// As it will be: a regular file has zeros where it was not written yet, also after its end.
    #[must_use]
    pub fn growing(self) -> Self {
        Self { grows: self.device.kind() == FileKind::Regular, ..self }
    }

    /// Whether a read has failed.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Reads as many bytes as there are, up to the buffer's end.
    fn read(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        match &self.from {
            From::Cache => read_full(self.device.file(), offset, buf),
            From::Direct { file, buffers } => match read_aligned(file, buffers, offset, buf) {
                // File systems may refuse only when read from.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    self.read_synced(offset, buf)
                }
                read => read,
            },
            From::Synced => self.read_synced(offset, buf),
        }
    }

    fn read_synced(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let file = self.device.file();
        file.sync_data()?;
        // Reading from memory is right, too, only less of a proof.
        let _ = fadvise(file, offset, None, Advice::DontNeed);
        read_full(file, offset, buf)
    }
}

impl ReadAt for TargetReader<'_> {
    fn size(&self) -> Bytes {
        if self.grows { Bytes(u64::MAX) } else { self.device.size() }
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        let read = self.read(offset.get(), buf);
        let kind = match read {
            Ok(len) if len == buf.len() => return Ok(()),
            Ok(len) if self.grows => {
                buf[len..].fill(0);
                return Ok(());
            }
            Ok(_) => ErrorKind::Truncated,
            Err(error) => ErrorKind::Read(error.raw_os_error().unwrap_or(0)),
        };
        self.failed.store(true, Ordering::Relaxed);
        Err(kind.at(Place::Byte(offset)))
    }

    fn will_need(&self, offset: Bytes, len: u64) {
        if let From::Cache = self.from {
            self.device.will_need(offset, len);
        }
    }
}

fn open_direct(file: &File) -> io::Result<File> {
    let flags = OFlags::DIRECT.bits().cast_signed();
    let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
    File::options().read(true).custom_flags(flags).open(itself)
}

fn read_full(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < buf.len() {
        match file.read_at(&mut buf[len..], offset.saturating_add(len as u64)) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

/// Reads whole pages around the bytes: these begin, end and lie in memory where `O_DIRECT` wants
/// them to.
fn read_aligned(
    file: &File,
    buffers: &Mutex<Vec<PageBuffer>>,
    offset: u64,
    buf: &mut [u8],
) -> io::Result<usize> {
    const PAGE: u64 = PageBuffer::PAGE as u64;
    let lock = || buffers.lock().unwrap_or_else(PoisonError::into_inner);
    let start = offset - offset % PAGE;
    let end = offset.saturating_add(buf.len() as u64).next_multiple_of(PAGE);
    let len = usize::try_from(end - start).map_err(|_| io::ErrorKind::InvalidInput)?;
    if len == buf.len() && buf.as_ptr().align_offset(PageBuffer::PAGE) == 0 {
        return read_to_end(file, start, buf);
    }
    let mut buffer = lock().pop().unwrap_or_default();
    let pages = buffer.grown(len);
    let read = read_to_end(file, start, pages);
    let before = usize::try_from(offset - start).unwrap_or(0);
    let found = read.map(|read| {
        let found = read.saturating_sub(before).min(buf.len());
        buf[..found].copy_from_slice(&pages[before..][..found]);
        found
    });
    lock().push(buffer);
    found
}

/// As [`read_full`], but nothing is asked for after a read that ended within a page: that is where
/// the file ends.
fn read_to_end(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < buf.len() && len.is_multiple_of(512) {
        match file.read_at(&mut buf[len..], offset.saturating_add(len as u64)) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use anyhow::Result;
    use tempfile::TempDir;

    use super::*;

    /// Whatever the bounds, and whether the data are on the disk yet or not.
    #[test]
    fn all_ways_of_reading_give_the_same() -> Result<()> {
        let dir = TempDir::new()?;
        let path = dir.path().join("target");
        let content: Vec<_> = (0..300_077_u32).map(|i| (i / 5).to_le_bytes()[0]).collect();
        fs::write(&path, &content)?;
        let device = FileDevice::open_for_writing(&path)?;
        let synced = TargetReader { from: From::Synced, ..TargetReader::cached(&device) };
        for reader in [TargetReader::cached(&device), TargetReader::uncached(&device), synced] {
            for (at, len) in [(0, 4096), (512, 8192), (5, 10), (4096, 200_000), (299_000, 1077)] {
                let mut buf = vec![1; len];
                reader.read_at(Bytes(at as u64), &mut buf)?;
                assert!(buf == content[at..][..len], "{at} {len} {:?}", reader.from);
            }
            assert_eq!(reader.size(), Bytes(300_077));
            let end = reader.read_at(Bytes(299_000), &mut [0; 1078]).map_err(|error| error.kind);
            assert_eq!(end, Err(ErrorKind::Truncated));
            assert!(reader.has_failed());

            let growing = reader.growing();
            let mut buf = vec![1; 8192];
            growing.read_at(Bytes(294_912), &mut buf)?;
            let (there, after) = buf.split_at(300_077 - 294_912);
            assert!(there == &content[294_912..] && after.iter().all(|byte| *byte == 0));
            growing.read_at(Bytes(1 << 40), &mut buf)?;
            assert!(buf.iter().all(|byte| *byte == 0));
        }
        Ok(())
    }

    #[test]
    fn direct_reads_see_what_is_only_in_the_cache() -> Result<()> {
        let dir = TempDir::new()?;
        let path = dir.path().join("target");
        fs::write(&path, vec![1; 1 << 20])?;
        let device = FileDevice::open_for_writing(&path)?;
        let reader = TargetReader::uncached(&device);
        assert!(matches!(reader.from, From::Direct { .. }), "no O_DIRECT at {}", path.display());
        for value in 2..20 {
            device.file().write_all_at(&vec![value; 1 << 20], 0)?;
            let mut buf = vec![0; 1 << 20];
            reader.read_at(Bytes(0), &mut buf)?;
            assert!(buf.iter().all(|byte| *byte == value));
        }
        Ok(())
    }
}
