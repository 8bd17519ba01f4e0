//! Disk images without an operating system: what is in use on a disk, and how it is stored.
//!
//! Everything here works on bytes and sectors. It knows no path, clock or process, and it meets
//! hostile input everywhere: a disk, an image or a signature may hold anything. So nothing here
//! panics, loops without bound or allocates without bound; what is wrong becomes an [`Error`]
//! that says what and where.
//!
//! A save reads, from the top: [`allocation`] (which sectors are in use), [`delta`] (which of them
//! differ from the base image), [`pipeline`] (read, hash and compress them on all CPUs) and
//! [`ndz`] (the image file). A restore begins with [`restore`] (what comes from which image). docs/format.md states the file formats.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::indexing_slicing))]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod allocation;
pub mod buffer;
pub mod codec;
pub mod delta;
pub mod device;
pub mod digest;
pub mod error;
pub mod extent;
pub mod filesystem;
pub mod layers;
pub mod ndz;
pub mod overlay;
pub mod partition;
pub mod pipeline;
pub mod relocation;
pub mod restore;
pub mod sector;
pub mod signature;
pub mod swapinfo;

mod layout;
#[cfg(test)]
mod od;
mod stream;

pub use error::{Error, Result};
pub use imagezip_bytes::fingerprint;
