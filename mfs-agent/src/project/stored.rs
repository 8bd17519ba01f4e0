//! A file on the server that is read in parts.

use core::sync::atomic::{AtomicBool, Ordering};

use imagezip_core::device::ReadAt;
use imagezip_core::error::{ErrorKind, Place};
use imagezip_core::sector::Bytes;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{Advice, Mode, OFlags, fadvise, fstat, openat};
use rustix::io::pread;

use super::patience::Patience;
use crate::failure::{Failure, Result};

/// A file on the server. It is read as often as the server refuses for a moment.
pub struct StoredFile<'a> {
    file: OwnedFd,
    size: u64,
    inode: u64,
    patience: &'a Patience,
    failed: AtomicBool,
}

impl<'a> StoredFile<'a> {
    /// A file that was opened.
    ///
    /// # Errors
    /// The server doesn't tell its size.
    pub fn of(file: OwnedFd, patience: &'a Patience) -> rustix::io::Result<Self> {
        let status = fstat(&file)?;
        let size = status.st_size.try_into().unwrap_or(0);
        Ok(Self { file, size, inode: status.st_ino, patience, failed: AtomicBool::new(false) })
    }

    /// Opens the file `name` so that it is read from the server, not from the node's own memory.
    pub fn open(directory: BorrowedFd<'_>, name: &str, patience: &'a Patience) -> Result<Self> {
        let doing = format_args!("reading {name}");
        let open = || open_uncached(directory, name).and_then(|file| Self::of(file, patience));
        patience.retry(doing, open).map_err(|errno| Failure::of_project(errno, doing))
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
        self.patience.retry("reading the image", read).map_err(|errno| {
            self.failed.store(true, Ordering::Relaxed);
            ErrorKind::Read(errno.raw_os_error()).at(Place::Byte(offset))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Progress;
    use core::time::Duration;
    use rustix::fd::AsFd;

    static PROGRESS: Progress = Progress::new();

    #[test]
    fn any_part_can_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let data: std::vec::Vec<u8> = (0..3_000_001_u32).map(|i| i.to_le_bytes()[1]).collect();
        std::fs::write(directory.path().join("x"), &data).unwrap();
        let handle = std::fs::File::open(directory.path()).unwrap();
        let patience = Patience::new(Duration::ZERO, &PROGRESS);
        let stored = StoredFile::open(handle.as_fd(), "x", &patience).unwrap();
        let mut back = std::vec![0; 3_000_001];
        stored.read_at(Bytes(0), &mut back).unwrap();
        assert!(back == data);
        stored.read_at(Bytes(2_999_998), &mut back[..3]).unwrap();
        assert!(stored.read_at(Bytes(2_999_999), &mut back[..3]).is_err());
        assert!(stored.failed());
    }
}
