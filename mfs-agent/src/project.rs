//! `/proj` and `/groups`: the file servers' directories, and the node's files in them.

pub mod commit;
pub mod credentials;
pub mod image;
pub mod mount;
pub mod ownership;
pub mod patience;
pub mod stored;
pub mod swapinfo;
pub mod tree;
