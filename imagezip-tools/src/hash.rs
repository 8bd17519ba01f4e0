//! Signatures of images and files, and disks compared with them: what `imagehash` does.

mod consistency;
mod device;
mod findings;
mod show;
pub mod signature_file;
mod subject;

pub use crate::chain::signature::path_of;
pub use consistency::{Consistency, compare};
pub use device::Disk;
pub use findings::{Bytes, Findings, Stretch};
pub use show::{Columns, dump, report};
pub use signature_file::{Age, age, read};
pub use subject::Subject;
