//! Disk images: `.ndz` files (docs/format.md, "Image file").
//!
//! An image is a sequence of chunks of 1 MiB. Each holds some regions of the disk, compressed, and
//! says which other sectors around them are not in the image. [`Image`] reads versions 1 to 5,
//! [`ImageWriter`] writes those of [`Format`].

mod builder;
mod chunk;
mod emit;
mod format;
mod header;
mod reader;
mod region;
mod reloc;
mod seal;
mod width;
mod writer;

#[cfg(test)]
mod tests;

pub use builder::{ChunkBuilder, Pushed};
pub use chunk::Chunk;
pub use format::Format;
pub use header::{ChunkHeader, Version};
pub use reader::{ChunkBuffer, Chunks, Headers, Image};
pub use region::Regions;
pub use reloc::{Reloc, RelocType, Relocs};
pub use seal::{ChecksumType, Cipher, Keys, NoKeys, Seal};
pub use writer::{ChunkMap, ImageWriter, Written};

/// The size of every chunk of an image file.
pub const CHUNK_BYTES: usize = 0x10_0000;

/// The size of a chunk's header area; the payload begins after it.
pub const HEADER_BYTES: usize = 4096;

/// The most bytes of compressed data in a chunk.
pub const PAYLOAD_MAX: usize = CHUNK_BYTES - HEADER_BYTES;

/// The most data that are compressed in one piece for an image.
pub const PIECE_MAX: usize = 256 * 1024;
