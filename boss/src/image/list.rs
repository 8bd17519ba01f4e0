//! Which images there are.

use super::{Images, place_of};
use crate::db::images::{Image, ImageSignature};
use crate::files::blocking;

/// A version of an image, and whether its files are there.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The version.
    pub image: Image,
    /// Whether its file is there and of its size.
    pub is_there: bool,
    /// Its signature.
    pub signature: SignatureState,
    /// What is known of that.
    pub row: Option<ImageSignature>,
}

/// What there is of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureState {
    /// It is there.
    Present,
    /// None was made.
    Missing,
    /// The file is gone, is of another size, or is of another image.
    Wrong,
}

impl SignatureState {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Missing => "missing",
            Self::Wrong => "wrong",
        }
    }
}

impl Images {
    /// All versions of all images. Only names and sizes are looked at; [`Images::verify`] reads.
    pub async fn list(&self) -> anyhow::Result<Vec<Listed>> {
        let mut listed = Vec::new();
        for image in self.db.images().await? {
            listed.push(self.look(image).await?);
        }
        Ok(listed)
    }

    /// The same of one version.
    pub(super) async fn look(&self, image: Image) -> anyhow::Result<Listed> {
        let row = self.db.image_signature(&image).await?;
        let is_there = self.is_of_size(&image.path, image.bytes).await?;
        let signature = match &row {
            None => SignatureState::Missing,
            Some(row) if row.image_sha256 != image.sha256 => SignatureState::Wrong,
            Some(row) if self.is_of_size(&row.path, row.bytes).await? => SignatureState::Present,
            Some(_) => SignatureState::Wrong,
        };
        Ok(Listed { image, is_there, signature, row })
    }

    async fn is_of_size(&self, path: &str, bytes: u64) -> anyhow::Result<bool> {
        let (layout, path) = (self.layout.clone(), path.to_owned());
        blocking(move || {
            let size = place_of(&layout, &path)
                .and_then(|(directory, name)| directory.look(&name))
                .ok()
                .flatten()
                .and_then(|stat| u64::try_from(stat.st_size).ok());
            Ok(size == Some(bytes))
        })
        .await
    }
}
