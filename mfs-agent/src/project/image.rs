//! The image's temporary file: written in order, then read back.

use core::sync::atomic::{AtomicBool, Ordering};

use imagezip_core::device::ReadAt;
use imagezip_core::digest::{Sha256, Sha256Hasher};
use imagezip_core::error::{ErrorKind, Place};
use imagezip_core::sector::Bytes;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{Advice, Mode, OFlags, fadvise, fdatasync, fstat, fsync, openat};
use rustix::io::{Errno, pread, write};

use super::patience::Patience;
use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// After so many bytes they are synced, so that the file's size on the server moves, and an
/// error of the server shows early.
const SYNC_EVERY: u64 = 8 << 20;

/// A file that is being written.
pub struct ImageFile<'a> {
    file: OwnedFd,
    written: u64,
    synced: u64,
    hasher: Sha256Hasher,
    errno: Option<Errno>,
    progress: &'a Progress,
}

impl<'a> ImageFile<'a> {
    /// An empty file. `progress` is told what is on stable storage.
    pub fn new(file: OwnedFd, progress: &'a Progress) -> Self {
        let hasher = Sha256Hasher::new();
        Self { file, written: 0, synced: 0, hasher, errno: None, progress }
    }

    /// The error of the operating system that made writing fail, if one did.
    pub fn errno(&self) -> Option<Errno> {
        self.errno
    }

    /// Syncs the file; its size and digest.
    ///
    /// # Errors
    /// What the server says when it stores the last of the data: a server that is full often
    /// says so here.
    pub fn finish(self) -> Result<(u64, Sha256)> {
        let doing = "syncing the image";
        fsync(&self.file).map_err(|errno| Failure::of_project(errno, doing))?;
        self.progress.set_written(self.written);
        Ok((self.written, self.hasher.finish()))
    }

    fn failed(&mut self, errno: Errno) -> embedded_io::ErrorKind {
        self.errno.get_or_insert(errno);
        embedded_io::ErrorKind::Other
    }
}

impl embedded_io::ErrorType for ImageFile<'_> {
    type Error = embedded_io::ErrorKind;
}

impl embedded_io::Write for ImageFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> core::result::Result<usize, Self::Error> {
        let count = loop {
            match write(&self.file, bytes) {
                Ok(count) => break count,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(self.failed(errno)),
            }
        };
        self.hasher.update(bytes.get(..count).unwrap_or_default());
        self.written = self.written.saturating_add(u64::try_from(count).unwrap_or(0));
        if self.written.saturating_sub(self.synced) >= SYNC_EVERY {
            fdatasync(&self.file).map_err(|errno| self.failed(errno))?;
            self.synced = self.written;
            self.progress.set_written(self.written);
        }
        self.progress.beat();
        Ok(count)
    }

    fn flush(&mut self) -> core::result::Result<(), Self::Error> {
        Ok(())
    }
}

/// A file that is read back from the server, not from the node's own memory.
pub struct StoredFile<'a> {
    file: OwnedFd,
    size: u64,
    inode: u64,
    patience: &'a Patience,
    failed: AtomicBool,
}

impl<'a> StoredFile<'a> {
    /// Opens the file `name`.
    pub fn open(directory: BorrowedFd<'_>, name: &str, patience: &'a Patience) -> Result<Self> {
        let doing = format_args!("reading {name} back");
        let open = || {
            let file = open_uncached(directory, name)?;
            let status = fstat(&file)?;
            Ok((file, status))
        };
        let (file, status) =
            patience.retry(doing, open).map_err(|errno| Failure::of_project(errno, doing))?;
        let size = status.st_size.try_into().unwrap_or(0);
        Ok(Self { file, size, inode: status.st_ino, patience, failed: AtomicBool::new(false) })
    }

    /// Its number on the server.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// Whether the server failed to give the data.
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

/// With direct I/O where it takes any buffer, as NFS does; else with an empty cache.
fn open_uncached(directory: BorrowedFd<'_>, name: &str) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let direct = openat(directory, name, flags | OFlags::DIRECT, Mode::empty());
    if let Ok(file) = direct
        && pread(&file, &mut [0_u8; 1], 0).is_ok()
    {
        return Ok(file);
    }
    let file = openat(directory, name, flags, Mode::empty())?;
    fadvise(&file, 0, None, Advice::DontNeed)?;
    Ok(file)
}

impl ReadAt for StoredFile<'_> {
    fn size(&self) -> Bytes {
        Bytes(self.size)
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> imagezip_core::Result<()> {
        self.patience.progress().beat();
        let read = || crate::file::read_at(&self.file, offset.get(), &mut *buf);
        self.patience.retry("reading the image back", read).map_err(|errno| {
            self.failed.store(true, Ordering::Relaxed);
            ErrorKind::Read(errno.raw_os_error()).at(Place::Byte(offset))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use embedded_io::Write;
    use rustix::fd::AsFd;
    use std::vec;
    use std::vec::Vec;

    static PROGRESS: Progress = Progress::new();

    #[test]
    fn what_is_written_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let handle = std::fs::File::open(directory.path()).unwrap();
        let flags = OFlags::WRONLY | OFlags::CREATE;
        let file = openat(&handle, "x", flags, Mode::RUSR).unwrap();
        let progress = &PROGRESS;
        let mut image = ImageFile::new(file, progress);
        let data: Vec<u8> = (0..9_000_001_u32).map(|i| i.to_le_bytes()[1]).collect();
        image.write_all(&data[..8_999_999]).unwrap();
        assert_eq!(progress.snapshot().written, 8_999_999);
        image.write_all(&data[8_999_999..]).unwrap();
        assert_eq!(progress.snapshot().written, 8_999_999);
        let (size, digest) = image.finish().unwrap();
        assert_eq!(size, 9_000_001);
        assert_eq!(digest, Sha256::of(&data));
        assert_eq!(progress.snapshot().written, 9_000_001);
        let patience = Patience::new(Duration::ZERO, &PROGRESS);
        let stored = StoredFile::open(handle.as_fd(), "x", &patience).unwrap();
        let mut back = vec![0; 9_000_001];
        stored.read_at(Bytes(0), &mut back).unwrap();
        assert!(back == data);
        stored.read_at(Bytes(8_999_998), &mut back[..3]).unwrap();
        assert!(stored.read_at(Bytes(8_999_999), &mut back[..3]).is_err());
    }

    #[test]
    fn the_first_error_is_kept() {
        let Ok(full) = openat(rustix::fs::CWD, "/dev/full", OFlags::WRONLY, Mode::empty()) else {
            return;
        };
        let progress = Progress::new();
        let mut image = ImageFile::new(full, &progress);
        assert!(image.write(b"x").is_err());
        assert_eq!(image.errno(), Some(Errno::NOSPC));
    }
}
