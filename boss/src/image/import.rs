//! A file that an administrator has becomes a version of an image.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, ensure};

use super::lock::Lock;
use super::publish::{Candidate, Temporary};
use super::sound::check_image;
use super::{Description, Images, Made, Shelves};
use crate::files::{
    Contents, Directory, Owner, TEMPORARY_AGE, blocking, copy, is_temporary, temporary_name,
};
use crate::layout::{Layout, Place};
use crate::names::ImageId;

/// A copy that nobody else can have changed.
struct Copied {
    file: File,
    contents: Contents,
    shelves: Arc<Shelves>,
    temporary: Temporary,
}

impl Images {
    /// Copies a file, and makes it the next version of an image, with a signature.
    ///
    /// # Errors
    /// If the file isn't a sound image, project, group or user aren't known, somebody else is at
    /// work with the image, or a file can't be written. Then nothing has changed.
    pub async fn import(
        &self,
        source: &Path,
        id: &ImageId,
        description: &Description,
    ) -> anyhow::Result<Made> {
        ensure!(id.version.is_none(), "{id}: the version is the next one; name none");
        description.check()?;
        let owner = self.owner(&id.pid, &description.gid, &description.creator).await?;
        let lock = Lock::take(&self.db, id).await?;
        let made = self.import_locked(source, id, description, owner, &lock).await;
        lock.release().await;
        made.with_context(|| format!("importing {} as {id}", source.display()))
    }

    async fn import_locked(
        &self,
        source: &Path,
        id: &ImageId,
        description: &Description,
        owner: Owner,
        lock: &Lock,
    ) -> anyhow::Result<Made> {
        let held = self.db.image_lock_holders().await?;
        let (layout, place) = (self.layout.clone(), self.layout.images(&id.pid, &description.gid));
        let (source, token) = (source.to_owned(), lock.token().to_owned());
        let global = description.global;
        let copied = blocking(move || {
            let shelves = Shelves::make(&layout, &place, owner, global)?;
            clean(&shelves.images, &held)?;
            copy_in(&source, Arc::new(shelves), &token)
        })
        .await?;
        let signature = self.make_signature(&copied.file).await;
        let candidate = Candidate {
            file: copied.file,
            contents: copied.contents,
            signature: signature.map_err(|error| format!("{error:#}")),
            shelves: copied.shelves,
            owner,
        };
        let made = self.publish(lock, id, description, candidate).await;
        drop(copied.temporary);
        made
    }

    /// Removes what crashed runs have left in a group's images.
    pub async fn clean(&self, images: &Place) -> anyhow::Result<()> {
        let held = self.db.image_lock_holders().await?;
        let (layout, here): (Layout, _) = (self.layout.clone(), images.here.clone());
        blocking(move || clean(&Directory::below(&layout, &here)?, &held)).await
    }
}

fn copy_in(source: &Path, shelves: Arc<Shelves>, token: &str) -> anyhow::Result<Copied> {
    // To open a pipe would wait for who writes to it.
    ensure!(source.metadata()?.is_file(), "it is no regular file");
    let from = File::open(source)?;
    ensure!(from.metadata()?.is_file(), "it is no regular file");
    let name = temporary_name(token);
    let file = shelves
        .images
        .create(&name)
        .with_context(|| format!("making {}", shelves.images.shown(&name)))?;
    let directory = Arc::new(shelves.images.again()?);
    let temporary = Temporary { directory, name };
    let contents = copy(&from, &file)?;
    check_image(&file)?;
    Ok(Copied { file, contents, shelves, temporary })
}

/// Removes temporary files that no run holds any more.
fn clean(images: &Directory, held: &[String]) -> anyhow::Result<()> {
    for name in images.names()? {
        let crashed =
            is_temporary(&name).is_some_and(|token| !held.iter().any(|held| held == token));
        if crashed && is_older(images, &name, TEMPORARY_AGE)? {
            tracing::info!("{} of a run that crashed is removed", images.shown(&name));
            images.remove(&name)?;
        }
    }
    Ok(())
}

/// Whether nobody has written for so long.
pub(crate) fn is_older(
    directory: &Directory,
    name: &str,
    age: std::time::Duration,
) -> anyhow::Result<bool> {
    let Some(stat) = directory.look(name)? else { return Ok(false) };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let written = u64::try_from(stat.st_mtime).unwrap_or_default();
    Ok(now.as_secs().saturating_sub(written) > age.as_secs())
}
