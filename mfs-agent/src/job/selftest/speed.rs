//! How fast the node's parts are.

use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use imagezip_core::codec::{Compressor, Level, Piece};
use imagezip_core::device::ReadAt;
use imagezip_core::digest::HashType;
use imagezip_core::pipeline::Workers;
use imagezip_core::sector::Bytes;

use crate::event::now;
use crate::progress::Progress;

/// As much as the engine works on at once.
const SAMPLE: usize = 256 << 10;
/// How much is read from a disk at once, and at most in all.
const READ: usize = 1 << 20;
const READ_LIMIT: u64 = 256 << 20;

/// What a save does with data.
#[derive(Clone, Copy)]
pub(super) enum Work {
    /// SHA-1.
    Hash,
    /// Compression, as images are compressed.
    Compress,
}

/// A number of bytes in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Speed {
    pub(super) bytes: u64,
    pub(super) time: Duration,
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = u128::from(self.bytes).saturating_mul(10_000_000) >> 20;
        let tenths = tenths.checked_div(self.time.as_micros()).unwrap_or(tenths);
        write!(f, "{}.{} MiB/s", tenths / 10, tenths % 10)
    }
}

/// Does `work` on all of `workers` for a time.
pub(super) fn measure(
    workers: &dyn Workers,
    work: Work,
    limit: Duration,
    progress: &Progress,
) -> Speed {
    let done = AtomicU64::new(0);
    let sample = sample();
    let step = u64::try_from(sample.len()).unwrap_or(0);
    let start = now();
    workers.run(&|_| {
        let mut compressor = Compressor::new(Level::default());
        let mut piece = Piece::new();
        loop {
            match work {
                Work::Hash => drop(core::hint::black_box(HashType::Sha1.digest(&sample))),
                Work::Compress => compressor.compress(&sample, &mut piece),
            }
            done.fetch_add(step, Ordering::Relaxed);
            progress.beat();
            if now().saturating_sub(start) >= limit {
                return;
            }
        }
    });
    Speed { bytes: done.load(Ordering::Relaxed), time: now().saturating_sub(start) }
}

/// Reads a disk from its start on for a time.
///
/// # Errors
/// That of the disk.
pub(super) fn read(device: &dyn ReadAt, limit: Duration) -> imagezip_core::Result<Speed> {
    let mut buffer = alloc::vec![0; READ];
    let end = device.size().get().min(READ_LIMIT);
    let start = now();
    let mut at = 0_u64;
    while at < end && (at == 0 || now().saturating_sub(start) < limit) {
        let len = usize::try_from(end.saturating_sub(at)).unwrap_or(READ).min(READ);
        device.read_at(Bytes(at), buffer.get_mut(..len).unwrap_or_default())?;
        at = at.saturating_add(u64::try_from(len).unwrap_or(0));
    }
    Ok(Speed { bytes: at, time: now().saturating_sub(start) })
}

/// Random hexadecimal digits: compressing halves them, about as it does with a system's files.
fn sample() -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let digit = || {
        // Marsaglia's xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from_digit(u32::try_from(state & 15).unwrap_or(0), 16)
            .map_or(b'0', |digit| digit as u8)
    };
    core::iter::repeat_with(digit).take(SAMPLE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use imagezip_core::pipeline::SingleThread;
    use std::string::ToString;
    use std::vec;

    #[test]
    fn speeds_are_bytes_in_a_time() {
        let speed = |bytes, time| Speed { bytes, time }.to_string();
        assert_eq!(speed(1 << 20, Duration::from_secs(1)), "1.0 MiB/s");
        assert_eq!(speed(3 << 19, Duration::from_secs(1)), "1.5 MiB/s");
        assert_eq!(speed(256 << 20, Duration::from_millis(500)), "512.0 MiB/s");
        assert!(speed(u64::MAX, Duration::ZERO).ends_with(" MiB/s"));
    }

    #[test]
    fn a_sample_compresses_to_about_a_half() {
        let mut piece = Piece::new();
        Compressor::new(Level::default()).compress(&sample(), &mut piece);
        let percent = piece.deflate().len() * 100 / SAMPLE;
        assert!((40..70).contains(&percent), "{percent}");
    }

    #[test]
    fn work_is_counted() {
        let progress = Progress::new();
        for work in [Work::Hash, Work::Compress] {
            let speed = measure(&SingleThread, work, Duration::ZERO, &progress);
            assert_eq!(speed.bytes, 256 << 10);
        }
        assert_eq!(progress.snapshot().beats, 2);
        let disk = vec![0_u8; (1 << 20) + 512];
        assert_eq!(read(&disk, Duration::from_mins(1)).unwrap().bytes, (1 << 20) + 512);
        assert_eq!(read(&disk, Duration::ZERO).unwrap().bytes, 1 << 20);
    }
}
