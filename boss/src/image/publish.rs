//! A file becomes a version of an image.

use std::fs::File;
use std::sync::Arc;

use anyhow::{Context, bail};

use super::lock::Lock;
use super::sign::{mode_of, put_signature, signature_row};
use super::{Description, Images, Made, Shelves, signature_file};
use crate::db::images::Image;
use crate::db::now;
use crate::files::{Contents, Directory, Owner, blocking};
use crate::layout::image_file;
use crate::names::ImageId;

/// Files of versions without a row are left by crashes; so many in a row are something else.
const SKIPPED_VERSIONS: u32 = 1000;

/// A file that is removed again, by name, unless it was given another.
pub(super) struct Temporary {
    pub(super) directory: Arc<Directory>,
    pub(super) name: String,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = self.directory.remove(&self.name) {
            tracing::warn!("{error:#}");
        }
    }
}

/// What is to become a version.
pub(super) struct Candidate {
    pub(super) file: File,
    pub(super) contents: Contents,
    pub(super) signature: Result<Vec<u8>, String>,
    pub(super) shelves: Arc<Shelves>,
    pub(super) owner: Owner,
}

impl Images {
    /// Gives a file that is complete and sound its name as the next version, and its row.
    pub(super) async fn publish(
        &self,
        lock: &Lock,
        id: &ImageId,
        description: &Description,
        candidate: Candidate,
    ) -> anyhow::Result<Made> {
        let Candidate { file, contents, signature, shelves, owner } = candidate;
        let newest = ImageId { version: None, ..id.clone() };
        let next = self.db.image(&newest).await?.map_or(0, |image| image.version.saturating_add(1));
        lock.confirm().await?;

        let (name, mode) = (id.name.clone(), mode_of(description.global));
        let put = Arc::clone(&shelves);
        let version = blocking(move || {
            put.images.give_file(&file, name.as_str(), Some(owner), mode)?;
            for version in next..next.saturating_add(SKIPPED_VERSIONS) {
                let file_name = image_file(&name, version);
                // What a crash has left must not become the signature of this image.
                let signed = put.signatures.look(&signature_file(&file_name))?.is_some();
                if !signed && put.images.publish(&file, &file_name)? {
                    put.images.sync()?;
                    return Ok(version);
                }
            }
            bail!(
                "{}: too many files of versions that nobody knows",
                put.images.shown(name.as_str())
            )
        })
        .await?;

        let file_name = image_file(&id.name, version);
        let place = self.layout.images(&id.pid, &description.gid).join(&file_name);
        let image = Image {
            pid: id.pid.clone(),
            name: id.name.clone(),
            version,
            path: place.node.to_str().context("a path that isn't UTF-8")?.to_owned(),
            load_partition: description.load_partition,
            load_length: description.load_length,
            boot_partition: description.boot_partition,
            bytes: contents.bytes,
            sha256: contents.sha256.to_string(),
            creator: description.creator.clone(),
            created_at: now(),
            global: description.global,
            stale: false,
        };
        let signature = match signature {
            Ok(bytes) => {
                let row = signature_row(&image, &bytes);
                let placed = blocking(move || {
                    put_signature(&shelves.signatures, &file_name, &bytes, owner, mode)
                });
                placed.await.map(|()| row).map_err(|error| format!("{error:#}"))
            }
            Err(reason) => Err(reason),
        };
        self.db.add_image(&image).await.with_context(|| {
            format!("{} is complete, but the data base doesn't know it", place.here.display())
        })?;
        if let Ok(row) = &signature {
            self.db.set_image_signature(&image, row).await?;
        }
        Ok(Made { image, signature })
    }
}
