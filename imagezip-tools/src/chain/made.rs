//! Writing an image of images, and its signature.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::time::SystemTime;

use anyhow::Context;
use embedded_io_adapters::std::FromStd;
use imagezip_core::allocation::DiskMap;
use imagezip_core::error::{Error, ErrorKind, Limit, Place};
use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::{Image, Written};
use imagezip_core::pipeline::{Hashing, Progress, Saved, Source, hash_image, save, verify};
use imagezip_core::sector::SectorRange;
use imagezip_core::signature::Signature;

use super::{Options, Stack, signature};
use crate::output::Output;
use crate::progress::{SaveMeter, Show, watch};

/// What to write.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    /// Where the data come from.
    pub stack: &'a Stack<'a>,
    /// The sectors that the image is about.
    pub in_use: &'a ExtentSet,
    /// The signature of what the image is a delta to; one without entries for an image of all
    /// sectors. The new signature has its digest and hash blocks.
    pub base: &'a Signature,
}

/// An image that has been written and read back, but does not have its name for good.
#[derive(Debug)]
pub struct Made {
    path: PathBuf,
    output: Output,
    saved: Saved,
}

/// Writes an image to `path`.
///
/// # Errors
/// If an image can't be read, the result can't be written or is not as it should be, or its
/// signature could not be written. Then there is no result.
pub fn make(work: Work<'_>, path: &Path, options: &Options) -> anyhow::Result<Made> {
    let (stack, workers) = (work.stack, options.workers());
    let (format, id) = stack.format(work.in_use)?;
    let format = options.format().unwrap_or(format);
    let mut output = Output::create(path)?;
    if output.is_file() && !options.no_signature {
        check_expressible(work.in_use).with_context(|| {
            let name = signature::path_of(path);
            format!("{}: use --no-signature", name.display())
        })?;
    }
    let area = SectorRange::first(stack.layers.sectors());
    let map = DiskMap::known(area, work.in_use.clone());
    let source = Source {
        base: Some(work.base),
        level: options.level(),
        relocs: stack.layers.relocs(),
        format,
        id,
        ..Source::new(&stack.layers, &map)
    };
    let progress = Progress::default();
    let meter = SaveMeter::new(&progress, work.in_use.sector_count().to_bytes(), &|| 0);
    let show = Show { bar: !options.quiet, dots: None };
    let saved =
        watch(&meter, show, || save(&workers, source, FromStd::new(&mut output), &progress));
    let saved = saved.map_err(|error| match error.kind {
        ErrorKind::Write(_) => output.explain(error),
        _ => stack.explain(error),
    })?;
    if options.v1 {
        for (at, bytes) in saved.image.totals() {
            output.patch(at.get(), &bytes)?;
        }
    }
    if let Some(written) = output.written()?.filter(|_| !options.no_verify) {
        verify(&workers, &written, &saved.proof)
            .with_context(|| format!("checking {}", path.display()))?;
    }
    Ok(Made { path: path.to_owned(), output, saved })
}

/// Checks that a signature file has numbers for all of these sectors.
fn check_expressible(in_use: &ExtentSet) -> Result<(), Error> {
    const END: u64 = 1 << 32;
    match in_use.end().filter(|end| end.get() > END) {
        Some(end) => Err(ErrorKind::TooLarge(Limit::Sector32).at(Place::Sector(end))),
        None => Ok(()),
    }
}

/// What the signature beside an image is about.
#[derive(Clone, Debug)]
pub enum Signed {
    /// What is in the image itself.
    Own,
    /// All sectors that the image is about.
    Full,
    /// All sectors that the image is about, with data that are not all at hand.
    With(Signature),
}

impl Made {
    /// What is in the image.
    pub fn image(&self) -> &Written {
        &self.saved.image
    }

    /// The signature of all sectors that the image is about: of base image and delta together.
    pub fn full_signature(&self) -> &Signature {
        &self.saved.signature
    }

    /// The signature of what is in the image itself.
    fn own_signature(&mut self, options: &Options) -> anyhow::Result<Signature> {
        let full = &self.saved.signature;
        let (hash_type, block) = (full.hash_type(), full.block());
        let Some(written) = self.output.written()? else {
            return Ok(Signature::new(hash_type, block));
        };
        let how = Hashing { hash_type, block, ..Hashing::default() };
        let image = Image::open(&written)?;
        hash_image(&options.workers(), &image, how, &AtomicU64::new(0))
            .with_context(|| format!("reading {} back", self.output.name()))
    }

    /// Whether the image is in a file, and can have a time and a signature.
    pub fn is_file(&self) -> bool {
        self.output.is_file()
    }

    /// Gives the image its name and its time, and puts a signature beside it.
    ///
    /// # Errors
    /// If that can't be done.
    pub fn finish(
        mut self,
        modified: Option<SystemTime>,
        signed: Signed,
        options: &Options,
    ) -> anyhow::Result<()> {
        if !self.is_file() {
            return self.output.finish();
        }
        let signature = match signed {
            _ if options.no_signature => None,
            Signed::Own => Some(self.own_signature(options)?),
            Signed::Full => Some(self.saved.signature),
            Signed::With(mut signature) => {
                signature.number_chunks(&self.saved.image.map);
                Some(signature)
            }
        };
        self.output.finish()?;
        let path = self.path;
        if let Some(modified) = modified {
            let file = File::options().write(true).open(&path);
            file.and_then(|file| file.set_modified(modified))
                .with_context(|| format!("setting the time of {}", path.display()))?;
        }
        signature.map_or(Ok(()), |signature| signature::write(&path, &signature, options))
    }

    /// Removes the image, and what was there under its name before.
    ///
    /// # Errors
    /// If that can't be removed.
    pub fn discard(self) -> anyhow::Result<()> {
        let is_file = self.is_file();
        drop(self.output);
        for path in [signature::path_of(&self.path), self.path].iter().filter(|_| is_file) {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("removing {}", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
