//! Making the delta of a device that images make to the lowest of them.

use std::path::Path;
use std::sync::atomic::AtomicU64;

use anyhow::Context;
use imagezip_core::digest::HashType;
use imagezip_core::extent::ExtentSet;
use imagezip_core::pipeline::{Hashing, hash_image};
use imagezip_core::signature::{HashBlockSize, Signature};

use super::comparison::comparable;
use super::report::Report;
use super::{Made, Options, Signed, Stack, Work, make};
use crate::commands::Exit;

/// A delta to be made.
#[derive(Clone, Copy)]
pub struct DeltaWork<'a> {
    /// The old image alone.
    pub old: &'a Stack<'a>,
    /// The old image's signature, if it is known.
    pub signature: Option<&'a Signature>,
    /// The old image and all that is on top of it. Sectors that are free in the new state and have
    /// an old content are taken for unchanged: they are none of the delta's business.
    pub stack: &'a Stack<'a>,
    /// The sectors that the new state holds.
    pub in_use: &'a ExtentSet,
    /// The delta's file.
    pub path: &'a Path,
    /// Whether to write the new state's signature, not the delta's own.
    pub full_signature: bool,
    /// Whether to write a delta without data, too.
    pub empty: bool,
    /// What to say instead of writing one.
    pub nothing: &'a str,
}

impl DeltaWork<'_> {
    /// Makes the delta, and says on standard output how large it is.
    ///
    /// # Errors
    /// As [`make`].
    pub fn run(self, options: &Options) -> anyhow::Result<Exit> {
        let made = self.make(options)?;
        let report = Report::new(self.path, made.image(), self.in_use.sector_count());
        let is_file = made.is_file();
        let line = if report.sectors > 0 || self.empty {
            let signed = if self.full_signature { Signed::Full } else { Signed::Own };
            made.finish(Some(self.stack.top()?.modified()), signed, options)?;
            Some(report.delta_line())
        } else {
            made.discard()?;
            if !options.quiet {
                eprintln!("{}", self.nothing);
            }
            None
        };
        report.print(line, is_file, options)
    }

    fn make(self, options: &Options) -> anyhow::Result<Made> {
        let Self { old, signature, stack, in_use, .. } = self;
        let from = signature.map(|signature| (signature.hash_type(), signature.block()));
        let (hash_type, block) = options.hashing(from)?;
        let known = signature.filter(|signature| serves(signature, hash_type, block));
        let hashed = match known {
            Some(_) => None,
            None => Some(hash(old, hash_type, block, options)?),
        };
        let signature = known.or(hashed.as_ref()).context("there is a signature")?;
        let base = comparable(signature, old, stack)?;
        make(Work { stack, in_use, base: &base }, self.path, options)
    }
}

/// Whether comparing with `signature` gives a signature with this digest and these blocks.
fn serves(signature: &Signature, hash_type: HashType, block: HashBlockSize) -> bool {
    // What can't be written is compared all the same, and SHA-1 is written.
    let writes = match signature.hash_type() {
        HashType::Sha256 => HashType::Sha1,
        other => other,
    };
    (writes, signature.block()) == (hash_type, block)
}

fn hash(
    old: &Stack<'_>,
    hash_type: HashType,
    block: HashBlockSize,
    options: &Options,
) -> anyhow::Result<Signature> {
    let how = Hashing { hash_type, block, ..Hashing::default() };
    let image = old.layers.image(0).context("there is an old image")?;
    let name = old.top()?.path().display();
    hash_image(&options.workers(), image, how, &AtomicU64::new(0))
        .with_context(|| format!("reading {name}"))
}
