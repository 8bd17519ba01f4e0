//! Writing to files and block devices, each in the way that is best for it.

use std::fs::File;
use std::io;
use std::mem;
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use imagezip_core::device::{ReadAt, WriteAt, write_repeated};
use imagezip_core::error::{Error, ErrorKind, Place, Result};
use imagezip_core::sector::Bytes;
use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate};
use rustix::io::Errno;

use super::direct::Direct;
use super::{FileDevice, FileKind};

/// The unit in which file systems keep holes, and page caches data.
const BLOCK: usize = 4096;

/// So much may be written before the system begins to write it out.
const WRITE_BACK: u64 = 8 << 20;

/// The same, as positions are counted.
const BLOCK_LEN: u64 = BLOCK as u64;

/// A file or block device while an image is loaded on it.
///
/// What a regular file gets beyond its length at the time of [`TargetFile::new`] is sparse: whole
/// blocks of zeros become holes. What it had before is written as it comes, and keeps its length.
#[derive(Debug)]
pub struct TargetFile<'a> {
    device: &'a FileDevice,
    /// What lies from here on reads as zeros until it is written.
    fresh: u64,
    /// Ranges that the device itself zeroes or discards have to begin and end at multiples of it.
    unit: u64,
    direct: Option<Direct>,
    dirty: Mutex<Dirty>,
    zeroes: AtomicBool,
    discards: AtomicBool,
}

impl<'a> TargetFile<'a> {
    /// The file or block device, which must be open for writing. One load writes to it at a time.
    ///
    /// # Errors
    /// If its length can't be found out.
    pub fn new(device: &'a FileDevice) -> io::Result<Self> {
        let (fresh, unit) = match device.kind() {
            FileKind::Regular => (device.file().metadata()?.len(), BLOCK_LEN),
            // The page cache keeps whole pages of a block device: what shares a page with other
            // data has to go through it.
            FileKind::Block { sector } => (u64::MAX, page().max(u64::from(sector))),
            FileKind::Other => (u64::MAX, BLOCK_LEN),
        };
        Ok(Self {
            device,
            fresh,
            unit,
            direct: None,
            dirty: Mutex::default(),
            zeroes: AtomicBool::new(true),
            discards: AtomicBool::new(true),
        })
    }

    /// Writes around the page cache from now on, as far as data are aligned for that. Returns
    /// whether the file allows it.
    pub fn write_directly(&mut self) -> bool {
        self.direct = Direct::open(self.device.file(), self.unit.max(page()));
        self.direct.is_some()
    }

    /// Extends a regular file to `end`, if it is shorter, and waits until everything is on the
    /// disk.
    ///
    /// # Errors
    /// If that fails. A device that knows nothing of waiting (`EINVAL`) doesn't.
    pub fn finish(&self, end: Bytes) -> io::Result<()> {
        let file = self.device.file();
        if self.device.kind() == FileKind::Regular && file.metadata()?.len() < end.get() {
            file.set_len(end.get())?;
        }
        match file.sync_all() {
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => Ok(()),
            outcome => outcome,
        }
    }

    fn file(&self) -> &File {
        self.device.file()
    }

    fn put(&self, offset: u64, data: &[u8]) -> Result<()> {
        let written = match &self.direct {
            Some(direct) => direct.write(self.file(), offset, data),
            None => self.file().write_all_at(data, offset),
        };
        written.map_err(|error| failed(offset, error.raw_os_error()))?;
        if self.direct.is_none() {
            self.write_back(offset, data.len() as u64);
        }
        Ok(())
    }

    /// Has the system begin to write out what was written to its cache, when that is much: it would
    /// wait long, and there would be too much of it when everything has to be on the disk.
    fn write_back(&self, offset: u64, len: u64) {
        let ready = {
            let mut dirty = self.dirty.lock().unwrap_or_else(PoisonError::into_inner);
            dirty.add(offset, len);
            (dirty.bytes >= WRITE_BACK).then(|| mem::take(&mut *dirty))
        };
        if let Some(Dirty { range, .. }) = ready {
            // The kernel begins to write the range before it looks what of it can be dropped:
            // nothing, yet. Whoever waits for the data finds out whether they are there.
            let len = NonZeroU64::new(range.end - range.start);
            let _ = fadvise(self.file(), range.start, len, Advice::DontNeed);
        }
    }

    /// Writes what is not yet there of `data` in a part of the file that is all zeros.
    fn put_sparsely(&self, offset: u64, data: &[u8]) -> Result<()> {
        let mut at = offset;
        let mut rest = data;
        while !rest.is_empty() {
            let (zeros, len) = run(at, rest);
            let (part, after) = rest.split_at(len);
            if !zeros {
                self.put(at, part)?;
            }
            at = at.saturating_add(len as u64);
            rest = after;
        }
        Ok(())
    }

    /// The part of `len` bytes from `offset` on that begins and ends at multiples of the unit.
    fn whole_units(&self, offset: u64, len: u64) -> (u64, u64) {
        let end = offset.saturating_add(len);
        let from = offset.checked_next_multiple_of(self.unit).unwrap_or(u64::MAX);
        let to = end - end % self.unit;
        // A device's end need not be a multiple of the unit; nothing shares that page.
        let at_end = self.device.kind() != FileKind::Regular && end == self.device.size().get();
        let to = if at_end { end } else { to };
        if from < to { (from, to - from) } else { (end, 0) }
    }

