//! Files and disks inside of images: `imagefs` and `imagenbd` against the kernel, e2fsprogs, mtools
//! and qemu. Mounting needs root.
#![expect(clippy::panic_in_result_fn, reason = "a test fails by panicking")]

mod bench;
mod client;
mod damage;
mod differences;
mod export;
mod fat;
mod files;
mod hostile_clients;
mod snapshot;
