//! Boss with simulated nodes: what must hold when nodes, users or boss itself misbehave. Each test runs
//! on `SQLite` and, where `BOSS_TEST_POSTGRES` names a server, as in `cargo xtask test`, on
//! `PostgreSQL`.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod swapin;
mod swapout;
mod world;
