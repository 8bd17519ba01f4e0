//! `imagezip`: saves what is in use on a disk.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::{ArgAction, CommandFactory, Parser};
use imagezip_core::allocation::{Selection, Target};
use imagezip_core::codec::Level;
use imagezip_core::ndz::Format;
use imagezip_core::partition::MbrType;
use imagezip_core::sector::SectorCount;

use super::values::{ImageId, Part, c_number};
use super::{Exit, Run, Tool, exit};
use crate::create::image::STDOUT_SIGNATURE;
use crate::create::{self, Destination, Relocations, Request};
use crate::host::Threads;

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

const DIFFERENCES: &[&str] = &[
    "-I leaves a partition out; the classic tool says so and saves it.",
    "A file system that is damaged, unknown or of a newer kind is saved whole, and a message says \
     so; the classic tool stops or not, depending on the partitions that follow.",
    "ext4 with 64bit, bigalloc, meta_bg or groups that were never written, and a journal that has \
     to be replayed, are understood.",
    "Extended partitions work. Logical partitions have the numbers that Linux gives them: 5, 6, 7.",
    "-s with a partition that isn't there is an error.",
    "A disk without a partition table is examined as one file system.",
    "-c works whatever partitions it cuts off.",
    "-H works with -r and -f, and -U makes whole signatures with them.",
    "-U after -H covers what base image and delta hold, and nothing else.",
    "-1 works with -U. With -f, a file whose length is no multiple of 512 can't be of version 1.",
    "-B makes both copies of a GPT, and refuses a logical root partition.",
    "-M is refused: free inodes of UFS are saved as they are, so that deltas stay small.",
    "FAT with sectors of 4,096 bytes, exFAT, XFS, Btrfs, F2FS, and what is in LVM, RAID1 and BSD \
     slices, are understood. Of NTFS the beginning of pagefile.sys is saved, and hiberfil.sys unless \
     it surely holds nothing.",
    "-a, -e and -k are refused: --sign is a signature that can be trusted.",
    "Without -1, -3, -5 and -u, version 5 is only written if version 3 has no numbers for the \
     image's sectors, counted from its own start.",
    "The image is read back and compared unless --no-verify is given. Until it is complete it does \
     not read as an image; after an error it is removed.",
    "An existing image is replaced only when the new one is complete.",
    "A signature that can't be written is an error; it is not written to another place instead.",
    "What can't be saved completely makes the exit status other than 0.",
];

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
    /// Sign the image with this minisign secret key, in IMAGE.sha256 and IMAGE.sha256.minisig
    #[arg(long, value_name = "KEY", help_heading = "Deltas and signatures")]
    pub sign: Option<PathBuf>,
    /// The file with the password of that key
    #[arg(long, value_name = "FILE", help_heading = "Deltas and signatures", requires = "sign")]
    pub password_file: Option<PathBuf>,

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
        self.check()?;
        let (request, destination) = (self.request(), self.destination()?);
        // Nothing is left to be said about an image that went to standard output.
        let to_stdout = destination.as_ref().is_some_and(|to| to.image == Path::new("-"));
        let detail = self.detail.saturating_add(self.info.into());
        let statistics = create::run(&request, destination.as_ref(), detail)?;
        if !self.json {
            return Ok(Exit::OK);
        }
        let text = serde_json::to_string(&statistics).context("statistics")? + "\n";
        if to_stdout {
            eprint!("{text}");
            return Ok(Exit::OK);
        }
        exit::print(&text)
    }
}

