//! Images, signatures and deltas of disks and files, on a host with std.
//!
//! The work is done by `imagezip-core`; this crate gives it files, threads and paths.

#[macro_use]
mod say;

pub mod browse;
pub mod chain;
pub mod commands;
pub mod create;
pub mod dump;
pub mod hash;
pub mod host;
pub mod keys;
pub mod load;
pub mod nbd;
pub mod output;
pub mod partition;
pub mod progress;
pub mod reading;
pub mod restore;
pub mod signals;
pub mod signing;
pub mod target;
pub mod unzip;

mod unfinished;
