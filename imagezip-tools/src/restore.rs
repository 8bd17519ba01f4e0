//! What `imagerestore` does: a saved disk, as the agent loads it, on the host.
//!
//! [`files`] are the images with what belongs to them, [`work`] loads them.

pub mod files;
pub mod work;
