//! The control server: it knows images, signatures and experiments, has nodes save and load their
//! disks, and watches them.

pub mod cli;
pub mod config;
pub mod db;
pub mod experiment;
pub mod files;
pub mod image;
pub mod layout;
pub mod names;
pub mod swap;
pub mod swapinfo;
