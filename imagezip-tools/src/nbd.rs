//! A device for others to read, over the protocol of the Network Block Device (NBD).
//!
//! The server knows the "fixed newstyle" handshake with one export, without a name, which can only
//! be read; structured replies; and which parts are held by no image (`base:allocation`), so that
//! copies of it are sparse. The facts about the protocol are from its specification (the NBD
//! project's `doc/proto.md`).
//!
//! Clients may be hostile: what they send is of bounded length, memory for one is bounded, and
//! whatever is wrong ends their own connection.

pub mod export;
mod handshake;
mod protocol;
pub mod server;
mod transmission;

#[cfg(test)]
mod tests;

pub use export::Export;
pub use server::{Server, serve};
