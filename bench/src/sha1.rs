//! SHA-1 on one core, as `openssl speed` measures it.

use std::time::{Duration, Instant};

use anyhow::Result;
use imagezip_core::digest::HashType;

use crate::measure::{Measure, cpu_timed};

/// What is hashed at once; it stays in the CPU's first cache.
const HASHED: usize = 16 << 10;
/// How long.
const HASHING: Duration = Duration::from_secs(1);

/// Hashes for about a second. CPU time counts, as it does for `openssl speed`.
pub(crate) fn run() -> Result<Measure> {
    let buffer = vec![0x5a; HASHED];
    let start = Instant::now();
    let (time, bytes) = cpu_timed(|| {
        let mut bytes = 0;
        while start.elapsed() < HASHING {
            for _ in 0..64 {
                std::hint::black_box(HashType::Sha1.digest(std::hint::black_box(&buffer)));
                bytes += buffer.len() as u64;
            }
        }
        Ok(bytes)
    })?;
    Ok(Measure::new(time, bytes, 0))
}
