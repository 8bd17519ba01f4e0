//! `imagezip`: saves what is in use on a disk.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, CommandFactory, Parser};

use super::values::{ImageId, Part, c_number};
use super::{Exit, Run, Tool};

/// The tool.
pub const TOOL: Tool = Tool {
    name: "imagezip",
    arguments: Imagezip::command,
    run: super::run::<Imagezip>,
    differences: DIFFERENCES,
    exit_statuses: &[],
    examples: &[
        ("The whole disk, with its signature", "imagezip -o -U '' /dev/sda disk.ndz"),
        ("Partition 2 alone", "imagezip -s 2 /dev/sda root.ndz"),
        (
            "What differs from an image that was loaded before, and the new signature",
            "imagezip -H disk.sig -U new.sig /dev/sda changes.ndz",
        ),
        ("What would be saved", "imagezip -i /dev/sda"),
    ],
    files: &[("IMAGE.sig", "the signature of IMAGE, where -U is given an empty name")],
};

const DIFFERENCES: &[&str] = &[];

/// Save what is in use on a disk, a partition or a file as a compressed image.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag of the classic tool")]
pub struct Imagezip {
    /// More detail on standard error; twice for more
    #[arg(short, long, action = ArgAction::Count)]
    pub detail: u8,
    /// Only say what would be saved; no image is written
    #[arg(short, long)]
    pub info: bool,
    /// A dot on standard error for each chunk, as scripts expect it
    #[arg(short = 'o', long)]
    pub dots: bool,
    /// No progress bar
    #[arg(long)]
    pub quiet: bool,
    /// Print statistics as JSON, on standard output; on standard error if the image goes there
    #[arg(long)]
    pub json: bool,

