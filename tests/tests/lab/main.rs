//! Nodes with several cards on networks of ours, and nodes that only look at themselves.
//!
//! Networks need root; without it those tests pass with a message. Consoles are in
//! target/tests/qemu.
#![expect(clippy::panic_in_result_fn, reason = "a test fails by panicking")]

mod network;
mod selftest;
