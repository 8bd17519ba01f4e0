//! Checking the data of chunks: checksums, and whether they decompress.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use imagezip_core::codec::Decompressor;
use imagezip_core::device::ReadAt;
use imagezip_core::error::{ErrorKind, Place};
use imagezip_core::ndz::{CHUNK_BYTES, ChunkBuffer, ChunkHeader, HEADER_BYTES, Image, Keys};
use imagezip_core::pipeline::Workers;
use imagezip_core::sector::Bytes;

use crate::host::Threads;

/// Checks the data of chunks on all CPUs.
pub(super) fn check_all(
    chunks: &[Vec<u8>],
    keys: &dyn Keys,
    workers: Threads,
) -> Vec<Result<(), ErrorKind>> {
    let next = AtomicUsize::new(0);
    let findings: Vec<_> = chunks.iter().map(|_| OnceLock::new()).collect();
    workers.run(&|_| {
        let (mut decompressor, mut buffer) = (Decompressor::new(), ChunkBuffer::new());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let place = chunks.get(number).zip(findings.get(number));
            let Some((chunk, finding)) = place else { return };
            let found = check_data(chunk, keys, &mut decompressor, &mut buffer);
            finding.get_or_init(|| found);
        }
    });
    findings.into_iter().map(|finding| finding.into_inner().unwrap_or(Ok(()))).collect()
}

/// Checks a chunk's checksum and decompresses its data. A fault in the header is none here.
fn check_data(
    chunk: &[u8],
    keys: &dyn Keys,
    decompressor: &mut Decompressor,
    buffer: &mut ChunkBuffer,
) -> Result<(), ErrorKind> {
    let header = chunk.first_chunk::<HEADER_BYTES>().map(ChunkHeader::new);
    let Some(Ok(header)) = header else { return Ok(()) };
    let alone = Alone::new(chunk, &header);
    let result = Image::open_with(&alone, keys).and_then(|image| {
        image.chunk(header.number(), buffer)?.decode(decompressor, &mut |_, _| Ok(()))
    });
    result.map_err(|error| error.kind)
}

/// A file that has only one chunk, at the place where its header says it is.
struct Alone<'a> {
    chunk: &'a [u8],
    number: u64,
    size: u64,
}

impl<'a> Alone<'a> {
    fn new(chunk: &'a [u8], header: &ChunkHeader<'_>) -> Self {
        let number = u64::from(header.number());
        // Only version 1 says how many chunks there are.
        let total = if header.version().has_bounds() { 0 } else { u64::from(header.total()) };
        Self { chunk, number, size: total.max(number + 1) }
    }
}

impl ReadAt for Alone<'_> {
    fn size(&self) -> Bytes {
        Bytes(self.size * CHUNK_BYTES as u64)
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> imagezip_core::Result<()> {
        let start = offset.get().checked_sub(self.number * CHUNK_BYTES as u64);
        let truncated = ErrorKind::Truncated.at(Place::Byte(offset));
        self.chunk.read_at(Bytes(start.ok_or(truncated)?), buf)
    }
}