    /// Save only partition N (1 to 128)
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=128))]
    #[arg(conflicts_with = "count", help_heading = "What to save")]
    pub slice: Option<u32>,
    /// Leave out a partition, or one of a BSD label, as 1c; may be given several times
    #[arg(short = 'I', long, value_name = "PART", help_heading = "What to save")]
    pub ignore: Vec<Part>,
    /// Save all of a partition, or of one of a BSD label; may be given several times
    #[arg(short = 'R', long, value_name = "PART", help_heading = "What to save")]
    pub raw_slice: Vec<Part>,
    /// Save everything, without looking for partitions and file systems
    #[arg(short, long, help_heading = "What to save")]
    pub raw: bool,
    /// Save a file of any length; implies --raw
    #[arg(short, long, help_heading = "What to save")]
    pub file: bool,
    /// Save only so many sectors of 512 bytes
    #[arg(short, long, value_name = "SECTORS", help_heading = "What to save")]
    pub count: Option<u64>,
    /// The source is one Linux file system (as -S 131)
    #[arg(short, long, help_heading = "What to save")]
    pub linux: bool,
    /// The source is one BSD slice or file system (as -S 165)
    #[arg(short, long, help_heading = "What to save")]
    pub bsd: bool,
    /// The source is one NTFS file system (as -S 7)
    #[arg(short, long, help_heading = "What to save")]
    pub ntfs: bool,
    /// The source is one file system, of this MBR partition type
    #[arg(short = 'S', long, value_name = "TYPE", value_parser = c_number)]
    #[arg(help_heading = "What to save")]
    pub filesystem: Option<u32>,
    /// A bootable image: what boots, and this root partition, without the others
    #[arg(short = 'B', long, value_name = "N", help_heading = "What to save")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=128))]
    #[arg(conflicts_with_all = ["slice", "filesystem", "linux", "bsd", "ntfs", "raw", "file"])]
    pub boot_image: Option<u32>,
    /// Fail if more than so many MiB are in use
    #[arg(short = 'A', long, value_name = "MIB", help_heading = "What to save")]
    pub max_data: Option<u64>,

    /// Free runs shorter than this are saved like data; 0 leaves out every free sector
    #[arg(short = 'F', long, value_name = "SECTORS", default_value_t = 64)]
    #[arg(help_heading = "How to save")]
    pub min_free: u64,
    /// Save zeros in place of the free runs that --min-free keeps
    #[arg(short = 'Z', long, help_heading = "How to save")]
    pub zero_kept: bool,
    /// Leave out the rest of a partition after its file system
    #[arg(short = 'x', long, help_heading = "How to save")]
    pub skip_rest: bool,
    /// Save zeros in place of free UFS inodes
    #[arg(short = 'M', long, help_heading = "How to save")]
    pub zero_inodes: bool,
    /// No relocations: the image only fits where it was made
    #[arg(short = 'N', long, help_heading = "How to save")]
    pub no_relocations: bool,
    /// Relocations also where the image isn't of one partition
    #[arg(short = 'L', long, help_heading = "How to save")]
    pub relocations: bool,
    /// Compression level, from 0 (none) to 9 (smallest)
    #[arg(short = 'z', long, value_name = "LEVEL", default_value_t = 4)]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=9), help_heading = "How to save")]
    pub level: u8,
    /// Threads; by default one for each CPU
    #[arg(long, value_name = "N", help_heading = "How to save")]
    pub threads: Option<usize>,
    /// Save zeros in place of sectors that can't be read
    #[arg(short = 'X', long, help_heading = "How to save")]
    pub ignore_read_errors: bool,
    /// Don't wait until the image is on the disk
    #[arg(short = 'D', long, help_heading = "How to save")]
    pub no_sync: bool,
    /// Don't read the image back and compare it
    #[arg(long, help_heading = "How to save")]
    pub no_verify: bool,

    /// Save only what differs from the image with this signature
    #[arg(short = 'H', long, value_name = "SIGNATURE", help_heading = "Deltas and signatures")]
    pub base: Option<PathBuf>,
    /// Write the signature of what is there; '' for the image's name with .sig
    #[arg(short = 'U', long, value_name = "SIGNATURE", help_heading = "Deltas and signatures")]
    pub signature: Option<OsString>,
    /// With --base: a full image if more than so many percent of the data differ
    #[arg(short = 'P', long, value_name = "PERCENT", help_heading = "Deltas and signatures")]
    pub max_delta: Option<u32>,
    /// Sign the image with this minisign secret key, in a file IMAGE.minisig
    #[arg(long, value_name = "KEY", help_heading = "Deltas and signatures")]
    pub sign: Option<PathBuf>,

    /// Write version 1
    #[arg(short = '1', long, help_heading = "Format", conflicts_with_all = ["v3", "v5", "id"])]
    pub v1: bool,
    /// Write version 3, which is the default where it can hold the image
    #[arg(short = '3', long, help_heading = "Format", conflicts_with_all = ["v5", "id"])]
    pub v3: bool,
    /// Write version 5, with 64-bit sector numbers
    #[arg(short = '5', long, help_heading = "Format")]
    pub v5: bool,
    /// Write version 5 with this identity: 32 hexadecimal digits
    #[arg(short = 'u', long, value_name = "ID", help_heading = "Format")]
    pub id: Option<ImageId>,
    /// Refused: use --sign
    #[arg(short = 'a', long, value_name = "SHA1", help_heading = "Format")]
    pub checksum: Option<String>,
    /// Refused: encrypt the finished image with a program for that
    #[arg(short = 'e', long, value_name = "CIPHER", help_heading = "Format")]
    pub encrypt: Option<String>,
    /// Refused, as --encrypt
    #[arg(short = 'k', long, value_name = "FILE", help_heading = "Format")]
    pub key: Option<PathBuf>,

    /// The disk, partition or file; - for standard input
    #[arg(value_name = "SOURCE")]
    pub source: PathBuf,
    /// The image; - for standard output
    #[arg(value_name = "IMAGE", required_unless_present = "info")]
    pub image: Option<PathBuf>,
}

impl Run for Imagezip {
    fn run(self) -> anyhow::Result<Exit> {
        anyhow::bail!("not available yet")
    }
}
