//! Boss' pages in Debian's Chromium. Pictures of all pages are left in `target/browser`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod browser;
mod checks;
mod driver;
mod elements;
mod experiments;
mod keys;
mod live;
mod nomouse;
mod pages;
mod selftest;
mod settings;
mod setup;
mod signin;
mod swaps;
mod wire;
mod world;
