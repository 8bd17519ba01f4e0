//! Nodes in a testbed's network of their own: DHCP, DNS, file servers and boss.
#![expect(clippy::panic_in_result_fn, reason = "a test fails by panicking")]

mod boss;
mod network;
mod selftest;
