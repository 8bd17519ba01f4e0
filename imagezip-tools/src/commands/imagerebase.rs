//! `imagerebase`: makes one image of a base image and a chain of deltas.

use std::path::PathBuf;

use clap::{ArgAction, CommandFactory, Parser};

use super::values::{BlockSize, Digest};
use super::{Exit, Run, Tool};

/// The tool.
pub const TOOL: Tool = Tool {
    name: "imagerebase",
    arguments: Imagerebase::command,
    run: super::run::<Imagerebase>,
    differences: DIFFERENCES,
    exit_statuses: &[],
    examples: &[(
        "The full image of a chain of deltas",
        "imagerebase base.ndz monday.ndz tuesday.ndz full.ndz",
    )],
    files: &[("IMAGE.sig", "the signature of IMAGE")],
};

const DIFFERENCES: &[&str] = &[];

/// Make one image, or one delta, of a chain of deltas.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag of the classic tool")]
pub struct Imagerebase {
    /// More detail on standard error; twice for more
    #[arg(short, long, action = ArgAction::Count)]
    pub detail: u8,
    /// No progress bar
    #[arg(long)]
    pub quiet: bool,
    /// Print statistics as JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Take only what the last delta's full signature names, and write a signature
    #[arg(short = 'S', long)]
    pub signatures: bool,
    /// Check the signature against the result
    #[arg(short = 'V', long)]
    pub verify_signatures: bool,
    /// Take a signature even if its file is not as old as its image's
    #[arg(short = 'f', long)]
    pub ignore_mtime: bool,
    /// The digest of a new signature
    #[arg(short = 'D', long, value_name = "DIGEST", ignore_case = true, default_value = "sha1")]
    pub digest: Digest,
    /// The size of a new signature's hash blocks in bytes
    #[arg(short = 'b', long, value_name = "BYTES", default_value_t)]
    pub block_size: BlockSize,
    /// Compression level, from 0 (none) to 9 (smallest)
    #[arg(short = 'z', long, value_name = "LEVEL", default_value_t = 4)]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=9))]
    pub level: u8,
    /// Threads; by default one for each CPU
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Don't read the image back and compare it
    #[arg(long)]
    pub no_verify: bool,

    /// The base image, the deltas on it in order, and the image to write
    #[arg(value_name = "IMAGE", required = true, num_args = 3..)]
    pub images: Vec<PathBuf>,
}

impl Run for Imagerebase {
    fn run(self) -> anyhow::Result<Exit> {
        anyhow::bail!("not available yet")
    }
}
