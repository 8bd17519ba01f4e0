//! What `cargo xtask bench` measures in a process of its own, since xtask itself is not optimised.
//!
//! * `limits`: what this machine can do with the bench's data: read, hash, compress, write, inflate;
//! * `sha1`: one core by itself;
//! * `codecs`: every codec at hand with the same data on one core;
//! * `child`: another program, its time and the memory it took. This process is small, and must
//!   be: Linux counts what a parent had before `exec` as the child's.
//!
//! Each prints one JSON object on standard output.

mod child;
mod codecs;
mod cores;
mod data;
mod limits;
mod measure;
mod sha1;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Debug, Parser)]
struct Bench {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Limits(limits::Limits),
    Codecs(codecs::Codecs),
    Child(child::Child),
    /// Hashes on one core for a second.
    Sha1,
}

fn main() -> ExitCode {
    let run = || -> Result<()> {
        let value = match Bench::parse().command {
            Command::Limits(command) => serde_json::to_string(&command.run()?),
            Command::Codecs(command) => serde_json::to_string(&command.run()?),
            Command::Child(command) => serde_json::to_string(&command.run()?),
            Command::Sha1 => serde_json::to_string(&sha1::run()?),
        };
        println!("{}", value?);
        Ok(())
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
