//! What the tools that make images of images have in common on the command line.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{ArgAction, Args};
use imagezip_core::codec::Level;
use imagezip_core::digest::HashType;
use imagezip_core::ndz::Format;
use imagezip_core::pipeline::Workers;
use imagezip_core::signature::HashBlockSize;

use super::Inputs;
use crate::commands::values::{BlockSize, Digest};
use crate::host::Threads;
use crate::keys::KeyRing;

/// Options of all tools that make images of images.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag of the classic tools")]
pub struct Options {
    /// More detail on standard error; twice for more
    #[arg(short, long, action = ArgAction::Count)]
    pub detail: u8,
    /// Say nothing but errors and what is asked for
    #[arg(long)]
    pub quiet: bool,
    /// Print statistics as JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Take a signature even if its file is not as old as its image's
    #[arg(short = 'f', long)]
    pub ignore_mtime: bool,
    /// The digest of the new signature; by default that of the signature it is made from, or SHA-1
    #[arg(short = 'D', long, value_name = "DIGEST", ignore_case = true)]
    pub digest: Option<Digest>,
    /// The size of the new signature's hash blocks in bytes; by default that of the signature it
    /// is made from, or 65536
    #[arg(short = 'b', long, value_name = "BYTES")]
    pub block_size: Option<BlockSize>,
    /// Don't write a signature
    #[arg(long)]
    pub no_signature: bool,
    /// Compression level, from 0 (none) to 9 (smallest)
    #[arg(short = 'z', long, value_name = "LEVEL", default_value_t = 4)]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=9))]
    pub level: u8,
    /// Write version 1, for programs from before 2005
    #[arg(short = '1', long, help_heading = "Format", conflicts_with_all = ["v3", "v5"])]
    pub v1: bool,
    /// Write version 3; the default unless an image is of version 5 or needs it
    #[arg(short = '3', long, help_heading = "Format", conflicts_with = "v5")]
    pub v3: bool,
    /// Write version 5, which has sector numbers of 64 bits
    #[arg(short = '5', long, help_heading = "Format")]
    pub v5: bool,
    /// Check the signed checksums of images of version 4 with this key
    #[arg(short = 'a', long, value_name = "FILE", help_heading = "Keys")]
    pub checksum_key: Option<PathBuf>,
    /// Decrypt images of version 4 with this key
    #[arg(short = 'k', long, value_name = "FILE", help_heading = "Keys")]
    pub key: Option<PathBuf>,
    /// Threads; by default one for each CPU
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Don't read the image back and compare it
    #[arg(long)]
    pub no_verify: bool,
}

impl Options {
    /// The keys that were given.
    ///
    /// # Errors
    /// If a key file can't be read.
    pub fn keys(&self) -> anyhow::Result<KeyRing> {
        KeyRing::of_files(self.key.as_deref(), self.checksum_key.as_deref())
    }

    /// The threads to work with.
    pub fn workers(&self) -> Threads {
        self.threads.map_or_else(Threads::all_cpus, Threads::new)
    }

    /// Opens the images at `paths`, the lowest first, to make something of them.
    ///
    /// # Errors
    /// If one of them or a key file can't be read.
    pub fn open<P: AsRef<Path>>(
        &self,
        paths: impl IntoIterator<Item = P>,
    ) -> anyhow::Result<Inputs> {
        Inputs::open(paths, self.keys()?, self.workers().count().saturating_mul(2))
    }

    /// How hard to compress.
    pub fn level(&self) -> Level {
        Level::new(self.level).unwrap_or_default()
    }

    /// The version that was asked for, if any.
    pub fn format(&self) -> Option<Format> {
        let choices = [(self.v1, Format::V1), (self.v3, Format::V3), (self.v5, Format::V5)];
        choices.into_iter().find_map(|(chosen, format)| chosen.then_some(format))
    }

    /// The digest and the hash blocks of the new signature, which is made from a signature with
    /// those of `from`, or from none.
    ///
    /// # Errors
    /// If SHA-256 is asked for: signature files that are written have no room for it.
    pub fn hashing(
        &self,
        from: Option<(HashType, HashBlockSize)>,
    ) -> anyhow::Result<(HashType, HashBlockSize)> {
        let hash_type = match (self.digest, from) {
            (Some(Digest::Sha256), _) if !self.no_signature => {
                bail!("signature files have no room for SHA-256: use sha1")
            }
            (Some(Digest::Md5), _) | (None, Some((HashType::Md5, _))) => HashType::Md5,
            _ => HashType::Sha1,
        };
        let block = match (self.block_size, from) {
            (Some(BlockSize(bytes)), _) => {
                HashBlockSize::new(bytes / 512).context("a hash block of that size")?
            }
            (None, Some((_, block))) => block,
            (None, None) => HashBlockSize::default(),
        };
        Ok((hash_type, block))
    }
}
