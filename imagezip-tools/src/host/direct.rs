//! Writing around the page cache.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::{Mutex, PoisonError};

use rustix::fs::OFlags;

/// A file that is opened a second time, for writes with `O_DIRECT`.
///
/// These have to begin, end and lie in memory at multiples of a unit. What is not so aligned is
/// written through the page cache; the unit is at least a page, so the two never share one.
#[derive(Debug)]
pub(crate) struct Direct {
    file: File,
    unit: usize,
    /// Buffers that are not in use. There are never more than threads.
    buffers: Mutex<Vec<Buffer>>,
}

impl Direct {
    /// Opens `file` once more; `None` if it can't be written like that.
    pub(crate) fn open(file: &File, unit: u64) -> Option<Self> {
        let unit = usize::try_from(unit).ok().filter(|unit| Buffer::ROOM.is_multiple_of(*unit))?;
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
        for part in body.chunks(Buffer::ROOM) {
            self.write_aligned(cached, at, part)?;
            at = at.saturating_add(part.len() as u64);
        }
        cached.write_all_at(tail, at)
    }

    fn write_aligned(&self, cached: &File, offset: u64, data: &[u8]) -> io::Result<()> {
        let taken = self.lock().pop();
        let mut buffer = taken.unwrap_or_else(|| Buffer::new(self.unit as u64));
        buffer.extend(data);
        let written = self.write_buffer(cached, offset, &buffer);
        buffer.clear();
        self.lock().push(buffer);
        written
    }

    /// Writes what is in a buffer at `offset`, directly if that is aligned and as far as it is, and
    /// the rest to `cached`.
    pub(crate) fn write_buffer(
        &self,
        cached: &File,
        offset: u64,
        buffer: &Buffer,
    ) -> io::Result<()> {
        let data = buffer.bytes();
        let aligned = offset.is_multiple_of(self.unit as u64);
        let direct = if aligned { data.len() - data.len() % self.unit } else { 0 };
        let (body, tail) = data.split_at(direct);
        match self.file.write_all_at(body, offset) {
            // File systems may refuse only when written to.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                return cached.write_all_at(data, offset);
            }
            written => written?,
        }
        cached.write_all_at(tail, offset.saturating_add(direct as u64))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Buffer>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that lie in memory at a multiple of a unit.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
}

impl Buffer {
    /// The most bytes that a buffer holds and that are written at once: no more come from a
    /// decompressor at a time, and chunks of images have so many.
    pub(crate) const ROOM: usize = 1 << 20;

    /// An empty buffer; `unit` is a power of two.
    pub(crate) fn new(unit: u64) -> Self {
        let unit = usize::try_from(unit).unwrap_or(1);
        let mut bytes: Vec<u8> = Vec::with_capacity(Self::ROOM.saturating_add(unit));
        let start = bytes.as_ptr().align_offset(unit).min(unit);
        bytes.resize(start, 0);
        Self { bytes, start }
    }

    /// What it holds.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Adds `data`, for which there must be room: else they are no longer aligned.
    pub(crate) fn extend(&mut self, data: &[u8]) {
        debug_assert!(self.bytes().len() + data.len() <= Self::ROOM, "too much for a buffer");
        self.bytes.extend_from_slice(data);
    }

    /// Empties it.
    pub(crate) fn clear(&mut self) {
        self.bytes.truncate(self.start);
    }
}
