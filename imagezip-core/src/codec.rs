//! The zlib streams of image chunks (docs/format.md, "Payload").
//!
//! One chunk holds one stream, but it is compressed in pieces, so that CPUs can share the work:
//! a piece refers to no byte outside itself and ends at a byte's bound, so pieces can be put one
//! after another in any number. A stream is [`STREAM_START`], pieces, and [`stream_end`].

mod decompress;
mod second;

#[cfg(test)]
mod tests;

pub use decompress::{Decompress, Decompressor};
pub use imagezip_bytes::inflate::WINDOW;
pub use imagezip_bytes::{Adler32, Compressor, Level, Piece, max_compressed_len};
pub use second::SecondDecompressor;

/// The first bytes of every stream that is written here: deflate with a window of 32 KiB.
pub const STREAM_START: [u8; 2] = [0x78, 0x5e];

/// The length of [`STREAM_START`] and of [`stream_end`].
pub const STREAM_OVERHEAD: usize = 8;

/// The bytes after the last piece: an empty last block, and the checksum of all data.
pub fn stream_end(adler: Adler32) -> [u8; 6] {
    let [a, b, c, d] = adler.get().to_be_bytes();
    [0x03, 0x00, a, b, c, d]
}
