//! The control server: it knows images, signatures and experiments, has nodes save and load their
//! disks, and watches them.

pub mod config;
pub mod db;
pub mod files;
pub mod layout;
pub mod names;
pub mod swap;
pub mod swapinfo;
