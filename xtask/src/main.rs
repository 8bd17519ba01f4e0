//! All automation of this repository: `cargo xtask <command>`.
fn main() {}
