//! imagedelta, imageundelta, imagerezip and imagerebase, called as people and scripts call them.
//!
//! What they make is read by a reader that knows no deltas: chunk by chunk, over what is there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod chains;
mod imagedelta;
mod imagerezip;
mod imageundelta;
mod model;
mod vast;
