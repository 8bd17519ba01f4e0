//! What a run is for.

mod base;
pub mod idle;
pub mod selftest;
mod session;
pub mod swapin;
pub mod swapout;

pub use session::Host;
