//! Nodes with other hardware: the image `all` finds its drivers, whatever the machine has.
//!
//! Three boots prove all rows; each saves its disk over another kind of controller and network
//! card and is compared with what the host's tool makes of the same disk.
#![expect(clippy::panic_in_result_fn, reason = "a test fails by panicking")]

mod aliases;
mod large_sectors;
mod machines;
