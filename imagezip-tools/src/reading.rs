//! Reading disks that are partly broken.

use std::sync::{Mutex, MutexGuard, PoisonError};

use imagezip_core::device::ReadAt;
use imagezip_core::error::{ErrorKind, Result};
use imagezip_core::extent::ExtentSet;
use imagezip_core::sector::{Bytes, SECTOR_BYTES, Sector, SectorCount, SectorRange};

/// A device of which sectors that can't be read are zeros.
#[derive(Debug)]
pub struct Forgiving<D> {
    device: D,
    bad: Mutex<ExtentSet>,
}

impl<D> Forgiving<D> {
    /// The device, which has shown no faults so far.
    pub const fn new(device: D) -> Self {
        Self { device, bad: Mutex::new(ExtentSet::new()) }
    }

    /// How many sectors could not be read, each counted once.
    pub fn bad_sectors(&self) -> SectorCount {
        self.bad().sector_count()
    }

    /// The first sector of the device that could not be read.
    pub fn first_bad_sector(&self) -> Option<Sector> {
        self.bad().as_slice().first().map(|extent| extent.start())
    }

    fn bad(&self) -> MutexGuard<'_, ExtentSet> {
        self.bad.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: ReadAt> ReadAt for Forgiving<D> {
    fn size(&self) -> Bytes {
        self.device.size()
    }

    /// Reads everything at once or, if that fails, sector by sector.
    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        match self.device.read_at(offset, buf) {
            Err(error) if matches!(error.kind, ErrorKind::Read(_)) => {}
            outcome => return outcome,
        }
        let mut bad = ExtentSet::new();
        let (mut at, mut rest) = (offset.get(), buf);
        while !rest.is_empty() {
            // Up to the end of the sector, in which the first part may not begin.
            let len = usize::try_from(SECTOR_BYTES - at % SECTOR_BYTES).unwrap_or(usize::MAX);
            let (part, after) = rest.split_at_mut(len.min(rest.len()));
            match self.device.read_at(Bytes(at), part) {
                Err(error) if matches!(error.kind, ErrorKind::Read(_)) => {
                    part.fill(0);
                    let sector = Sector::new(at / SECTOR_BYTES);
                    let one = SectorCount::from_u32(1);
                    bad.extend(sector.and_then(|sector| SectorRange::with_len(sector, one)));
                }
                outcome => outcome?,
            }
            at = at.saturating_add(part.len() as u64);
            rest = after;
        }
        let mut all = self.bad();
        *all = all.union(&bad);
        Ok(())
    }

    fn will_need(&self, offset: Bytes, len: u64) {
        self.device.will_need(offset, len);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use imagezip_core::error::Place;

    use super::*;

    /// Every byte is its sector's number; some sectors can't be read.
    struct Broken {
        sectors: u64,
        bad: &'static [u64],
        reads: AtomicU32,
    }

    impl ReadAt for Broken {
        fn size(&self) -> Bytes {
            Bytes(self.sectors * SECTOR_BYTES)
        }

        fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
            self.reads.fetch_add(1, Ordering::Relaxed);
            let end = offset.get() + buf.len() as u64;
            if end > self.size().get() {
                return Err(ErrorKind::Truncated.at(Place::Byte(offset)));
            }
            for (byte, at) in buf.iter_mut().zip(offset.get()..) {
                let sector = at / SECTOR_BYTES;
                if self.bad.contains(&sector) {
                    return Err(ErrorKind::Read(5).at(Place::Byte(offset)));
                }
                *byte = u8::try_from(sector).unwrap();
            }
            Ok(())
        }
    }

    fn broken(bad: &'static [u64]) -> Forgiving<Broken> {
        Forgiving::new(Broken { sectors: 20, bad, reads: AtomicU32::new(0) })
    }

    #[test]
    fn only_broken_sectors_are_zeros() {
        let device = broken(&[3, 4, 9]);
        let mut buf = vec![0xff; 11 * 512];
        // Neither begins nor ends with a sector.
        device.read_at(Bytes(100), &mut buf).unwrap();
        for (byte, at) in buf.iter().zip(100_u64..) {
            let sector = at / 512;
            let expected = if [3, 4, 9].contains(&sector) { 0 } else { sector };
            assert_eq!(u64::from(*byte), expected, "byte {at}");
        }
        // Counted once, however often it is read.
        device.read_at(Bytes(0), &mut buf).unwrap();
        assert_eq!(device.bad_sectors().get(), 3);
        assert_eq!(device.first_bad_sector(), Sector::new(3));
    }

    #[test]
    fn a_sound_device_is_read_as_it_is() {
        let device = broken(&[]);
        device.read_at(Bytes(0), &mut [0; 20 * 512]).unwrap();
        assert_eq!(device.device.reads.load(Ordering::Relaxed), 1);
        assert_eq!((device.bad_sectors(), device.first_bad_sector()), (SectorCount::ZERO, None));
        let error = device.read_at(Bytes(1), &mut [0; 20 * 512]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Truncated, "the end is no fault of the disk");
    }
}
