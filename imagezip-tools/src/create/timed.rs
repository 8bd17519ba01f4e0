//! How long a disk is read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use imagezip_core::device::ReadAt;
use imagezip_core::error::Result;
use imagezip_core::sector::Bytes;

/// A device that knows how long it was read.
pub(super) struct Timed<'a> {
    device: &'a dyn ReadAt,
    nanoseconds: AtomicU64,
}

impl<'a> Timed<'a> {
    /// The device, which nobody has read so far.
    pub(super) fn new(device: &'a dyn ReadAt) -> Self {
        Self { device, nanoseconds: AtomicU64::new(0) }
    }

    /// How long the device was read, all threads together.
    pub(super) fn time(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }
}

impl ReadAt for Timed<'_> {
    fn size(&self) -> Bytes {
        self.device.size()
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        let start = Instant::now();
        let outcome = self.device.read_at(offset, buf);
        let took = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(took, Ordering::Relaxed);
        outcome
    }

    fn will_need(&self, offset: Bytes, len: u64) {
        self.device.will_need(offset, len);
    }

    fn gap(&self) -> Bytes {
        self.device.gap()
    }
}
