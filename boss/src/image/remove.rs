//! A version of an image is removed, if nobody needs it.

use anyhow::{Context, ensure};

use super::lock::Lock;
use super::{Images, place_of};
use crate::db::images::Image;
use crate::files::blocking;
use crate::names::ImageId;
use crate::swapinfo;

impl Images {
    /// Removes a version of an image with its signature.
    ///
    /// # Errors
    /// If no version is named, there is none, or somebody needs it: a node was loaded with it, an
    /// experiment asks for it, or a saved disk can only be restored with it. The error says who.
    pub async fn remove(&self, id: &ImageId) -> anyhow::Result<()> {
        ensure!(id.version.is_some(), "{id}: say which version, as in {id}:0");
        let image = self.find(id).await?;
        let lock = Lock::take(&self.db, id).await?;
        let removed = self.remove_locked(&image, &lock).await;
        lock.release().await;
        removed
    }

    async fn remove_locked(&self, image: &Image, lock: &Lock) -> anyhow::Result<()> {
        let signature = self.db.image_signature(image).await?;
        let mut users = self.db.image_users(image).await?;
        users.extend(self.saved_with(image).await?);
        ensure!(users.is_empty(), "{} is needed: {}", image.id(), users.join("; "));
        lock.confirm().await?;
        ensure!(
            self.db.remove_unused_image(image).await?,
            "{} is needed since a moment ago; look again",
            image.id()
        );
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

    /// The saved disks that can only be restored with an image.
    async fn saved_with(&self, image: &Image) -> anyhow::Result<Vec<String>> {
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
                    let why = base.map_or_else(|error| format!(" ({error})"), |_| String::new());
                    users.push(format!("{file} of {} was saved with it{why}", experiment.id()));
                }
            }
        }
        Ok(users)
    }
}

fn hex(digest: [u8; 32]) -> String {
    imagezip_core::digest::Sha256(digest).to_string()
}
