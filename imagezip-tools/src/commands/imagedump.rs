//! `imagedump`: shows what image files hold.

use std::path::PathBuf;

use clap::{ArgAction, CommandFactory, Parser};

use super::{Exit, Run, Tool};

/// The tool.
pub const TOOL: Tool = Tool {
    name: "imagedump",
    arguments: Imagedump::command,
    run: super::run::<Imagedump>,
    differences: DIFFERENCES,
    exit_statuses: &[],
    examples: &[
        ("What an image holds", "imagedump disk.ndz"),
        ("Whether an image is undamaged", "imagedump -c disk.ndz"),
        ("The same for programs", "imagedump --json disk.ndz"),
    ],
    files: &[],
};

const DIFFERENCES: &[&str] = &[];

/// Show what image files hold, and check them.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag of the classic tool")]
pub struct Imagedump {
    /// A line for each chunk; twice: for each region and relocation, too
    #[arg(short, long, action = ArgAction::Count)]
    pub detail: u8,
    /// Show which sectors are allocated and which are free
    #[arg(short, long)]
    pub map: bool,
    /// Ignore the chunks' numbers, as in a piece of an image
    #[arg(short, long)]
    pub ignore_numbers: bool,
    /// Check checksums and decompress everything
    #[arg(short, long)]
    pub checksums: bool,
    /// Print nothing: only say by the exit status whether it looks like an image
    #[arg(short, long)]
    pub quick: bool,
    /// Ignored, as in the classic tool
    #[arg(short = 'C', value_name = "X", hide = true)]
    pub ignored: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,

    /// The images; - for standard input
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<PathBuf>,
}

impl Run for Imagedump {
    fn run(self) -> anyhow::Result<Exit> {
        anyhow::bail!("not available yet")
    }
}
