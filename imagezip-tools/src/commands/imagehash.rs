//! `imagehash`: makes signatures of images, and checks disks against them.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::{ArgAction, CommandFactory, Parser, ValueEnum};
use imagezip_core::digest::HashType;
use imagezip_core::pipeline::{Hashing, Joining};
use imagezip_core::sector::{Sector, SectorCount};
use imagezip_core::signature::{HashBlockSize, Signature, Version};

use super::values::BlockSize;
use super::{Exit, Failure, Run, Tool};
use crate::hash::{self, Age, Subject};
use crate::host::Threads;
use crate::keys::KeyRing;
use crate::output::write_atomically;
use crate::target::same_place;

mod check;
mod show;
mod signing;
mod statistics;

pub use signing::Signing;
use statistics::Work;

/// The tool.
pub const TOOL: Tool = Tool {
    name: "imagehash",
    arguments: Imagehash::command,
    run: super::run::<Imagehash>,
    differences: DIFFERENCES,
    exit_statuses: &[
        (2, "the signature can't be read or made"),
        (
            1,
            "the disk differs; with -S: the signature's header differs, in as many things as the \
             number says",
        ),
        (255, "with -S: entries differ"),
    ],
    examples: &[
        ("Whether a disk still is as an image made it", "imagehash disk.ndz /dev/sda"),
        (
            "The same for partition 2 and an image of a partition",
            "imagehash --partition 2 root.ndz /dev/sda",
        ),
        ("Which bytes differ", "imagehash -D raw disk.ndz /dev/sda"),
        ("The signature of an image", "imagehash -c -X disk.ndz"),
        ("What a signature says", "imagehash -o disk.ndz.sig"),
        ("Sign an image", "imagehash --sign ~/.minisign/minisign.key disk.ndz"),
    ],
    files: &[
        ("IMAGE.sig", "the signature of IMAGE, unless -o names another"),
        (
            "IMAGE.sha256, IMAGE.sha256.minisig",
            "the digests of a signed image, and who signed them",
        ),
    ],
};

const DIFFERENCES: &[&str] = &[
    "-o with an image and a device compares the device with that signature; the classic tool \
     showed the signature.",
    "IMAGE.sig is used only if it is as old as IMAGE, give or take two seconds; if not, that is \
     said and the image itself is hashed. A signature that -o names is used in any case.",
    "-r takes files of any size with blocks of any size; the classic tool began to count anew \
     after each MiB, and did not end for larger blocks.",
    "-N leaves out the blocks of all relocations; the classic tool called types 6 and 7 bad, and \
     took such a chunk for one without relocations.",
    "-S finds out by itself which digest the signature has and whether its entries are merged; -D, \
     -b and -X are only needed to insist.",
    "With -X an entry can go on over any number of chunks.",
    "An empty image has an empty signature.",
    "Images of versions 1, 4 and 5 are taken, too.",
    "SHA-256 is known, and can't be written: signature files of version 2 have no room for it, and \
     the number of version 3 is not known.",
    "What differs is said in runs of sectors, with the relocations that are about them.",
];

/// Make, show and check signatures, and check disks against them.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag of the classic tool")]
pub struct Imagehash {
    /// More detail on standard error; each block that differs on a line of its own
    #[arg(short, long, action = ArgAction::Count)]
    pub detail: u8,
    /// No statistics
    #[arg(short, long)]
    pub quiet: bool,
    /// Print statistics, and what differs, as JSON on standard output
    #[arg(long)]
    pub json: bool,

    /// Make the signature of an image
    #[arg(short, long, help_heading = "What to do")]
    #[arg(conflicts_with_all = ["check", "report", "device"])]
    pub create: bool,
    /// Check a signature against its image
    #[arg(short = 'S', long, help_heading = "What to do", conflicts_with_all = ["report", "device"])]
    pub check: bool,
    /// Print the blocks instead of writing a signature; twice for more columns
    #[arg(short = 'R', long, action = ArgAction::Count, help_heading = "What to do")]
    #[arg(conflicts_with_all = ["device", "json"])]
    pub report: u8,
    /// The signature's file; alone: show it
    #[arg(short, long, value_name = "SIGNATURE", help_heading = "What to do")]
    pub output: Option<PathBuf>,

