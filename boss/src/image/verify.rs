//! Whether an image is what it was when it was made.

use std::fs::File;

use anyhow::Context;

use super::sound::check_image;
use super::{Images, place_of};
use crate::db::images::Image;
use crate::files::{blocking, digest};
use crate::names::ImageId;

/// What was found.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The version that was read.
    pub image: Image,
    /// What isn't as it should be; nothing, if all is right.
    pub problems: Vec<String>,
}

impl Images {
    /// Reads an image and its signature. If the file isn't what it was, the image becomes stale.
    ///
    /// # Errors
    /// If there is no such image. What is wrong with it is in the result.
    pub async fn verify(&self, id: &ImageId) -> anyhow::Result<Verified> {
        let image = self.find(id).await?;
        let mut problems = Vec::new();
        let (layout, known) = (self.layout.clone(), image.clone());
        let file = blocking(move || open_as_known(&layout, &known)).await;
        let file = match file {
            Ok(file) => Some(file),
            Err(error) => {
                problems.push(format!("{error:#}"));
                self.db.mark_image_stale(&image).await?;
                None
            }
        };
        if let Err(error) = self.verify_signature(&image, file.as_ref()).await {
            problems.push(format!("signature: {error:#}"));
        }
        Ok(Verified { image, problems })
    }

    async fn verify_signature(&self, image: &Image, file: Option<&File>) -> anyhow::Result<()> {
        let row = self.db.image_signature(image).await?;
        let row = row.context("there is none; sign it on its page (boss image sign-missing)")?;
        anyhow::ensure!(row.image_sha256 == image.sha256, "it is of another file than the image");
        let bytes = self.read_signature(&row).await?;
        let Some(file) = file else { return Ok(()) };
        self.compare_signature(file, bytes).await
    }
}

/// Opens an image whose file is what the data base knows.
fn open_as_known(layout: &crate::layout::Layout, image: &Image) -> anyhow::Result<File> {
    let (directory, name) = place_of(layout, &image.path)?;
    let shown = directory.shown(&name);
    let file = directory.file(&name)?.with_context(|| format!("{shown} is gone"))?;
    let found = digest(&file).with_context(|| format!("reading {shown}"))?;
    anyhow::ensure!(
        found.bytes == image.bytes && found.sha256.to_string() == image.sha256,
        "{shown} has changed: {} bytes with SHA-256 {} instead of {} with {}",
        found.bytes,
        found.sha256,
        image.bytes,
        image.sha256
    );
    check_image(&file).with_context(|| shown)?;
    Ok(file)
}
