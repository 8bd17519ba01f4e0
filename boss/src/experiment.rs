//! Experiments: what may be done with them, and their directories.

pub mod directories;
pub mod manage;
pub mod swaps;
