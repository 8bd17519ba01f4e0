//! What `imageunzip` does: images into disks, files and pipes.
//!
//! [`source`] is where the image comes from, [`destination`] where its data go, [`loading`] and
//! [`streaming`] are the two ways in which they go there.

pub mod cksum;
pub mod destination;
pub mod loading;
pub mod meter;
pub mod report;
pub mod source;
pub mod streaming;
