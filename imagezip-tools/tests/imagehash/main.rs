//! imagehash as people and scripts call it, on images, files, disk images and loop devices.
//!
//! What it makes is compared with what the reference programs made (tests/golden), or with what
//! programs of the system say.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bench;
mod checks;
mod consistency;
#[path = "../imageunzip/golden.rs"]
mod golden;
mod places;
mod signatures;
