//! A node's disk becomes a version of an image: the node leaves a full image in a directory of its
//! own, and boss publishes it when it was found right.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use imagezip_core::digest::Sha256;
use imagezip_core::swapinfo::{Meta, Part, TEXT_LIMIT};
use rustix::fs::FileType;

use super::import::is_older;
use super::lock::Lock;
use super::publish::Candidate;
use super::sound::{check_image, check_signature};
use super::{Description, Images, Made, Shelves};
use crate::files::{
    Contents, DIRECTORY_MODE, Directory, FILE_MODE, Owner, blocking, digest, token,
};
use crate::layout::Place;
use crate::names::{ImageId, NodeId, Vname};

const PREFIX: &str = ".capture-";
/// A node that captures writes its heartbeat every few seconds.
const ABANDONED: Duration = Duration::from_hours(24);
/// How deep a node may have made directories.
const DEPTH: u32 = 4;

/// A capture that is under way: what [`Images::publish_captured`] has to know.
#[derive(Clone, Debug)]
pub struct Capture {
    /// The image; the version is the next one when it is published.
    pub image: ImageId,
    /// What is said of it. `creator` is the user in whose name the node writes.
    pub description: Description,
    /// The node.
    pub node_id: NodeId,
    /// Its name in the experiment, which its files have.
    pub vname: Vname,
}

/// What a node has left, read and checked.
struct Captured {
    candidate: Candidate,
    staging: Directory,
}

impl Images {
    /// Makes the directory for a node that is to capture its disk, with the node's `.part` in it.
    ///
    /// # Errors
    /// If project, group or user aren't known, or a file can't be written.
    pub async fn prepare_capture(&self, capture: &Capture) -> anyhow::Result<Place> {
        let Capture { image, description, node_id, vname } = capture;
        description.check()?;
        let owner = self.owner(&image.pid, &description.gid, &description.creator).await?;
        let disk = crate::swapinfo::boot_disk(self.db.disks(node_id).await?)
            .with_context(|| format!("node {node_id}"))?;
        let slices = (description.load_partition, description.boot_partition);
        let part: Part = crate::swapinfo::part_of(&disk, slices, None)?;
        let images = self.layout.images(&image.pid, &description.gid);
        let name = format!("{PREFIX}{}", token());
        let place = images.join(&name);
        let (layout, global, vname) = (self.layout.clone(), description.global, vname.clone());
        blocking(move || {
            let shelves = Shelves::make(&layout, &images, owner, global)?;
            clean(&shelves.images)?;
            let staging = shelves.images.make(&name, Some(owner), DIRECTORY_MODE)?;
            let part_file = format!("{vname}.part");
            staging.replace(&part_file, part.to_string().as_bytes(), Some(owner), FILE_MODE)?;
            staging.sync()
        })
        .await?;
        Ok(place)
    }

    /// Makes what a node has left in `staging` the next version of the image, with its signature,
    /// and removes the directory.
    ///
    /// # Errors
    /// If it isn't a full image of that node, digests don't agree, somebody else is at work with
    /// the image, or a file can't be written. Then all is still in `staging`.
    pub async fn publish_captured(
        &self,
        staging: &Place,
        capture: &Capture,
    ) -> anyhow::Result<Made> {
        let Capture { image, description, .. } = capture;
        description.check()?;
        let owner = self.owner(&image.pid, &description.gid, &description.creator).await?;
        let lock = Lock::take(&self.db, image).await?;
        let made = self.publish_locked(staging, capture, owner, &lock).await;
        lock.release().await;
        made.with_context(|| format!("making {image} of what node {} captured", capture.node_id))
    }

    async fn publish_locked(
        &self,
        staging: &Place,
        capture: &Capture,
        owner: Owner,
        lock: &Lock,
    ) -> anyhow::Result<Made> {
        let images = self.layout.images(&capture.image.pid, &capture.description.gid);
        let name = staging_name(&staging.here)?;
        ensure!(images.join(&name) == *staging, "{} is elsewhere", staging.here.display());
        let (layout, of) = (self.layout.clone(), capture.clone());
        let captured = blocking(move || {
            let shelves = Shelves::make(&layout, &images, owner, of.description.global)?;
            check_captured(Arc::new(shelves), &name, &of, owner)
        })
        .await?;
        let made =
            self.publish(lock, &capture.image, &capture.description, captured.candidate).await?;
        let removed = self.abandon(captured.staging).await;
        if let Err(error) = removed {
            tracing::warn!("{error:#}");
        }
        Ok(made)
    }

