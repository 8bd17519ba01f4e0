//! Experiments: what may be done with them, and their directories.

pub mod directories;
pub mod manage;
pub mod overview;
pub mod places;
pub mod swaps;
