//! The program `boss`: exit statuses, what it prints, and that it does what it says.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod dhcp;
mod doctor;
mod serve;
mod site;
mod swaps;
mod words;
