//! Experiments on the file system.

pub mod directories;