    /// Removes the directory of a capture that came to nothing.
    ///
    /// # Errors
    /// If it can't be removed; it will be, a day after the last change in it.
    pub async fn abandon_capture(&self, staging: &Place) -> anyhow::Result<()> {
        staging_name(&staging.here)?;
        let (layout, here) = (self.layout.clone(), staging.here.clone());
        let staging = blocking(move || Directory::below(&layout, &here)).await?;
        self.abandon(staging).await
    }

    async fn abandon(&self, staging: Directory) -> anyhow::Result<()> {
        let (name, layout) = (staging_name(staging.path())?, self.layout.clone());
        let here = staging.path().parent().map(Path::to_owned).unwrap_or_default();
        blocking(move || {
            empty(&staging, DEPTH)?;
            Directory::below(&layout, &here)?.remove_directory(&name)?;
            Ok(())
        })
        .await
    }
}

fn staging_name(path: &Path) -> anyhow::Result<String> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    ensure!(name.starts_with(PREFIX), "{} is no directory of a capture", path.display());
    Ok(name.to_owned())
}

fn check_captured(
    shelves: Arc<Shelves>,
    name: &str,
    capture: &Capture,
    owner: Owner,
) -> anyhow::Result<Captured> {
    let staging = shelves.images.open(name)?;
    let vname = &capture.vname;
    let file = |end: &str| format!("{vname}-swap.{end}");
    let limit = u64::try_from(TEXT_LIMIT).unwrap_or(u64::MAX);
    let text = staging.read(&file("meta"), limit)?.context("the node has left no .meta")?;
    let meta = Meta::parse(&text).with_context(|| staging.shown(&file("meta")))?;
    ensure!(meta.base.is_none(), "it is a delta, and a full image was asked for");
    ensure!(meta.vname == vname.as_str(), "it is the image of a node called {}", meta.vname);
    let slice = capture.description.load_partition;
    ensure!(meta.load_partition == slice, "partition {} and not {slice}", meta.load_partition);

    let image = staging.file(&file("ndz"))?.context("the node has left no image")?;
    let data = image.metadata()?;
    // Its owner is about to be changed: it must not be somebody else's by another name.
    ensure!(
        data.nlink() == 1 && (data.uid() == owner.uid || data.uid() == 0),
        "{} is not a file that the node has made in the name of {}",
        staging.shown(&file("ndz")),
        capture.description.creator
    );
    let contents: Contents = digest(&image)?;
    ensure!(
        contents.bytes == meta.image_size && contents.sha256.0 == meta.image_sha256,
        "{} is not what its .meta says",
        staging.shown(&file("ndz"))
    );
    check_image(&image)?;
    let bytes = staging.read(&file("sig"), Images::SIGNATURE_LIMIT)?;
    let bytes = bytes.context("the node has left no signature")?;
    ensure!(
        meta.signature_sha256 == Some(Sha256::of(&bytes).0),
        "{} is not what its .meta says",
        staging.shown(&file("sig"))
    );
    check_signature(&bytes)?;
    let signature = Ok(bytes);
    Ok(Captured {
        candidate: Candidate { file: image, contents, signature, shelves, owner },
        staging,
    })
}

/// Removes directories of captures that were given up.
fn clean(images: &Directory) -> anyhow::Result<()> {
    for name in images.names()?.iter().filter(|name| name.starts_with(PREFIX)) {
        if is_older(images, name, ABANDONED)? {
            empty(&images.open(name)?, DEPTH)?;
            images.remove_directory(name)?;
        }
    }
    Ok(())
}

/// Removes all that is in a directory.
fn empty(directory: &Directory, depth: u32) -> anyhow::Result<()> {
    for name in directory.names()? {
        if directory.kind(&name)? != Some(FileType::Directory) {
            directory.remove(&name)?;
            continue;
        }
        match depth.checked_sub(1) {
            Some(depth) => empty(&directory.open(&name)?, depth)?,
            None => bail!("{} lies too deep", directory.shown(&name)),
        }
        directory.remove_directory(&name)?;
    }
    Ok(())
}
