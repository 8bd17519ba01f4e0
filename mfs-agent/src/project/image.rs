//! The image's temporary file, while it is being written.

mod writeback;

use core::ops::Range;

use alloc::boxed::Box;
use alloc::sync::Arc;

use imagezip_core::digest::{Sha256, Sha256Hasher};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::fsync;
use rustix::io::{Errno, write};
use rustix::system::sysinfo;

use crate::failure::{Failure, FailureKind, Os, Result};
use crate::progress::Progress;
use crate::ranges::{SyncRange, SyncRanges};
use crate::threads::Threads;
use writeback::{Limits, Storage, Writeback};

/// The most that is written and not on stable storage, whatever memory there is.
const MOST_UNSTABLE: u64 = 64 << 20;

/// A file that is being written in order. While it is, the server gets what is there already, and
/// stores it.
pub struct ImageFile {
    file: Arc<NfsFile>,
    writeback: Writeback,
    written: u64,
    hasher: Sha256Hasher,
    errno: Option<Errno>,
    progress: &'static Progress,
}

impl ImageFile {
    /// An empty file, open for reading and writing. `progress` is told what is on stable storage.
    ///
    /// # Errors
    /// `Resource`: no thread or no memory.
    pub fn new(
        file: OwnedFd,
        threads: &dyn Threads,
        ranges: &dyn SyncRanges,
        progress: &'static Progress,
    ) -> Result<Self> {
        let refuse = |errno| {
            FailureKind::Resource
                .because(format_args!("no thread to make the image durable: {}", Os(errno)))
        };
        let ranges = ranges.of(file.as_fd()).map_err(refuse)?;
        let file = Arc::new(NfsFile { file, ranges });
        let storage = Arc::clone(&file) as Arc<dyn Storage>;
        let writeback = Writeback::start(storage, limits(), threads, progress).map_err(refuse)?;
        let hasher = Sha256Hasher::new();
        Ok(Self { file, writeback, written: 0, hasher, errno: None, progress })
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
    pub fn finish(mut self) -> Result<(u64, Sha256)> {
        let doing = "syncing the image";
        self.writeback
            .finish()
            .and_then(|()| fsync(&self.file.file))
            .map_err(|errno| Failure::of_project(errno, doing))?;
        self.progress.set_written(self.written);
        Ok((self.written, self.hasher.finish()))
    }

    fn failed(&mut self, errno: Errno) -> embedded_io::ErrorKind {
        self.errno.get_or_insert(errno);
        embedded_io::ErrorKind::Other
    }
}

impl embedded_io::ErrorType for ImageFile {
    type Error = embedded_io::ErrorKind;
}

impl embedded_io::Write for ImageFile {
    fn write(&mut self, bytes: &[u8]) -> core::result::Result<usize, Self::Error> {
        let count = loop {
            match write(&self.file.file, bytes) {
                Ok(count) => break count,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(self.failed(errno)),
            }
        };
        self.written = self.written.saturating_add(u64::try_from(count).unwrap_or(0));
        self.writeback.has_written(self.written).map_err(|errno| self.failed(errno))?;
        self.hasher.update(bytes.get(..count).unwrap_or_default());
        self.progress.beat();
        Ok(count)
    }

    fn flush(&mut self) -> core::result::Result<(), Self::Error> {
        Ok(())
    }
}

/// An eighth of the memory. The kernel holds up who has written more than about that much which is
/// not on stable storage (`vm.dirty_ratio` is a fifth, `vm.dirty_background_ratio` a tenth of what
/// is free at all).
fn limits() -> Limits {
    let memory = sysinfo();
    let memory = u64::from(memory.mem_unit).saturating_mul(memory.totalram);
    Limits::new((memory / 8).min(MOST_UNSTABLE))
}

/// A file on the server, by the kernel's client.
struct NfsFile {
    file: OwnedFd,
    ranges: Box<dyn SyncRange>,
}

impl Storage for NfsFile {
    fn sync(&self, range: Range<u64>) -> rustix::io::Result<()> {
        self.ranges.sync(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranges::WholeFiles;
    use crate::threads::StdThreads;
    use embedded_io::Write;
    use rustix::fs::{CWD, Mode, OFlags, openat};
    use std::vec::Vec;

    static PROGRESS: Progress = Progress::new();

    fn image(path: &std::path::Path, flags: OFlags) -> Option<ImageFile> {
        let file = openat(CWD, path, flags, Mode::RUSR | Mode::WUSR).ok()?;
        Some(ImageFile::new(file, &StdThreads, &WholeFiles, &PROGRESS).unwrap())
    }

    #[test]
    fn size_and_digest_are_those_of_what_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let mut image = image(&path, OFlags::RDWR | OFlags::CREATE).unwrap();
        let data: Vec<u8> = (0..9_000_001_u32).map(|i| i.to_le_bytes()[1]).collect();
        image.write_all(&data[..8_999_999]).unwrap();
        image.write_all(&data[8_999_999..]).unwrap();
        let (size, digest) = image.finish().unwrap();
        assert_eq!(size, 9_000_001);
        assert_eq!(digest, Sha256::of(&data));
        assert_eq!(PROGRESS.snapshot().written, 9_000_001);
        assert!(std::fs::read(&path).unwrap() == data);
    }

    #[test]
    fn the_first_error_is_kept() {
        let Some(mut image) = image("/dev/full".as_ref(), OFlags::RDWR) else { return };
        assert!(image.write(b"x").is_err());
        assert_eq!(image.errno(), Some(Errno::NOSPC));
    }
}
