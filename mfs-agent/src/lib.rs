//! The agent of the memory file system: everything of PID 1 that is not its runtime.
//!
//! The program (`main.rs`) is a list of steps; each step is a module here, safe code that is
//! tested on the host. What goes wrong is a [`failure::Failure`], which says what, where and what
//! to do, and has an exit code of its own.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::indexing_slicing))]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod assignment;
pub mod boot;
pub mod cmdline;
pub mod disk;
#[cfg(feature = "drill")]
pub mod drill;
pub mod event;
pub mod failure;
pub mod file;
pub mod finish;
pub mod job;
pub mod monitor;
pub mod names;
pub mod net;
pub mod processes;
pub mod progress;
pub mod project;
pub mod ranges;
pub mod report;
pub mod threads;
pub mod tmcd;
