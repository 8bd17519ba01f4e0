//! Files inside images, without loading the images: what `imagefs` does.
//!
//! Images on top of each other are one device (`imagezip_core::layers`); a [`disk`] finds the
//! file systems on it, a [`Volume`] is one of them, and [`list`], [`copy`] and [`diff`] are what
//! is done with its files. Everything that is read may be hostile: trees are walked with a limit
//! of depth, and no directory is entered twice.

pub mod copy;
pub mod diff;
pub mod disk;
mod fat;
mod find;
pub mod list;
mod output;
pub mod place;
pub mod text;
pub mod time;
pub mod volume;
mod walk;
pub mod whole;

pub use disk::Disk;
pub use output::{Output, Troubles};
pub use place::Place;
pub use volume::{Node, Volume};
pub use whole::Whole;
