//! Whether files are what they should be.

use std::fs::File;

use anyhow::{Context, ensure};
use imagezip_core::codec::Decompressor;
use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::Image;
use imagezip_core::signature::Signature;

use crate::files::FileReader;

/// Decodes a whole image.
pub(super) fn check_image(file: &File) -> anyhow::Result<()> {
    let reader = FileReader::new(file)?;
    let image = Image::open(&reader).context("it is no image")?;
    ensure!(image.chunk_count() > 0, "it is empty, and no disk can be loaded with it");
    let mut chunks = image.chunks();
    let mut decompressor = Decompressor::new();
    while let Some(chunk) = chunks.next_chunk().context("the image is damaged")? {
        chunk.decode(&mut decompressor, &mut |_, _| Ok(())).context("the image is damaged")?;
    }
    Ok(())
}

/// The sectors that an image holds.
pub(super) fn extents(file: &File) -> anyhow::Result<ExtentSet> {
    let reader = FileReader::new(file)?;
    let image = Image::open(&reader).context("it is no image")?;
    image.extents().context("the image is damaged")
}

/// Reads a signature.
pub(super) fn check_signature(bytes: &[u8]) -> anyhow::Result<Signature> {
    Signature::read(bytes).context("the signature is damaged")
}

/// Whether a signature is about exactly the sectors that its image holds.
pub(super) fn check_pair(signature: &Signature, extents: &ExtentSet) -> anyhow::Result<()> {
    let mut signed = ExtentSet::new();
    signed.extend(signature.iter().map(|entry| entry.range));
    ensure!(signed == *extents, "the signature is about other sectors than the image holds");
    Ok(())
}
