//! The machinery behind `cargo xtask`: the MFS image, QEMU guests and their network, NFS servers,
//! boss' tmcd, packages.
//!
//! The commands are thin and live in the binary (`commands/`, one file each); what they and
//! the workspace's tests share lives here.

pub mod apt;
pub mod bench;
pub mod command;
pub mod deb;
pub mod experiment;
pub mod fleet;
pub mod guest;
pub mod lab;
pub mod mfs;
pub mod nfs;
pub mod node_disk;
pub mod paths;
pub mod postgres;
pub mod process;
pub mod qemu;
pub mod testbed;
pub mod tmcd;
pub mod tools;
