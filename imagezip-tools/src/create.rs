//! Making images and their signatures.

pub mod base;
pub mod choice;
mod dots;
pub mod hash_stats;
pub mod image;
mod job;
pub mod prepare;
pub mod report;
pub mod request;
mod timed;

pub use job::run;
pub use request::{Destination, Relocations, Request};

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

use anyhow::Context;
use embedded_io_adapters::std::FromStd;
use imagezip_core::allocation::DiskMap;
use imagezip_core::device::ReadAt;
use imagezip_core::digest::{Sha256, Sha256Hasher};
use imagezip_core::pipeline::{Progress, Saved, Source, save, verify};
use imagezip_core::signature::Signature;

use crate::host::{FileDevice, Threads};

/// Writes the image of `device` to a new file `image`, and the signature of what was saved to
/// `signature`. With a base signature the image is the delta to that base.
///
/// Both are durable and the image has been read back when this returns.
///
/// # Errors
/// If the disk can't be read, a file can't be written, or the image doesn't give back what was
/// read. Then the files are of no use.
pub fn create(
    device: &dyn ReadAt,
    map: &DiskMap,
    base: Option<&Signature>,
    image: &Path,
    signature: &Path,
) -> anyhow::Result<Saved> {
    let workers = Threads::all_cpus();
    let writing = |path: &Path| format!("writing {}", path.display());
    let file = File::create(image).with_context(|| writing(image))?;
    let source = Source { base, ..Source::new(device, map) };
    let saved = save(&workers, source, FromStd::new(&file), &Progress::default())
        .with_context(|| writing(image))?;
    file.sync_all().with_context(|| writing(image))?;
    verify(&workers, &FileDevice::open(image)?, &saved.proof)
        .with_context(|| format!("checking {}", image.display()))?;

    let mut bytes = Vec::new();
    saved.signature.write(&mut bytes)?;
    File::create(signature)
        .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
        .with_context(|| writing(signature))?;
    Ok(saved)
}

/// The SHA-256 of a file.
///
/// # Errors
/// If it can't be read.
pub fn sha256_of(path: &Path) -> anyhow::Result<Sha256> {
    let reading = || format!("reading {}", path.display());
    let mut file = BufReader::new(File::open(path).with_context(reading)?);
    let mut hasher = Sha256Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let len = file.read(&mut buffer).with_context(reading)?;
        if len == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..len]);
    }
}
