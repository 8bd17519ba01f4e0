//! `imageunzip`: loads an image onto a disk.

mod run;
mod work;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, CommandFactory, Parser};

use super::Tool;
use super::values::{ImageId, c_number};

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
        (
            "An image onto a disk that was loaded with it before",
            "imageunzip --converge base.ndz.sig base.ndz /dev/sda",
        ),
    ],
    files: &[(
        "IMAGE.sha256, IMAGE.sha256.minisig",
        "digests and their signature; for --signed-by",
    )],
};

const DIFFERENCES: &[&str] = &[
    "All headers of an image are checked before the first byte is written; of an image that comes \
     through a pipe, those of each chunk before its data are. The classic program checks little \
     and can write anywhere.",
    "Data that would lie beyond the end of the disk, of the partition or of -M are an error, and \
     nothing is written; the classic program leaves them out and ends with status 0. An image \
     whose free space alone ends there is loaded, but into a partition only with --force.",
    "A disk, partition or file that is mounted or otherwise in use is refused without --force.",
    "A regular file keeps all that the image doesn't hold, and its length if it is longer; the \
     classic program throws its content away, so that a delta can't be loaded onto it. Use \
     --truncate if it shall end with the image.",
    "A regular file is extended to the end of what the image was made of, not only to the last \
     byte that was written. Zeros in what is new of it take no space.",
    "-s works in a file with the image of a disk, too. Logical partitions have the numbers that \
     Linux gives them.",
    "-E works. The classic program accepts it and does nothing.",
    "-C prints what the program cksum prints for the data as standard output would get them; the \
     classic program's number depends on how it cuts them.",
    "-e names the cipher, which is not needed; the classic program crashes. -c is accepted in all \
     cases: checksums that are not signed are always checked.",
    "-a refuses chunks that are not signed, -u an image without an identity.",
    "-p has the pattern's low byte first on every machine.",
    "-W is accepted, but data never wait in memory beyond a few MiB for each thread.",
    "--verify reads back each part of the target soon after it was written, with O_DIRECT where the \
     system has that, and compares it with what was to be written. The load ends with the first \
     difference. What was filled or discarded is not read.",
    "--converge makes the target exactly what a load would make it. What the target holds is compared \
     with the image's signature; only chunks of the image are read that have sectors that differ, that \
     the signature doesn't cover or that have relocations. Trusted are the digests: where the target \
     holds what the signature says, that is taken for what is in the image, and nothing of it is read. \
     The data of chunks that are read have to agree with the signature, too, before anything of them is \
     written, and a signature of sectors that the image doesn't hold is refused before anything is; so \
     a signature of another image is an error unless the target holds all that it says. With --verify \
     the target is read past the cache. An interrupted load can be ended like that.",
    "-f writes what is not aligned, such as the end of a file, through the cache, with its length.",
];

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
    /// Load even if the target is in use, or is a partition smaller than the image's
    #[arg(long, help_heading = "Where to")]
    pub force: bool,
    /// Cut a regular file that is longer at the image's end
    #[arg(long, help_heading = "Where to", conflicts_with = "slice")]
    pub truncate: bool,

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

    /// Read back all that is written, past the cache, and compare it
    #[arg(long, help_heading = "Checks")]
    pub verify: bool,
    /// Load only if this minisign key has signed the image: a file, or the key itself
    #[arg(long, value_name = "KEY", help_heading = "Checks")]
    pub signed_by: Option<OsString>,
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
    #[arg(value_parser = ["bf_cbc"], num_args = 0..=1, default_missing_value = "bf_cbc")]
    pub decrypt: Option<String>,
    /// Decrypt an image of version 4 with this key
    #[arg(short = 'k', long, value_name = "FILE", help_heading = "Checks")]
    pub key: Option<PathBuf>,

    /// Don't load: print the checksum of cksum(1) of all data, with zeros between
    #[arg(short = 'C', long, help_heading = "Other work", conflicts_with_all = LOADING)]
    #[arg(conflicts_with_all = ["copy_chunks", "allocated_only"])]
    pub crc: bool,
    /// Don't unpack: copy the image's chunks to the target, which is a file
    #[arg(short = 'N', long, help_heading = "Other work", conflicts_with_all = LOADING)]
    #[arg(conflicts_with_all = ["allocated_only", "zero", "pattern"])]
    pub copy_chunks: bool,
    /// Write only the data that the image holds, to standard output
    #[arg(short = 'I', long, help_heading = "Other work", conflicts_with_all = LOADING)]
    #[arg(conflicts_with_all = ["zero", "pattern"])]
    pub allocated_only: bool,

    /// Write only what the target doesn't hold already, by this signature of the image
    #[arg(long, value_name = "SIGNATURE", help_heading = "How to work")]
    #[arg(conflicts_with = "random_order")]
    pub converge: Option<PathBuf>,
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

/// What only a load onto a disk or file has.
const LOADING: [&str; 6] = ["slice", "truncate", "discard", "verify", "converge", "random_order"];
