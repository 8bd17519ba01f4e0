//! The disk that is read, with its faults.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use imagezip_core::device::ReadAt;
use imagezip_core::error::{ErrorKind, Result};
use imagezip_core::extent::ExtentSet;
use imagezip_core::sector::{Bytes, SECTOR_BYTES, Sector, SectorCount, SectorRange};

/// A device of which sectors that can't be read may read as zeros. It also knows how long it was
/// read.
#[derive(Debug)]
pub struct Tolerant<D> {
    device: D,
    tolerant: bool,
    nanoseconds: AtomicU64,
    lost: Mutex<ExtentSet>,
}

impl<D: ReadAt> Tolerant<D> {
    /// The device; with `tolerant`, what can't be read is zeros.
    pub fn new(device: D, tolerant: bool) -> Self {
        let (nanoseconds, lost) = (AtomicU64::new(0), Mutex::new(ExtentSet::new()));
        Self { device, tolerant, nanoseconds, lost }
    }

    /// How long the device was read, all threads together.
    pub fn time(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }

    /// How many sectors read as zeros because they can't be read.
    pub fn lost(&self) -> SectorCount {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).sector_count()
    }

    /// Reads sector by sector, each once; those that fail are zeros.
    fn read_piecemeal(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        let mut lost = Vec::new();
        let mut at = offset.get();
        let mut rest = buf;
        while !rest.is_empty() {
            // Reads need not begin or end with a sector.
            let in_sector = SECTOR_BYTES - at % SECTOR_BYTES;
            let len = usize::try_from(in_sector).unwrap_or(usize::MAX).min(rest.len());
            let (piece, after) = rest.split_at_mut(len);
            match self.device.read_at(Bytes(at), piece) {
                Err(error) if matches!(error.kind, ErrorKind::Read(_)) => {
                    piece.fill(0);
                    let sector = Sector::new(at / SECTOR_BYTES);
                    let one = SectorCount::from_u32(1);
                    lost.extend(sector.and_then(|sector| SectorRange::with_len(sector, one)));
                }
                outcome => outcome?,
            }
            at = at.saturating_add(len as u64);
            rest = after;
        }
        let lost = ExtentSet::from_unsorted(lost);
        let mut all = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        *all = all.union(&lost);
        Ok(())
    }
}

impl<D: ReadAt> ReadAt for Tolerant<D> {
    fn size(&self) -> Bytes {
        self.device.size()
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        let start = Instant::now();
        let outcome = match self.device.read_at(offset, buf) {
            Err(error) if self.tolerant && matches!(error.kind, ErrorKind::Read(_)) => {
                self.read_piecemeal(offset, buf)
            }
            outcome => outcome,
        };
        let took = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(took, Ordering::Relaxed);
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imagezip_core::error::Place;

    /// Ten sectors of 0xff, of which these can't be read.
    struct Faulty(&'static [u64]);

    impl ReadAt for Faulty {
        fn size(&self) -> Bytes {
            Bytes(10 * SECTOR_BYTES)
        }

        fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
            let end = offset.get() + buf.len() as u64;
            let touched = offset.get() / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES);
            if self.0.iter().any(|bad| touched.contains(bad)) {
                return Err(ErrorKind::Read(5).at(Place::Byte(offset)));
            }
            buf.fill(0xff);
            Ok(())
        }
    }

    #[test]
    fn only_the_sectors_that_fail_are_lost() {
        let device = Tolerant::new(Faulty(&[3, 7]), true);
        let mut buf = vec![0; 9 * 512];
        device.read_at(Bytes(512), &mut buf).unwrap();
        for (sector, bytes) in (1..).zip(buf.chunks(512)) {
            let expected = if [3, 7].contains(&sector) { 0 } else { 0xff };
            assert!(bytes.iter().all(|byte| *byte == expected), "{sector}");
        }
        assert_eq!(device.lost().get(), 2);
        // They are counted once.
        let mut part = [1; 100];
        device.read_at(Bytes(3 * 512 + 450), &mut part).unwrap();
        assert_eq!((part[61], part[62]), (0, 0xff));
        assert_eq!(device.lost().get(), 2);
    }

    #[test]
    fn otherwise_a_fault_is_an_error() {
        let device = Tolerant::new(Faulty(&[3]), false);
        assert!(device.read_at(Bytes(0), &mut [0; 5 * 512]).is_err());
        assert_eq!(device.lost().get(), 0);
    }
}
