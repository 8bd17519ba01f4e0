//! The control server: what it knows of experiments and tells their nodes.
//!
//! So far it can put a node's swap information in place; the server itself comes later
//! (README, "Limits").

pub mod swapinfo;
