//! The agent's client of tmcd against a server over real sockets, which answers as boss does or
//! misbehaves: what a node is told, replies, transport, redirections, and how the end of a run is
//! reported.
#![expect(clippy::panic_in_result_fn, reason = "a test fails by panicking")]

mod assignment;
mod common;
mod end;
mod misbehaviour;
mod redirect;
mod replies;
mod transport;
