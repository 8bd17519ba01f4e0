//! Syncing a part of a file. fsync(2) knows whole files only, and on a file that is being written
//! at the same time it waits for what comes after, too.

use alloc::boxed::Box;
use core::ops::Range;

use rustix::fd::BorrowedFd;
use rustix::io::Result;

/// Syncs parts of files; the runtime does it by msync(2).
pub trait SyncRanges: Sync {
    /// Prepares for a file that is open for reading and writing.
    fn of(&self, file: BorrowedFd<'_>) -> Result<Box<dyn SyncRange>>;
}

/// A file that is prepared.
pub trait SyncRange: Send + Sync {
    /// Waits until these bytes are on stable storage.
    ///
    /// # Errors
    /// Data of the file were lost, these or others.
    fn sync(&self, range: Range<u64>) -> Result<()>;
}

/// Syncs the whole file instead.
#[cfg(test)]
pub(crate) struct WholeFiles;

#[cfg(test)]
impl SyncRanges for WholeFiles {
    fn of(&self, file: BorrowedFd<'_>) -> Result<Box<dyn SyncRange>> {
        struct Whole(rustix::fd::OwnedFd);
        impl SyncRange for Whole {
            fn sync(&self, _: Range<u64>) -> Result<()> {
                rustix::fs::fdatasync(&self.0)
            }
        }
        Ok(Box::new(Whole(rustix::io::dup(file)?)))
    }
}