    /// The digest of a new signature, by default sha1; raw compares disk and image byte by byte
    #[arg(short = 'D', long, value_name = "DIGEST", ignore_case = true)]
    #[arg(help_heading = "How to do it")]
    pub digest: Option<Method>,
    /// The size of a new signature's hash blocks in bytes, by default 65536
    #[arg(short, long, value_name = "BYTES", help_heading = "How to do it")]
    pub block_size: Option<BlockSize>,
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
    #[arg(short = '2', long, help_heading = "How to do it", conflicts_with = "v1")]
    pub v2: bool,
    /// Write version 1, for programs from before 2014
    #[arg(long, help_heading = "How to do it")]
    pub v1: bool,
    /// One thread
    #[arg(short = 'n', long, help_heading = "How to do it")]
    pub single_thread: bool,
    /// Threads; by default one for each CPU
    #[arg(long, value_name = "N", help_heading = "How to do it", conflicts_with = "single_thread")]
    pub threads: Option<usize>,

    /// The image is of this partition of the device
    #[arg(long, value_name = "N", help_heading = "Where the image is", requires = "device")]
    #[arg(conflicts_with_all = ["create", "check", "report"])]
    pub partition: Option<u32>,
    /// The image begins at this sector of the device
    #[arg(long, value_name = "SECTOR", help_heading = "Where the image is", alias = "base")]
    #[arg(requires = "device", conflicts_with_all = ["partition", "create", "check", "report"])]
    pub offset: Option<u64>,

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

    /// Check the signed checksums of an image of version 4 with this key
    #[arg(short = 'a', long, value_name = "FILE", help_heading = "Keys")]
    pub checksum_key: Option<PathBuf>,
    /// Decrypt an image of version 4 with this key
    #[arg(short = 'k', long, value_name = "FILE", help_heading = "Keys")]
    pub key: Option<PathBuf>,

    /// Signed images.
    #[command(flatten)]
    pub signing: Signing,

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

/// The status when a signature can't be read or made.
const NO_SIGNATURE: u8 = 2;
/// The status of -S when entries differ.
const ENTRIES_DIFFER: u8 = 255;

impl Run for Imagehash {
    fn run(self) -> anyhow::Result<Exit> {
        let Some(image) = &self.image else { return self.act() };
        let signer = self.signing.begin(image)?;
        let exit = self.act()?;
        if let Some(signer) = signer {
            signer.sign(image)?;
        }
        Ok(exit)
    }
}

impl Imagehash {
    /// Does everything but signing.
    fn act(&self) -> anyhow::Result<Exit> {
        let raw = self.digest == Some(Method::Raw);
        match (&self.image, &self.device, &self.output) {
            (Some(_), None, _) if raw => {
                bail!("-D raw compares an image with a device: name both, without -c, -S and -R")
            }
            (Some(image), None, _) if self.create => self.create(image),
            (Some(image), None, _) if self.check => self.check(image),
            (Some(image), None, _) if self.report > 0 => self.report(image),
            (Some(image), Some(device), _) if raw => self.check_bytes(image, device),
            (Some(image), Some(device), _) => self.check_device(image, device),
            (_, None, Some(signature)) if !self.create && !self.check && self.report == 0 => {
                self.dump(signature)
            }
            (Some(_), None, None) if self.signing.is_wanted() => Ok(Exit::OK),
            (Some(image), None, None) => bail!(
                "nothing to do with {}: name a device to check, or use -c to make its signature",
                image.display()
            ),
            _ => bail!("an image is needed"),
        }
    }

    /// Makes a signature file.
    fn create(&self, image: &Path) -> anyhow::Result<Exit> {
        let output = self.signature_path(image);
        let making = || Failure::new(NO_SIGNATURE, format!("no signature for {}", image.display()));
        if same_place(&output, image) {
            let error = anyhow!("{}: it would overwrite the image", output.display());
            return Err(error).with_context(making);
        }
        let how = self.hashing(None);
        let version = if self.v1 { Version::V1 } else { Version::V2 };
        // Before the image is read, which takes time.
        version
            .check(how.hash_type, how.block, SectorCount::ZERO)
            .map_err(imagezip_core::Error::from)
            .with_context(making)?;
        let work = self.work();
        let subject = self.subject(image).with_context(making)?;
        let signature = hash_subject(&subject, how, &work).with_context(making)?;
        let mut bytes = Vec::new();
        signature.write_as(version, &mut bytes).with_context(making)?;
        write_atomically(&output, &bytes, Some(subject.modified())).with_context(making)?;
        self.tell(&work.about(image, None, &signature))
    }

