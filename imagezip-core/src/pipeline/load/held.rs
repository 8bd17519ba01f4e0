//! A chunk's data, kept until they are used.

use alloc::vec::Vec;
use core::ops::Range;

use crate::error::Result;
use crate::ndz::ChunkHeader;
use crate::sector::Bytes;

/// The most data of a chunk that are kept. Those of a chunk that holds more are decompressed
/// again when they are used.
const MAX: u64 = 4 << 20;

/// Data and where they belong, in ascending order.
#[derive(Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    /// Where each part of `bytes` belongs.
    parts: Vec<(Bytes, Range<usize>)>,
}

impl Held {
    /// Whether all data of a chunk may be kept.
    pub(super) fn has_room(header: &ChunkHeader<'_>) -> bool {
        header.sector_count().to_bytes().get() <= MAX
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.parts.clear();
    }

    /// Keeps `data`, which belong at `at`.
    pub(super) fn push(&mut self, at: Bytes, data: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(data);
        self.parts.push((at, start..self.bytes.len()));
    }

    /// Gives everything to `sink`, as it came.
    ///
    /// # Errors
    /// The error that `sink` returns.
    pub(super) fn give(&self, sink: &mut dyn FnMut(Bytes, &[u8]) -> Result<()>) -> Result<()> {
        self.parts.iter().try_for_each(|(at, range)| {
            sink(*at, self.bytes.get(range.clone()).unwrap_or_default())
        })
    }
}
