//! Syncing a part of a file by msync(2), which is fsync(2) with a range.

use alloc::boxed::Box;
use core::ffi::c_void;
use core::ops::Range;
use core::ptr;

use mfs_agent::ranges::{SyncRange, SyncRanges};
use rustix::fd::BorrowedFd;
use rustix::io::{Errno, Result};
use rustix::mm::{MapFlags, MsyncFlags, ProtFlags, mmap, msync, munmap};

/// The largest file: 4 TiB. It is address space, not memory.
const LARGEST: usize = 1 << 42;
/// msync(2) takes whole pages.
const PAGE: usize = 4096;

/// Syncs parts of files.
pub(crate) struct KernelRanges;

impl SyncRanges for KernelRanges {
    fn of(&self, file: BorrowedFd<'_>) -> Result<Box<dyn SyncRange>> {
        // SAFETY: a mapping at an address of the kernel's choice touches nothing that exists, and
        // through one without any permission nobody reads or writes.
        let start = unsafe {
            mmap(ptr::null_mut(), LARGEST, ProtFlags::empty(), MapFlags::SHARED, file, 0)
        }?;
        Ok(Box::new(Mapping { start }))
    }
}

/// A file's place in memory, where nothing can be read or written.
struct Mapping {
    start: *mut c_void,
}

// SAFETY: the address is only given to system calls that touch no memory of the program.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl SyncRange for Mapping {
    fn sync(&self, range: Range<u64>) -> Result<()> {
        let place = |offset: u64| {
            usize::try_from(offset).ok().filter(|place| *place <= LARGEST).ok_or(Errno::FBIG)
        };
        let (start, end) = (place(range.start)? & !(PAGE - 1), place(range.end)?);
        // SAFETY: the range lies in the mapping, which lives as long as `self`; syncing changes
        // nothing in memory.
        unsafe { msync(self.start.byte_add(start), end.saturating_sub(start), MsyncFlags::SYNC) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is this one's own, and nobody has a pointer into it.
        let _ = unsafe { munmap(self.start, LARGEST) };
    }
}