    /// The signature that a device is compared with: one that is there, or one that is made.
    fn signature_for(&self, subject: &Subject, work: &Work) -> anyhow::Result<Signature> {
        if let Some(path) = &self.output {
            return read_signature(path);
        }
        let path = hash::path_of(subject.path());
        let name = path.display();
        let instead = "the image is hashed instead";
        match hash::age(&path, subject.modified())? {
            Age::Absent if self.detail > 0 => eprintln!("imagehash: no {name}: {instead}"),
            Age::Absent => {}
            Age::Other => eprintln!(
                "imagehash: {name} is not as old as its image, so it may be another's: {instead} \
                 (-o takes it as it is)"
            ),
            Age::Same => match hash::read(&path) {
                Ok(signature) if self.is_wanted(&signature) => return Ok(signature),
                Ok(_) => eprintln!("imagehash: {name} has another digest or block size: {instead}"),
                Err(error) => eprintln!("imagehash: {error:#}: {instead}"),
            },
        }
        self.hash(subject.path(), self.hashing(None), work)
    }

    /// Whether a signature is of the kind that was asked for, if one was.
    fn is_wanted(&self, signature: &Signature) -> bool {
        let how = self.hashing(Some(signature));
        (how.hash_type, how.block) == (signature.hash_type(), signature.block())
    }

    fn hash(&self, image: &Path, how: Hashing, work: &Work) -> anyhow::Result<Signature> {
        let making = || Failure::new(NO_SIGNATURE, format!("no signature for {}", image.display()));
        let subject = self.subject(image).with_context(making)?;
        hash_subject(&subject, how, work).with_context(making)
    }

    fn subject(&self, image: &Path) -> anyhow::Result<Subject> {
        if self.regular_file {
            return Subject::plain(image);
        }
        let keys = KeyRing::of_files(self.key.as_deref(), self.checksum_key.as_deref())?;
        Subject::image(image, keys)
    }

    /// How to hash: as was asked for, or else as a signature was made.
    fn hashing(&self, like: Option<&Signature>) -> Hashing {
        let hash_type = match self.digest {
            Some(Method::Md5) => HashType::Md5,
            Some(Method::Sha1) => HashType::Sha1,
            Some(Method::Sha256) => HashType::Sha256,
            Some(Method::Raw) | None => like.map(Signature::hash_type).unwrap_or_default(),
        };
        let block = self.block_size.and_then(|BlockSize(bytes)| HashBlockSize::new(bytes / 512));
        let block = block.or(like.map(Signature::block)).unwrap_or_default();
        let joining = if self.merge { Joining::Blocks } else { Joining::Chunks };
        Hashing { hash_type, block, joining, skip_relocated: self.skip_relocated }
    }

    fn signature_path(&self, image: &Path) -> PathBuf {
        self.output.clone().unwrap_or_else(|| hash::path_of(image))
    }

    fn workers(&self) -> Threads {
        match (self.single_thread, self.threads) {
            (true, _) => Threads::new(1),
            (false, Some(count)) => Threads::new(count),
            (false, None) => Threads::all_cpus(),
        }
    }

    /// Where on the device the image begins.
    fn start(&self) -> anyhow::Result<Sector> {
        let start = Sector::new(self.offset.unwrap_or(0));
        start.context("--offset: there is no sector of that number")
    }
}

const STANDARD_OUTPUT: &str = "writing to standard output";

fn hash_subject(subject: &Subject, how: Hashing, work: &Work) -> anyhow::Result<Signature> {
    // What is wrong with it is found when it is hashed.
    let total = subject.data_len().unwrap_or_default();
    work.watch("hashed", total, || subject.hash(&work.workers, how, &work.done))
}

fn read_signature(path: &Path) -> anyhow::Result<Signature> {
    hash::read(path)
        .with_context(|| Failure::new(NO_SIGNATURE, format!("no signature in {}", path.display())))
}
