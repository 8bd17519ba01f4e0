//! The tools where things go wrong: they are killed, disks are full, names are odd, outputs are
//! inputs. Whatever happens, nothing that was there is lost and nothing half-made looks complete.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bench;
mod names;
mod room;
mod signals;
mod signed;
mod streams;
