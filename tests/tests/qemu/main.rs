//! End to end: a node boots the MFS in QEMU and saves its disk over NFS, and what can go wrong
//! goes wrong.
//!
//! Each test has its own directory, server and guests, in target/tests/qemu; what the guests
//! said stays there. The disk, the base image and the boot image are made once for all.
#![expect(clippy::panic_in_result_fn, reason = "a test fails by panicking")]

mod capture;
mod cutoff;
mod disks;
mod end;
mod full;
mod load;
mod mounts;
mod own_engine;
mod refusal;
mod save;
mod server;
mod swapin;
mod swapin_cutoff;
mod swapin_partition;
mod users;
