//! NFS servers for guests: one in this process that can be told to misbehave, and one that knows
//! users and permissions (nfs-ganesha).

pub mod export;
pub mod faults;
pub mod ganesha;
pub mod handles;
pub mod namespace;
pub mod server;
pub mod vfs;

pub use faults::{Faults, Operation, Refusal, Revoked, Statistics};
pub use ganesha::{Export, Ganesha, Setup, Squash, Versions};
pub use server::Server;
