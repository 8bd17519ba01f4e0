//! Writing an image and what belongs to it.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use anyhow::Context;
use embedded_io_adapters::std::FromStd;
use imagezip_core::device::ReadAt;
use imagezip_core::error::{ErrorKind, Limit, Place};
use imagezip_core::ndz::Format;
use imagezip_core::pipeline::{Progress, Saved, Source, save, verify};
use imagezip_core::sector::Bytes;
use imagezip_core::signature::Signature;

use super::base::Base;
use super::dots::Dots;
use super::hash_stats::Comparison;
use super::prepare::Prepared;
use super::request::{Destination, Request};
use crate::output::{Output, write_atomically};
use crate::signing::Signer;

/// A comparison of a disk with its base image's signature.
#[derive(Clone, Debug)]
pub struct Choice {
    /// What was found.
    pub comparison: Comparison,
    /// Whether the image shall be a full one.
    pub full: bool,
}

/// Compares a disk with its base image's signature before anything is written.
///
/// # Errors
/// If the disk can't be read.
pub fn compare(
    view: &dyn ReadAt,
    prepared: &Prepared,
    base: &Base,
    request: &Request,
) -> anyhow::Result<Choice> {
    let changed = base.changed(&request.workers, view, prepared, &AtomicU64::new(0))?;
    let comparison = Comparison::new(&base.signature, &prepared.map.in_use, &changed);
    let (all, delta) = (comparison.current, comparison.delta());
    let full = request.max_delta.is_some_and(|most| {
        all == 0 || u128::from(delta) * 100 > u128::from(most) * u128::from(all)
    });
    Ok(Choice { comparison, full })
}

/// An image that has been written.
#[derive(Debug)]
pub struct Written {
    /// What was saved.
    pub saved: Saved,
    /// The size of the image.
    pub size: Bytes,
    /// How long reading, compressing and writing took.
    pub time: Duration,
    /// What the comparison with the base image has found, if it is a delta.
    pub comparison: Option<Comparison>,
}

/// Checks what can be checked before a long save: that what comes after it will work.
///
/// # Errors
/// If something would fail at the end.
pub fn check_destination(
    destination: &Destination,
    prepared: &Prepared,
) -> anyhow::Result<Option<Signer>> {
    if let Some(signature) = &destination.signature {
        let name = signature.display();
        let end = prepared.map.in_use.end().filter(|end| end.get() > 1 << 32);
        if let Some(end) = end {
            let error = ErrorKind::TooLarge(Limit::Sector32).at(Place::Sector(end));
            return Err(anyhow::Error::new(error).context(format!("{name}: leave out -U")));
        }
        let directory = signature.parent().filter(|path| !path.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        fs::read_dir(directory).with_context(|| format!("{name}: {}", directory.display()))?;
    }
    destination.key.as_deref().map(|key| Signer::load(key, None)).transpose()
}

/// Writes the image of `view`, and its signature.
///
/// # Errors
/// If something can't be read or written, or the image is not as it should be. Then there is no
/// image.
pub fn write(
    view: &dyn ReadAt,
    prepared: &Prepared,
    base: Option<&Base>,
    full: bool,
    request: &Request,
    destination: &Destination,
) -> anyhow::Result<Written> {
    let signer = check_destination(destination, prepared)?;
    let mut output = Output::create(&destination.image)?.synced(destination.sync);
    let progress = Progress::default();
    let empty = base.filter(|_| full).map(Base::empty);
    let source = Source {
        base: empty.as_ref().or(base.map(|base| &base.signature)),
        level: request.level,
        relocs: &prepared.relocs,
        format: prepared.format,
        id: request.id.unwrap_or_default(),
        ..Source::new(view, &prepared.map)
    };
    let start = Instant::now();
    let mut dots = Dots::new(&mut output, destination.dots, &progress);
    let saved = save(&request.workers, source, FromStd::new(&mut dots), &progress);
    dots.finish();
    let saved = saved.map_err(|error| match error.kind {
        ErrorKind::Write(_) => output.explain(error),
        ErrorKind::Read(_) | ErrorKind::Truncated => {
            anyhow::Error::new(error).context(format!("reading {}", request.source.display()))
        }
        _ => anyhow::Error::new(error),
    })?;
    let time = start.elapsed();
    if prepared.format == Format::V1 {
        for (at, bytes) in saved.image.totals() {
            output.patch(at.get(), &bytes)?;
        }
    }
    if let Some(written) = output.written().filter(|_| destination.verify) {
        verify(&request.workers, &written, &saved.proof)
            .with_context(|| format!("checking {}", destination.image.display()))?;
    }
    let (size, is_file) = (output.len(), output.written().is_some());
    output.finish()?;
    if let Some(signature) = &destination.signature {
        let image = is_file.then_some(destination.image.as_path());
        write_signature(&saved.signature, signature, image)?;
    }
    if let Some(signer) = signer {
        signer.sign(&destination.image)?;
    }
    let comparison = base
        .filter(|_| !full)
        .map(|base| Comparison::new(&base.signature, &prepared.map.in_use, saved.proof.extents()));
    Ok(Written { saved, size, time, comparison })
}

/// Writes a signature, as old as its image.
fn write_signature(signature: &Signature, path: &Path, image: Option<&Path>) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    signature.write(&mut bytes).with_context(|| format!("writing {}", path.display()))?;
    let modified = match image {
        None => None,
        Some(image) => {
            let modified = fs::metadata(image).and_then(|metadata| metadata.modified());
            Some(modified.with_context(|| image.display().to_string())?)
        }
    };
    write_atomically(path, &bytes, modified)
}
