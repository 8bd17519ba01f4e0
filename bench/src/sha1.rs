//! SHA-1 on one core, as `openssl speed` measures it.

use std::time::{Duration, Instant};

use imagezip_core::digest::HashType;

use crate::measure::Measure;

/// What is hashed at once; it stays in the CPU's first cache.
const HASHED: usize = 16 << 10;
/// How long.
const HASHING: Duration = Duration::from_secs(1);

/// Hashes for a second.
pub(crate) fn run() -> Measure {
    let buffer = vec![0x5a; HASHED];
    let start = Instant::now();
    let mut bytes = 0;
    while start.elapsed() < HASHING {
        for _ in 0..64 {
            std::hint::black_box(HashType::Sha1.digest(std::hint::black_box(&buffer)));
            bytes += buffer.len() as u64;
        }
    }
    Measure::new(start.elapsed(), bytes, 0)
}
