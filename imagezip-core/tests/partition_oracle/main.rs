//! Partition tables that are changed, against the programs that people change them with.
//!
//! sfdisk and sgdisk make the disks, and judge what became of them.

mod boot;
mod edit;
mod identity;
mod large_sectors;
mod resize;
mod tools;
