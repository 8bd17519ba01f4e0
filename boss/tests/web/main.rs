//! The pages, by HTTP: signing in, who gets which page, and that forms do only what who sends them
//! may.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, unreachable_pub, reason = "all tests share it, and each uses a part")]
#[path = "../support/mod.rs"]
mod support;

mod client;
mod experiments;
mod forged;
mod home;
mod images;
mod me;
mod nodes;
mod people;
mod routes;
mod signin;
mod sitevars;
mod swaps;
