//! Reading again what failed.

use std::thread;
use std::time::Duration;

use imagezip_core::device::ReadAt;
use imagezip_core::error::{ErrorKind, Result};
use imagezip_core::sector::Bytes;

/// How long to wait before a read that failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// A device of which reads that fail are tried again, a second later: a file server may be back
/// by then.
#[derive(Clone, Copy, Debug)]
pub struct Retrying<D> {
    device: D,
    retries: u32,
}

impl<D> Retrying<D> {
    /// The device, of which each read is tried `retries` times more if it fails.
    pub const fn new(device: D, retries: u32) -> Self {
        Self { device, retries }
    }
}

impl<D: ReadAt> ReadAt for Retrying<D> {
    fn size(&self) -> Bytes {
        self.device.size()
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        for _ in 0..self.retries {
            match self.device.read_at(offset, buf) {
                Err(error) if matches!(error.kind, ErrorKind::Read(_)) => thread::sleep(PAUSE),
                outcome => return outcome,
            }
        }
        self.device.read_at(offset, buf)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Fails so many times.
    struct Failing(AtomicU32, ErrorKind);

    impl ReadAt for Failing {
        fn size(&self) -> Bytes {
            Bytes(0)
        }

        fn read_at(&self, _: Bytes, _: &mut [u8]) -> Result<()> {
            match self.0.fetch_sub(1, Ordering::Relaxed) {
                0 => Ok(()),
                _ => Err(self.1.clone().into()),
            }
        }
    }

    fn read(failures: u32, kind: ErrorKind) -> (Result<()>, u32) {
        let device = Retrying::new(Failing(AtomicU32::new(failures), kind), 1);
        let outcome = device.read_at(Bytes(0), &mut []);
        (outcome, device.device.0.into_inner())
    }

    #[test]
    fn only_failures_to_read_are_tried_again() {
        assert_eq!(read(1, ErrorKind::Read(5)).0, Ok(()));
        assert_eq!(read(2, ErrorKind::Read(5)), (Err(ErrorKind::Read(5).into()), 0));
        assert_eq!(read(2, ErrorKind::Truncated), (Err(ErrorKind::Truncated.into()), 1));
    }
}
