//! Writing around the page cache.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::{Mutex, PoisonError};

use rustix::fs::OFlags;

/// The most bytes that are written at once: no more come from a decompressor at a time.
const ROOM: usize = 1 << 20;

/// A file that is opened a second time, for writes with `O_DIRECT`.
///
/// These have to begin, end and lie in memory at multiples of a unit. What is not so aligned is
/// written through the page cache; the unit is at least a page, so the two never share one.
#[derive(Debug)]
pub(super) struct Direct {
    file: File,
    unit: usize,
    /// Buffers that are not in use. There are never more than threads.
    buffers: Mutex<Vec<Buffer>>,
}

impl Direct {
    /// Opens `file` once more; `None` if it can't be written like that.
    pub(super) fn open(file: &File, unit: u64) -> Option<Self> {
        let unit = usize::try_from(unit).ok().filter(|unit| ROOM.is_multiple_of(*unit))?;
        let flags = i32::try_from(OFlags::DIRECT.bits()).ok()?;
        let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
        let file = File::options().write(true).custom_flags(flags).open(itself).ok()?;
        Some(Self { file, unit, buffers: Mutex::default() })
    }

    /// Writes `data` at `offset`, what is aligned directly and the rest to `cached`.
    pub(super) fn write(&self, cached: &File, offset: u64, data: &[u8]) -> io::Result<()> {
        let unit = self.unit as u64;
        let before = usize::try_from(offset.next_multiple_of(unit) - offset).unwrap_or(usize::MAX);
        let (head, rest) = data.split_at_checked(before).unwrap_or((data, &[]));
        let (body, tail) = rest.split_at(rest.len() - rest.len() % self.unit);
        cached.write_all_at(head, offset)?;
        let mut at = offset.saturating_add(head.len() as u64);
        for part in body.chunks(ROOM) {
            self.write_aligned(cached, at, part)?;
            at = at.saturating_add(part.len() as u64);
        }
        cached.write_all_at(tail, at)
    }

    fn write_aligned(&self, cached: &File, offset: u64, data: &[u8]) -> io::Result<()> {
        let taken = self.lock().pop();
        let mut buffer = taken.unwrap_or_else(|| Buffer::new(self.unit));
        let written = buffer.with(data, |aligned| self.file.write_all_at(aligned, offset));
        self.lock().push(buffer);
        match written {
            // File systems may refuse only when written to.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                cached.write_all_at(data, offset)
            }
            written => written,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Buffer>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Memory with room for [`ROOM`] bytes at a multiple of a unit.
#[derive(Debug)]
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
}

impl Buffer {
    fn new(unit: usize) -> Self {
        let bytes = vec![0; ROOM + unit];
        let start = bytes.as_ptr().align_offset(unit);
        Self { bytes, start }
    }

    /// Calls `write` with a copy of `data`, at most [`ROOM`] bytes, in aligned memory.
    fn with<T>(&mut self, data: &[u8], write: impl FnOnce(&[u8]) -> T) -> T {
        let room = &mut self.bytes[self.start..][..data.len()];
        room.copy_from_slice(data);
        write(room)
    }
}
