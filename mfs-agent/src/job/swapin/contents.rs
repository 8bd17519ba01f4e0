//! What a disk is loaded with, wherever it comes from.

use alloc::string::String;

use imagezip_core::buffer::PageBuffer;
use imagezip_core::device::ReadAt;
use imagezip_core::digest::{Sha256, Sha256Hasher};
use imagezip_core::sector::Bytes;
use imagezip_core::signature::Signature;
use imagezip_core::swapinfo::Phase;

use crate::failure::{FailureKind, Result};
use crate::job::base::BaseImage;
use crate::progress::Progress;
use crate::project::stored::StoredFile;

/// What is read at once to check an image.
const STEP: usize = 1 << 20;

/// An image that is all of it, or a base image and the delta to it.
pub(super) struct Contents<'a> {
    /// The delta, or the only image.
    pub(super) image: StoredFile<'a>,
    /// Its name.
    pub(super) name: String,
    /// Of the disk with everything on it.
    pub(super) signature: Signature,
    /// The base image, if the other one is a delta.
    pub(super) base: Option<(BaseImage, StoredFile<'a>)>,
    /// The partition that is loaded; 0 is the whole disk.
    pub(super) partition: u8,
    /// The disk that it comes from; nothing tells that of a base image.
    pub(super) origin: Option<Origin>,
    /// What the image must be, if something tells.
    pub(super) expected: Option<Expected>,
}

/// The disk that was saved.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    /// In bytes.
    pub(super) disk_size: u64,
    /// Of logical sectors, in bytes.
    pub(super) sector_size: u32,
}

/// What an image must be.
#[derive(Clone, Copy)]
pub(super) struct Expected {
    pub(super) size: Option<u64>,
    pub(super) sha256: Sha256,
    /// The file that says so.
    pub(super) said_by: &'static str,
    /// What it is called if the image is another one.
    pub(super) fault: FailureKind,
}

impl Contents<'_> {
    /// Reads the whole of the image, if something tells what it must be, and checks that it is
    /// that.
    ///
    /// # Errors
    /// It isn't, as the kind that goes with it; `ProjectFile`.
    pub(super) fn check_image(&self, progress: &Progress) -> Result<()> {
        let Self { image, name, expected: Some(expected), .. } = self else { return Ok(()) };
        progress.enter(Phase::Verify);
        let Expected { size, sha256, said_by, fault } = *expected;
        let another = |why: core::fmt::Arguments<'_>| {
            fault.because(format_args!(
                "{name} {why}; it is damaged, or not the one that is meant, and is not loaded"
            ))
        };
        let there = image.size().get();
        if let Some(size) = size.filter(|size| *size != there) {
            return Err(another(format_args!("has {there} bytes, but {said_by} says {size}")));
        }
        let digest = digest(image).map_err(|error| {
            FailureKind::ProjectFile.because(format_args!("reading {name}: {error}"))
        })?;
        if digest != sha256 {
            let why = format_args!("has SHA-256 {digest}, but {said_by} says {sha256}");
            return Err(another(why));
        }
        Ok(())
    }
}

fn digest(file: &StoredFile<'_>) -> imagezip_core::Result<Sha256> {
    let mut buffer = PageBuffer::new();
    let mut hasher = Sha256Hasher::new();
    let (mut at, size) = (0_u64, file.size().get());
    while at < size {
        let left = usize::try_from(size.saturating_sub(at)).unwrap_or(usize::MAX);
        let part = buffer.grown(left.min(STEP));
        file.read_at(Bytes(at), part)?;
        hasher.update(part);
        at = at.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
    }
    Ok(hasher.finish())
}