    fn write_zeros(&self, offset: u64, len: u64) -> Result<()> {
        write_repeated(&Plain(self), Bytes(offset), len, &ZEROS)
    }

    /// Has the device do something with a range, if it can: with the first of `modes` that it
    /// has. False if it has none, then nothing has happened.
    fn ask(&self, can: &AtomicBool, modes: &[FallocateFlags], at: u64, len: u64) -> Result<bool> {
        if len == 0 {
            return Ok(true);
        }
        if !can.load(Ordering::Relaxed) {
            return Ok(false);
        }
        for mode in modes {
            match fallocate(self.file(), *mode | FallocateFlags::KEEP_SIZE, at, len) {
                Ok(()) => return Ok(true),
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::NODEV) => {}
                Err(error) => return Err(failed(at, Some(error.raw_os_error()))),
            }
        }
        can.store(false, Ordering::Relaxed);
        Ok(false)
    }
}

/// What was written to the cache, and nobody has asked to be written out.
#[derive(Debug, Default)]
struct Dirty {
    /// From the first to the last byte.
    range: Range<u64>,
    bytes: u64,
}

impl Dirty {
    fn add(&mut self, offset: u64, len: u64) {
        let end = offset.saturating_add(len);
        let Range { start, end: before } = self.range;
        self.range = match self.bytes {
            0 => offset..end,
            _ => start.min(offset)..before.max(end),
        };
        self.bytes = self.bytes.saturating_add(len);
    }
}

impl WriteAt for TargetFile<'_> {
    fn end(&self) -> Option<Bytes> {
        match self.device.kind() {
            FileKind::Regular => None,
            FileKind::Block { .. } | FileKind::Other => Some(self.device.size()),
        }
    }

    fn write_at(&self, offset: Bytes, data: &[u8]) -> Result<()> {
        let known = usize::try_from(self.fresh.saturating_sub(offset.get())).unwrap_or(usize::MAX);
        let (old, fresh) = data.split_at_checked(known).unwrap_or((data, &[]));
        if !old.is_empty() {
            self.put(offset.get(), old)?;
        }
        self.put_sparsely(offset.get().saturating_add(old.len() as u64), fresh)
    }

    fn zero(&self, offset: Bytes, len: u64) -> Result<()> {
        let offset = offset.get();
        let len = len.min(self.fresh.saturating_sub(offset));
        let modes: &[_] = match self.device.kind() {
            FileKind::Regular => &[FallocateFlags::PUNCH_HOLE],
            FileKind::Block { .. } => &[FallocateFlags::ZERO_RANGE],
            FileKind::Other => return self.write_zeros(offset, len),
        };
        let (from, whole) = self.whole_units(offset, len);
        if whole == 0 || !self.ask(&self.zeroes, modes, from, whole)? {
            return self.write_zeros(offset, len);
        }
        self.write_zeros(offset, from - offset)?;
        let to = from.saturating_add(whole);
        self.write_zeros(to, offset.saturating_add(len).saturating_sub(to))
    }

    fn discard(&self, offset: Bytes, len: u64) -> Result<u64> {
        let offset = offset.get();
        let hidden = FallocateFlags::PUNCH_HOLE;
        let modes: &[_] = match self.device.kind() {
            FileKind::Regular => &[hidden],
            // A real discard, or else one that has to read as zeros: newer kernels have no other.
            FileKind::Block { .. } => &[hidden.union(FallocateFlags::NO_HIDE_STALE), hidden],
            FileKind::Other => return Ok(0),
        };
        let known = len.min(self.fresh.saturating_sub(offset));
        let (from, whole) = self.whole_units(offset, known);
        let gone = if self.ask(&self.discards, modes, from, whole)? { whole } else { 0 };
        // What has never been written is not there to be discarded.
        Ok(gone.saturating_add(len - known))
    }
}

/// Writes as they come, also of zeros.
struct Plain<'a>(&'a TargetFile<'a>);

impl WriteAt for Plain<'_> {
    fn end(&self) -> Option<Bytes> {
        self.0.end()
    }

    fn write_at(&self, offset: Bytes, data: &[u8]) -> Result<()> {
        self.0.put(offset.get(), data)
    }
}

/// How many bytes at the start of `data`, which belong at `at`, are whole blocks of zeros, or
/// else have none among them; and which of the two.
fn run(at: u64, data: &[u8]) -> (bool, usize) {
    let mut kind = None;
    let mut len = 0;
    // The first block may have begun before.
    let mut step = usize::try_from(BLOCK_LEN - at % BLOCK_LEN).unwrap_or(BLOCK);
    while len < data.len() {
        let block = &data[len..data.len().min(len.saturating_add(step))];
        let zeros = *block == ZEROS[..BLOCK];
        if *kind.get_or_insert(zeros) != zeros {
            break;
        }
        len += block.len();
        step = BLOCK;
    }
    (kind.unwrap_or(false), len)
}

static ZEROS: [u8; 16 * BLOCK] = [0; 16 * BLOCK];

/// The size of the page cache's pages.
fn page() -> u64 {
    (rustix::param::page_size() as u64).max(BLOCK_LEN)
}

fn failed(offset: u64, code: Option<i32>) -> Error {
    ErrorKind::Write(code.unwrap_or(0)).at(Place::Byte(Bytes(offset)))
}

#[cfg(test)]
mod tests;
