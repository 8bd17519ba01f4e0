//! What a run is for.

pub mod idle;
pub mod selftest;
pub mod swapout;
