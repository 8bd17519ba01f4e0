//! What is done with every byte of a disk: compressing, decompressing, comparing.
//!
//! Deflate and inflate (RFC 1951) are made for data that are in memory as a whole. What is compressed is a
//! [`Piece`]: it refers to no byte outside itself, ends at a byte's bound and can be cut where its blocks
//! end; [`inflate`] waits for no input. Nothing here knows images: `codec` in `imagezip-core` makes
//! streams of pieces, and checks them.
//!
//! A crate of its own because saves and loads spend their time here: it is optimized for speed, and
//! the crates around it for size.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::indexing_slicing))]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod adler;
mod compress;
mod deflate;
pub mod fingerprint;
pub mod inflate;
mod piece;
mod zeros;

pub use adler::Adler32;
pub use compress::{Compressor, Level, max_compressed_len};
pub use piece::Piece;
pub use zeros::is_zero;
