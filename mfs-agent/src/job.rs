//! What a run is for.

pub mod idle;
pub mod swapout;
