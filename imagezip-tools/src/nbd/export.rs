//! What clients read.

use imagezip_core::device::ReadAt;
use imagezip_core::error::Result;
use imagezip_core::extent::ExtentSet;
use imagezip_core::sector::{Bytes, SECTOR_BYTES, Sector, SectorRange};

/// A device, and which of its sectors are held; all others read as zeros.
pub struct Export<'a> {
    device: &'a dyn ReadAt,
    held: ExtentSet,
}

/// A part of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The position of its first byte.
    pub start: u64,
    /// How many bytes it has.
    pub len: u64,
    /// Whether it is held, and not a hole.
    pub held: bool,
}

impl<'a> Export<'a> {
    /// All of `device`, of which the sectors of `held` are not holes.
    pub fn new(device: &'a dyn ReadAt, held: ExtentSet) -> Self {
        Self { device, held }
    }

    /// The size in bytes.
    pub fn size(&self) -> u64 {
        self.device.size().get()
    }

    /// Whether all bytes from `start` on are in the export, `len` of them and at least one.
    pub fn contains(&self, start: u64, len: u32) -> bool {
        len > 0 && start.checked_add(len.into()).is_some_and(|end| end <= self.size())
    }

    /// Fills `buf` with the bytes from `start` on.
    ///
    /// # Errors
    /// As [`ReadAt::read_at`].
    pub fn read(&self, start: u64, buf: &mut [u8]) -> Result<()> {
        self.device.read_at(Bytes(start), buf)
    }

    /// The parts of `len` bytes from `start` on, in order.
    pub fn runs(&self, start: u64, len: u64) -> impl Iterator<Item = Run> + '_ {
        let end = start.saturating_add(len);
        let first = Sector::new(start / SECTOR_BYTES).unwrap_or(Sector::MAX);
        let last = Sector::new(end.div_ceil(SECTOR_BYTES)).unwrap_or(Sector::MAX);
        let touched = SectorRange::new(first, last).unwrap_or(SectorRange::EMPTY);
        let mut held = self.held.within(touched).peekable();
        let mut at = start;
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let next = held.peek().map(|range| {
                let bytes = |sector: Sector| sector.to_bytes().get().clamp(start, end);
                (bytes(range.start()), bytes(range.end()))
            });
            let (stop, is_held) = match next {
                Some((from, to)) if from <= at => {
                    held.next();
                    (to, true)
                }
                Some((from, _)) => (from, false),
                None => (end, false),
            };
            let run = Run { start: at, len: stop.saturating_sub(at), held: is_held };
            at = stop;
            Some(run)
        })
    }
}
