//! `/proj`: the file server's directory of projects, and the node's files in it.

pub mod commit;
pub mod credentials;
pub mod image;
pub mod mount;
pub mod swapinfo;
