//! A version of an image is removed, if nobody needs it.

use anyhow::Context;

use super::lock::{Lock, Locked};
use super::{Images, no_image, place_of};
use crate::db::images::{Image, ImageUser};
use crate::error::{ErrorKind, Result};
use crate::files::blocking;
use crate::names::ImageId;
use crate::swapinfo;

impl Images {
    /// Removes a version of an image with its signature.
    ///
    /// # Errors
    /// `Invalid`: no version is named; `NotFound`; `Conflict`: somebody is at work with the image, or
    /// needs it: a node was loaded with it, an experiment asks for it, or a saved disk can only be
    /// restored with it. The error says who.
    pub async fn remove(&self, id: &ImageId) -> Result<()> {
        if id.version.is_none() {
            let why = format!("{id}: say which version, as in {id}:0");
            return Err(ErrorKind::Invalid.because(why));
        }
        let image = self.db.image(id).await?.ok_or_else(|| no_image(id))?;
        let lock = Lock::take(&self.db, id).await.map_err(Locked::as_conflict)?;
        let removed = self.remove_locked(&image, &lock).await;
        lock.release().await;
        removed
    }

    async fn remove_locked(&self, image: &Image, lock: &Lock) -> Result<()> {
        let signature = self.db.image_signature(image).await?;
        let users: Vec<_> = self.users(image).await?.iter().map(ToString::to_string).collect();
        if !users.is_empty() {
            let why = format!("{} is needed: {}", image.id(), users.join("; "));
            return Err(ErrorKind::Conflict.because(why));
        }
        lock.confirm().await?;
        if !self.db.remove_unused_image(image).await? {
            let why = format!("{} is needed since a moment ago; look again", image.id());
            return Err(ErrorKind::Conflict.because(why));
        }
        let paths = signature.into_iter().map(|row| row.path).chain([image.path.clone()]);
        for path in paths {
            let (layout, shown) = (self.layout.clone(), path.clone());
            blocking(move || {
                let (directory, name) = place_of(&layout, &path)?;
                directory.remove(&name)?;
                directory.sync()
            })
            .await
            .with_context(|| {
                format!("the data base doesn't know {shown} any more, but the file is still there")
            })?;
        }
        Ok(())
    }

    /// Who needs an image.
    pub async fn users(&self, image: &Image) -> anyhow::Result<Vec<ImageUser>> {
        let mut users = self.db.image_users(image).await?;
        users.extend(self.saved_with(image).await?);
        Ok(users)
    }

    /// The saved disks that can only be restored with an image.
    async fn saved_with(&self, image: &Image) -> anyhow::Result<Vec<ImageUser>> {
        let signature = self.db.image_signature(image).await?.map(|row| row.sha256);
        let mut users = Vec::new();
        for experiment in self.db.experiments().await? {
            let (layout, of) = (self.layout.clone(), experiment.clone());
            let saved = blocking(move || swapinfo::saved_bases(&layout, &of)).await?;
            for (file, base) in saved {
                let needs = match &base {
                    Ok(base) => {
                        Some(hex(base.signature_sha256)) == signature
                            || base.image_sha256.map(hex).as_ref() == Some(&image.sha256)
                    }
                    // Nobody knows what it needs.
                    Err(_) => true,
                };
                if needs {
                    let doubt = base.err();
                    users.push(ImageUser::Saved { experiment: experiment.id(), file, doubt });
                }
            }
        }
        Ok(users)
    }
}

fn hex(digest: [u8; 32]) -> String {
    imagezip_core::digest::Sha256(digest).to_string()
}
