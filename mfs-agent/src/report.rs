//! What people and programs get to know of a run: console, kernel log, log file, status, result.

pub mod console;
pub mod ending;
pub mod heartbeat;
pub mod journal;
pub mod memory;
pub mod time;
