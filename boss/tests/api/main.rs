//! The REST interface, by HTTP: who may do what, and what becomes of requests that make no sense.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, unreachable_pub, reason = "all tests share it, and each uses a part")]
#[path = "../support/mod.rs"]
mod support;

mod access;
mod client;
mod experiments;
mod hostile;
mod state_saving;
