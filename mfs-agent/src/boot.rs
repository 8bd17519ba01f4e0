//! Making a machine of a kernel: pseudo file systems, modules, watchdog.

pub mod modules;
pub mod mounts;
pub mod watchdog;
