//! imagezip, called as people and scripts call it.
//!
//! The disks are made by sfdisk, mkfs and the kernel; what is in an image is found by loading it
//! over a disk that is full of something else.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bench;
mod deltas;
mod disks;
mod formats;
mod large_sectors;
mod pipes;
mod refusals;
mod selection;
mod signals;
mod signatures;
mod signs;
mod troubles;
