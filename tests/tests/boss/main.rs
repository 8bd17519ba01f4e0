//! Boss with simulated nodes: what must hold when nodes, users or boss itself misbehave. Each test runs
//! on SQLite and, where `BOSS_TEST_POSTGRES` names a server, as in `cargo xtask test`, on PostgreSQL.

mod swapin;
mod swapout;
mod world;
