//! imageunzip as people and scripts call it, on files, disk images, loop devices and pipes.
//!
//! What it makes is compared with what the reference programs made (tests/golden), or checked by
//! programs of the system.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bench;
mod checks;
mod converge;
mod devices;
mod files;
mod golden;
mod partitions;
mod streams;
