//! `imagedelta`: makes a delta of two images.

use std::path::PathBuf;

use clap::{ArgAction, CommandFactory, Parser};

use super::values::{BlockSize, Digest};
use super::{Exit, Run, Tool};

/// The tool.
pub const TOOL: Tool = Tool {
    name: "imagedelta",
    arguments: Imagedelta::command,
    run: super::run::<Imagedelta>,
    differences: DIFFERENCES,
    exit_statuses: &[],
    examples: &[(
        "What changed between two images of a disk",
        "imagedelta old.ndz new.ndz changes.ndz",
    )],
    files: &[("IMAGE.sig", "the signature of IMAGE")],
};

const DIFFERENCES: &[&str] = &[];

/// Make the delta that turns an old image into a new one.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag of the classic tool")]
pub struct Imagedelta {
    /// More detail on standard error; twice for more
    #[arg(short, long, action = ArgAction::Count)]
    pub detail: u8,
    /// No progress bar
    #[arg(long)]
    pub quiet: bool,
    /// Print statistics as JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Compare signatures instead of the data of both images
    #[arg(short = 'S', long)]
    pub signatures: bool,
    /// Check that the signatures are those of the images
    #[arg(short = 'V', long)]
    pub verify_signatures: bool,
    /// Write the signature of the new image instead of that of the delta
    #[arg(short = 'F', long)]
    pub full_signature: bool,
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

    /// The image that the delta is for
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// The image that old image and delta together give
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// The delta; - for standard output
    #[arg(value_name = "DELTA")]
    pub delta: PathBuf,
}

impl Run for Imagedelta {
    fn run(self) -> anyhow::Result<Exit> {
        anyhow::bail!("not available yet")
    }
}
