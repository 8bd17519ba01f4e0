//! What the workspace-level tests share.

pub mod disk;
pub mod golden;
pub mod host_tools;
pub mod strict;
pub mod tools;
pub mod trial;
