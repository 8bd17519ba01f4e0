//! What one thread does: the classic program's codec, and SHA-1.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use imagezip_core::digest::HashType;

use crate::codecs;
use crate::measure::{Measure, timed};

/// About what one chunk of the classic program holds.
const CHUNK: usize = 3 << 20;

/// Adds, if zlib is there, `zlib-compress`, `zlib-inflate` and `zlib-inflate-hash`.
/// Of all chunks those are taken whose number is `part` modulo `parts`.
pub(super) fn measure(
    data: &[u8],
    part: usize,
    parts: usize,
    limits: &mut BTreeMap<&'static str, Measure>,
) -> Result<()> {
    let Some(mut zlib) = codecs::zlib(4) else { return Ok(()) };
    let chunks: Vec<_> = data.chunks(CHUNK).skip(part).step_by(parts.max(1)).collect();
    let bytes = chunks.iter().map(|chunk| chunk.len() as u64).sum();

    let (time, streams) =
        timed(|| chunks.iter().map(|chunk| zlib.compress(chunk)).collect::<Result<Vec<_>>>())?;
    let size = streams.iter().map(|stream| stream.len() as u64).sum();
    limits.insert("zlib-compress", Measure::new(time, bytes, size));

    let mut out = vec![0; CHUNK];
    let mut inflating = Duration::ZERO;
    let mut hashing = Duration::ZERO;
    for (stream, chunk) in streams.iter().zip(&chunks) {
        let start = Instant::now();
        zlib.inflate(stream, &mut out[..chunk.len()])?;
        let inflated = Instant::now();
        std::hint::black_box(HashType::Sha1.digest(&out[..chunk.len()]));
        inflating += inflated - start;
        hashing += inflated.elapsed();
        anyhow::ensure!(out[..chunk.len()] == **chunk, "zlib gives other data back");
    }
    limits.insert("zlib-inflate", Measure::new(inflating, size, bytes));
    limits.insert("zlib-inflate-hash", Measure::new(inflating + hashing, size, bytes));
    Ok(())
}
