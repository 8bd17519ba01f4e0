//! The files of a saved disk, and whether they belong together.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use imagezip_core::digest::Sha256;
use imagezip_core::signature::Signature;
use imagezip_core::swapinfo::{Base, Meta};

use crate::create::sha256_of;
use crate::hash::signature_file;
use crate::host::FileDevice;

/// An image and its signature.
#[derive(Debug)]
pub struct SignedFile {
    /// The image's path.
    pub path: PathBuf,
    /// The image.
    pub file: FileDevice,
    /// The signature's path.
    pub signature_path: PathBuf,
    /// The signature.
    pub signature: Signature,
}

impl SignedFile {
    /// Opens the image at `path`, and its signature at `signature` or else beside it: `IMAGE.sig`,
    /// or with `.sig` in place of `.ndz`, as nodes write it.
    ///
    /// # Errors
    /// If one of them isn't there or can't be read.
    pub fn open(path: &Path, signature: Option<&Path>) -> anyhow::Result<Self> {
        let file = FileDevice::open(path)?;
        let signature_path = match signature {
            Some(path) => path.to_owned(),
            None => beside(path)?,
        };
        let signature = signature_file::read(&signature_path)?;
        Ok(Self { path: path.to_owned(), file, signature_path, signature })
    }
}

/// The signature beside an image.
fn beside(image: &Path) -> anyhow::Result<PathBuf> {
    let mut appended = image.as_os_str().to_owned();
    appended.push(".sig");
    let candidates = [PathBuf::from(appended), image.with_extension("sig")];
    match candidates.iter().find(|path| path.exists()) {
        Some(path) => Ok(path.clone()),
        None => bail!(
            "{}: its signature is neither {} nor {}; what is loaded can't be proven without",
            image.display(),
            candidates[0].display(),
            candidates[1].display()
        ),
    }
}

/// The description that a node wrote with the image at `path`: `.meta` in place of `.ndz`.
///
/// # Errors
/// If it is there and can't be read.
pub fn description_beside(path: &Path) -> anyhow::Result<Option<Meta>> {
    let path = path.with_extension("meta");
    if path.exists() { read_description(&path).map(Some) } else { Ok(None) }
}

/// Reads a `.meta`.
///
/// # Errors
/// If it can't be read or is none.
pub fn read_description(path: &Path) -> anyhow::Result<Meta> {
    let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    Meta::parse(&text).with_context(|| path.display().to_string())
}

/// Checks that what `meta` says is said of these files: `last` is the image that was saved, `base`
/// what it is a delta to.
///
/// # Errors
/// What differs.
pub fn check_description(
    meta: &Meta,
    base: Option<&SignedFile>,
    last: &SignedFile,
) -> anyhow::Result<()> {
    match (&meta.base, base) {
        (None, None) => {}
        (Some(said), Some(base)) => check_base(said, base, &last.path)?,
        (None, Some(base)) => bail!(
            "{} is a full image by its .meta: it needs no base image, and {} must be left out",
            last.path.display(),
            base.path.display()
        ),
        (Some(said), None) => bail!(
            "{} is a delta by its .meta: the base image of {} must come before it",
            last.path.display(),
            said.name
        ),
    }
    if let Some(said) = meta.signature_sha256 {
        must_be(said, &last.signature_path, "the .meta of the image that was saved")?;
    }
    must_be(meta.image_sha256, &last.path, "its .meta")
}

fn check_base(said: &Base, base: &SignedFile, delta: &Path) -> anyhow::Result<()> {
    let delta = format!("the .meta of {}", delta.display());
    must_be(said.signature_sha256, &base.signature_path, &delta)?;
    said.image_sha256.map_or(Ok(()), |digest| must_be(digest, &base.path, &delta))
}

/// Checks a file's digest.
fn must_be(said: [u8; 32], path: &Path, by: &str) -> anyhow::Result<()> {
    let (there, said) = (sha256_of(path)?, Sha256(said));
    ensure!(
        there == said,
        "{} has SHA-256 {there}, but {by} names {said}: it is another file, or damaged; nothing \
         was written",
        path.display()
    );
    Ok(())
}
