//! The command line. Each command has a file of its own with its options and its `run`.

mod bench;
mod demo;
mod fixtures;
mod fuzz;
mod guest;
mod load;
mod mfs;
mod test;
mod tools;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Builds, boots and tests the memory file system (MFS).
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) struct Xtask {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Bench(bench::Bench),
    Demo(demo::Demo),
    Fixtures(fixtures::Fixtures),
    Fuzz(fuzz::Fuzz),
    Guest(guest::GuestCommand),
    Load(load::Load),
    Mfs(mfs::Mfs),
    Test(test::Test),
    Tools(tools::Tools),
}

impl Xtask {
    /// Runs the command that was asked for.
    pub(crate) fn run(self) -> Result<()> {
        match self.command {
            Command::Bench(command) => command.run(),
            Command::Demo(command) => command.run(),
            Command::Fixtures(command) => command.run(),
            Command::Fuzz(command) => command.run(),
            Command::Guest(command) => command.run(),
            Command::Load(command) => command.run(),
            Command::Mfs(command) => command.run(),
            Command::Test(command) => command.run(),
            Command::Tools(command) => command.run(),
        }
    }
}
