//! tmcd, the service that tells nodes who they are and what to do, and takes note of how they do.
//!
//! A request is one line of ASCII on a connection of its own; who asks is known by the address that
//! it comes from. The reply is text; actions, and whatever goes wrong, are answered with nothing.
//!
//! Any program on a node can say things here in the node's name. So what decides about a run counts
//! only with the key that boss gave to that very boot of the node ([`crate::boot::Key`]).

mod replies;
mod request;
mod server;

pub use request::Request;
pub use server::{Bound, bind, serve};
