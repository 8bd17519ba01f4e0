//! Images made of images: deltas between them, deltas on top of each other, the same in another
//! form.
//!
//! All of it is a save (`imagezip_core::pipeline`) of a device that images make
//! (`imagezip_core::layers`): [`Inputs`] opens them, [`selection`] and [`comparison`] say which
//! sectors are wanted and which of them are known already, and [`Made`] is the result on its way
//! into a file, with its signature beside it.

pub mod comparison;
pub mod delta;
pub mod full;
mod inputs;
mod made;
mod options;
pub mod report;
pub mod selection;
pub mod signature;

pub use inputs::{Inputs, Stack};
pub use made::{Made, Signed, Work, make};
pub use options::Options;
