//! `imagehash`: makes signatures of images, and checks disks against them.

use std::path::PathBuf;

use clap::{ArgAction, CommandFactory, Parser, ValueEnum};

use super::values::BlockSize;
use super::{Exit, Run, Tool};

/// The tool.
pub const TOOL: Tool = Tool {
    name: "imagehash",
    arguments: Imagehash::command,
    run: super::run::<Imagehash>,
    differences: DIFFERENCES,
    exit_statuses: &[(2, "the signature can't be read or made")],
    examples: &[
        ("Whether a disk still is as an image made it", "imagehash disk.ndz /dev/sda"),
        ("The signature of an image", "imagehash -c -X disk.ndz"),
        ("What a signature says", "imagehash -o disk.ndz.sig"),
    ],
    files: &[("IMAGE.sig", "the signature of IMAGE, unless -o names another")],
};

const DIFFERENCES: &[&str] = &[];

/// Make, show and check signatures, and check disks against them.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag of the classic tool")]
pub struct Imagehash {
    /// More detail on standard error; twice for more
    #[arg(short, long, action = ArgAction::Count)]
    pub detail: u8,
    /// No statistics
    #[arg(short, long)]
    pub quiet: bool,
    /// Print statistics as JSON on standard output
    #[arg(long)]
    pub json: bool,

    /// Make the signature of an image
    #[arg(short, long, help_heading = "What to do", conflicts_with_all = ["check", "report"])]
    pub create: bool,
    /// Check a signature against its image
    #[arg(short = 'S', long, help_heading = "What to do", conflicts_with = "report")]
    pub check: bool,
    /// Print the blocks instead of writing a signature; twice for more columns
    #[arg(short = 'R', long, action = ArgAction::Count, help_heading = "What to do")]
    pub report: u8,
    /// The signature's file; alone: show it
    #[arg(short, long, value_name = "SIGNATURE", help_heading = "What to do")]
    pub output: Option<PathBuf>,

    /// The digest of a new signature; raw compares disk and image byte by byte
    #[arg(short = 'D', long, value_name = "DIGEST", ignore_case = true)]
    #[arg(help_heading = "How to do it", default_value = "sha1")]
    pub digest: Method,
    /// The size of a new signature's hash blocks in bytes
    #[arg(short, long, value_name = "BYTES", default_value_t, help_heading = "How to do it")]
    pub block_size: BlockSize,
    /// Merge entries that chunks split
    #[arg(short = 'X', long, help_heading = "How to do it")]
    pub merge: bool,
    /// Leave out blocks that relocations change
    #[arg(short = 'N', long, help_heading = "How to do it")]
    pub skip_relocated: bool,
    /// The image is a plain file
    #[arg(short = 'r', long, help_heading = "How to do it")]
    pub regular_file: bool,
    /// Write version 2, which is what is written anyway
    #[arg(short = '2', long, help_heading = "How to do it")]
    pub v2: bool,
    /// One thread
    #[arg(short = 'n', long, help_heading = "How to do it")]
    pub single_thread: bool,
    /// Threads; by default one for each CPU
    #[arg(long, value_name = "N", help_heading = "How to do it", conflicts_with = "single_thread")]
    pub threads: Option<usize>,

    /// Show signatures tersely
    #[arg(short = 'T', long, help_heading = "What is shown")]
    pub terse: bool,
    /// Show no chunk numbers
    #[arg(short = 'C', long, help_heading = "What is shown")]
    pub no_chunks: bool,
    /// The file's name in reports
    #[arg(short = 'F', long, value_name = "ID", help_heading = "What is shown")]
    pub file_id: Option<String>,
    /// Show raw differences as escaped text instead of hexadecimal digits
    #[arg(short = 'V', long, help_heading = "What is shown")]
    pub escape: bool,

    /// The image
    #[arg(value_name = "IMAGE", required_unless_present = "output")]
    pub image: Option<PathBuf>,
    /// The disk or partition to check
    #[arg(value_name = "DEVICE")]
    pub device: Option<PathBuf>,
}

/// How blocks are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// MD5
    Md5,
    /// SHA-1
    Sha1,
    /// SHA-256
    Sha256,
    /// Byte by byte
    Raw,
}

impl Run for Imagehash {
    fn run(self) -> anyhow::Result<Exit> {
        anyhow::bail!("not available yet")
    }
}
