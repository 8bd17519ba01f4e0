//! `imageunzip`: loads an image onto a disk.

use std::path::PathBuf;

use clap::{ArgAction, CommandFactory, Parser};

use super::values::{ImageId, c_number};
use super::{Exit, Run, Tool};

/// The tool.
pub const TOOL: Tool = Tool {
    name: "imageunzip",
    arguments: Imageunzip::command,
    run: super::run::<Imageunzip>,
    differences: DIFFERENCES,
    exit_statuses: &[],
    examples: &[
        ("An image onto a disk", "imageunzip -o disk.ndz /dev/sda"),
        ("A partition's image into partition 2", "imageunzip -s 2 root.ndz /dev/sda"),
        (
            "A delta onto the disk that holds its base image",
            "imageunzip --verify changes.ndz /dev/sda",
        ),
    ],
    files: &[],
};

const DIFFERENCES: &[&str] = &[];

/// Load an image onto a disk, into a partition or into a file.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag of the classic tool")]
pub struct Imageunzip {
    /// More detail on standard error; twice for more
    #[arg(short, long, action = ArgAction::Count)]
    pub detail: u8,
    /// A dot on standard error for each chunk, as scripts expect it
    #[arg(short = 'o', long)]
    pub dots: bool,
    /// A character on standard error for each 10^9 bytes: . data, z zeros, s skipped
    #[arg(short = 'O', long)]
    pub gigabyte_dots: bool,
    /// No progress bar
    #[arg(long)]
    pub quiet: bool,
    /// Print statistics as JSON on standard output; on standard error if the data go there
    #[arg(long)]
    pub json: bool,

    /// Load into partition N of the target, which is a whole disk or an image of one
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=128))]
    #[arg(help_heading = "Where to")]
    pub slice: Option<u32>,
    /// With --slice: set the partition's type afterwards (131, 0x83, 0x8300)
    #[arg(short = 'D', long, value_name = "TYPE", value_parser = c_number, requires = "slice")]
    #[arg(help_heading = "Where to")]
    pub partition_type: Option<u32>,
    /// The target ends after so many sectors
    #[arg(short = 'M', long, value_name = "SECTORS", help_heading = "Where to")]
    pub max_sectors: Option<u64>,
    /// Load even if the target is mounted or otherwise in use
    #[arg(long, help_heading = "Where to")]
    pub force: bool,

    /// Write zeros where the image holds nothing; never for a delta
    #[arg(short = 'z', long, help_heading = "Space that the image doesn't hold")]
    pub zero: bool,
    /// Write this 32-bit pattern there; implies --zero
    #[arg(short = 'p', long, value_name = "PATTERN", value_parser = c_number)]
    #[arg(help_heading = "Space that the image doesn't hold")]
    pub pattern: Option<u32>,
    /// Discard (TRIM) it; never for a delta
    #[arg(short = 'E', long, help_heading = "Space that the image doesn't hold")]
    #[arg(conflicts_with_all = ["zero", "pattern"])]
    pub discard: bool,

    /// Read the target afterwards and compare it with the image
    #[arg(long, help_heading = "Checks")]
    pub verify: bool,
    /// Load only if the image's file IMAGE.minisig is a signature by this minisign key
    #[arg(long, value_name = "KEY", help_heading = "Checks")]
    pub verify_key: Option<PathBuf>,
    /// Load only an image with this identity: 32 hexadecimal digits
    #[arg(short = 'u', long, value_name = "ID", help_heading = "Checks")]
    pub id: Option<ImageId>,
    /// Check unsigned checksums of version 4; they are always checked
    #[arg(short = 'c', long, help_heading = "Checks")]
    pub checksums: bool,
    /// Check the signed checksums of version 4 with this key
    #[arg(short = 'a', long, value_name = "FILE", help_heading = "Checks")]
    pub checksum_key: Option<PathBuf>,
    /// The cipher of an encrypted image of version 4; the image knows it
    #[arg(short = 'e', long, value_name = "CIPHER", help_heading = "Checks")]
    pub decrypt: Option<String>,
    /// Decrypt an image of version 4 with this key
    #[arg(short = 'k', long, value_name = "FILE", help_heading = "Checks")]
    pub key: Option<PathBuf>,

    /// Don't load: print a checksum of all of the data, with zeros between
    #[arg(short = 'C', long, help_heading = "Other work")]
    pub crc: bool,
    /// Don't unpack: copy the image's chunks
    #[arg(short = 'N', long, help_heading = "Other work")]
    pub copy_chunks: bool,
    /// Write only the data that the image holds, without what lies between
    #[arg(short = 'I', long, help_heading = "Other work")]
    pub allocated_only: bool,

    /// One thread
    #[arg(short = 'n', long, help_heading = "How to work")]
    pub single_thread: bool,
    /// Threads; by default one for each CPU
    #[arg(long, value_name = "N", help_heading = "How to work", conflicts_with = "single_thread")]
    pub threads: Option<usize>,
    /// Try to read the image so often again, a second apart
    #[arg(short = 'r', long, value_name = "N", help_heading = "How to work")]
    pub retries: Option<u32>,
    /// The most memory for data that wait to be written, in MiB; 0 for no limit
    #[arg(short = 'W', long, value_name = "MIB", help_heading = "How to work")]
    pub buffer: Option<u64>,
    /// Write past the host's cache
    #[arg(short = 'f', long, help_heading = "How to work")]
    pub direct: bool,
    /// Take the chunks in random order, as a test
    #[arg(short = 'F', long, help_heading = "How to work")]
    pub random_order: bool,

    /// The image; - for standard input
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,
    /// The disk or file; - or nothing for standard output
    #[arg(value_name = "TARGET")]
    pub target: Option<PathBuf>,
}

impl Run for Imageunzip {
    fn run(self) -> anyhow::Result<Exit> {
        anyhow::bail!("not available yet")
    }
}