impl Imagezip {
    /// Refuses what can't be done, with what to do in its place.
    fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.checksum.is_none(),
            "-a: signed checksums of version 4 use RSA with 512 bits, which anybody can break: use \
             --sign KEY, which signs the image with minisign"
        );
        ensure!(
            self.encrypt.is_none() && self.key.is_none(),
            "-e and -k: encryption of version 4 uses Blowfish, which is too weak: encrypt the \
             finished image, for example with age or gpg, and sign it with --sign KEY"
        );
        ensure!(
            !self.zero_inodes,
            "-M: free inodes of UFS are saved as they are, so that deltas stay small: leave out -M"
        );
        let modes = [self.raw || self.file, self.linux, self.bsd, self.ntfs];
        let modes = modes.into_iter().filter(|mode| *mode).count();
        let modes = modes + usize::from(self.filesystem.is_some());
        ensure!(
            modes + usize::from(self.slice.is_some()) <= 1,
            "only one of -s, -r or -f, -l, -b, -n and -S can say what the source is"
        );
        ensure!(
            !self.relocations || self.slice.is_some() || (modes == 1 && !self.raw && !self.file),
            "-L: relocations are about a partition: use it with -s, -l, -b, -n or -S"
        );
        ensure!(
            self.filesystem.is_none_or(|kind| kind <= 0xff),
            "-S: a partition type of an MBR is a number up to 255"
        );
        let by_pipe = self.source == Path::new("-");
        ensure!(
            !by_pipe || self.raw || self.file,
            "- as the source: only -r and -f can save what comes through a pipe"
        );
        Ok(())
    }

    fn request(&self) -> Request {
        Request {
            source: self.source.clone(),
            selection: self.selection(),
            boot: self.boot_image,
            padded: self.file,
            count: self.count.and_then(SectorCount::new),
            ignored: self.ignore.iter().map(|part| target(*part)).collect(),
            raw: self.raw_slice.iter().map(|part| target(*part)).collect(),
            without_slack: self.skip_rest,
            least_free: SectorCount::new(self.min_free).unwrap_or_default(),
            zero_forgotten: self.zero_kept,
            max_data: self.max_data,
            relocations: match (self.relocations, self.no_relocations) {
                (true, _) => Relocations::Always,
                (false, true) => Relocations::Never,
                (false, false) => Relocations::OfPartitions,
            },
            tolerant: self.ignore_read_errors,
            base: self.base.clone(),
            max_delta: self.max_delta,
            format: self.format(),
            id: self.id.map(|id| id.0),
            level: Level::new(self.level).unwrap_or_default(),
            workers: self.threads.map_or_else(Threads::all_cpus, Threads::new),
        }
    }

    fn selection(&self) -> Selection {
        let chosen = [(self.linux, 131), (self.bsd, 165), (self.ntfs, 7)];
        let chosen = chosen.into_iter().find_map(|(chosen, kind)| chosen.then_some(kind));
        match (self.slice, chosen.or(self.filesystem)) {
            _ if self.raw || self.file => Selection::Raw,
            (Some(number), _) => Selection::Partition(number),
            (None, Some(kind)) => Selection::FileSystem(u8::try_from(kind).ok().map(MbrType)),
            (None, None) => Selection::WholeDisk,
        }
    }

    fn format(&self) -> Option<Format> {
        let choices = [(self.v1, Format::V1), (self.v3, Format::V3), (self.v5, Format::V5)];
        choices.into_iter().find_map(|(chosen, format)| chosen.then_some(format))
    }

    /// Where the image goes; nowhere if only information is wanted.
    fn destination(&self) -> anyhow::Result<Option<Destination>> {
        let Some(image) = self.image.clone().filter(|_| !self.info) else { return Ok(None) };
        let to_stdout = image == Path::new("-");
        ensure!(
            !to_stdout || self.sign.is_none(),
            "--sign: an image that goes to standard output has no name to be signed under: write \
             it to a file"
        );
        let signature = self.signature.clone().map(|name| match name.as_os_str() {
            name if !name.is_empty() => PathBuf::from(name),
            _ if to_stdout => PathBuf::from(STDOUT_SIGNATURE),
            _ => {
                let mut name = image.clone().into_os_string();
                name.push(".sig");
                name.into()
            }
        });
        Ok(Some(Destination {
            image,
            signature,
            key: self.sign.clone(),
            password_file: self.password_file.clone(),
            sync: !self.no_sync,
            verify: !self.no_verify,
            dots: self.dots,
            quiet: self.quiet,
        }))
    }
}

fn target(part: Part) -> Target {
    let letter = part.letter.and_then(|letter| u8::try_from(letter).ok());
    Target { partition: part.number, part: letter.map(|letter| letter.saturating_sub(b'a')) }
}
