//! What nodes have saved, and which base it needs.

use anyhow::{Context, bail, ensure};
use imagezip_core::digest::Sha256;
use imagezip_core::swapinfo::{Base, Meta, TEXT_LIMIT};
use rustix::fs::FileType;

use super::Swapinfo;
use super::install::shared_name;
use crate::db::experiments::Experiment;
use crate::db::images::Image;
use crate::files::{Directory, blocking};
use crate::layout::Layout;
use crate::names::Vname;

/// The files of a saved disk; the one that says what the others are comes first.
const SET: [&str; 3] = ["meta", "ndz", "sig"];

/// A saved disk.
#[derive(Clone, Debug)]
pub struct Saved {
    /// What its `.meta` says.
    pub meta: Meta,
    /// The base image that it has to be restored with; none for a full image.
    pub base: Option<Image>,
}

/// A saved disk as it lies in the directory of an experiment.
#[derive(Clone, Debug)]
pub struct SavedDisk {
    /// The node that has saved it.
    pub vname: Vname,
    /// What it is, and whether it would come back.
    pub state: DiskState,
}

/// What a saved disk is.
#[derive(Clone, Debug)]
pub enum DiskState {
    /// The node gets it at the next swapin.
    Current(Box<Saved>),
    /// It was put aside when another image was loaded, and isn't used any more.
    Stale(Box<Meta>),
    /// It can't be used, and why.
    Unreadable(String),
}

impl Swapinfo {
    /// All saved disks of an experiment, by their nodes' names; also those that are of no use.
    ///
    /// # Errors
    /// If the directory is there and can't be read.
    pub async fn saved_disks(&self, experiment: &Experiment) -> anyhow::Result<Vec<SavedDisk>> {
        let (layout, of) = (self.layout.clone(), experiment.clone());
        let (current, aside) =
            blocking(move || Ok((saved_nodes(&layout, &of)?, stale_disks(&layout, &of)?))).await?;
        let mut disks = aside;
        for vname in current.iter().filter_map(|vname| vname.parse::<Vname>().ok()) {
            let state = match self.whole(experiment, &vname).await {
                Ok(Some(saved)) => DiskState::Current(Box::new(saved)),
                Ok(None) => continue,
                Err(error) => DiskState::Unreadable(format!("{error:#}")),
            };
            disks.push(SavedDisk { vname, state });
        }
        // What comes back stands before what was put aside.
        disks.sort_by(|one, other| {
            let key =
                |disk: &SavedDisk| (disk.vname.clone(), matches!(disk.state, DiskState::Stale(_)));
            key(one).cmp(&key(other))
        });
        Ok(disks)
    }

    /// What a node has saved, if its image is there and as large as it should be.
    async fn whole(&self, experiment: &Experiment, vname: &Vname) -> anyhow::Result<Option<Saved>> {
        let Some(saved) = self.saved(experiment, vname).await? else { return Ok(None) };
        let (layout, of, name) = (self.layout.clone(), experiment.clone(), vname.clone());
        let wanted = saved.meta.image_size;
        blocking(move || {
            let place = layout.swapinfo(&of.pid, &of.gid, &of.eid);
            let directory = Directory::below(&layout, &place.here)?;
            let image = format!("{name}-swap.ndz");
            let found = directory.look(&image)?.with_context(|| format!("{image} is gone"))?;
            ensure!(
                u64::try_from(found.st_size) == Ok(wanted),
                "{image} has {} bytes, and should have {wanted}",
                found.st_size
            );
            Ok(())
        })
        .await?;
        Ok(Some(saved))
    }

    /// What a node has saved, and the base image that it needs, whatever version is the newest.
    ///
    /// # Errors
    /// If there is something that isn't the saved disk of this node, or its base is gone.
    pub async fn saved(
        &self,
        experiment: &Experiment,
        vname: &Vname,
    ) -> anyhow::Result<Option<Saved>> {
        let (layout, of, name) = (self.layout.clone(), experiment.clone(), vname.clone());
        let meta = blocking(move || {
            let place = layout.swapinfo(&of.pid, &of.gid, &of.eid);
            let directory = Directory::below(&layout, &place.here)?;
            let Some(meta) = read_meta(&directory, &format!("{name}-swap.meta"))? else {
                return Ok(None);
            };
            ensure!(
                (meta.pid.as_str(), meta.eid.as_str(), meta.vname.as_str())
                    == (of.pid.as_str(), of.eid.as_str(), name.as_str()),
                "{name}-swap.meta is of node {} of {}/{}; move it away",
                meta.vname,
                meta.pid,
                meta.eid
            );
            Ok(Some(meta))
        });
        let Some(meta) = meta.await? else { return Ok(None) };
        let base = match &meta.base {
            None => None,
            Some(base) => Some(self.image_of(base, meta.load_partition).await?),
        };
        Ok(Some(Saved { meta, base }))
    }

    /// The image that a delta names as its base.
    async fn image_of(&self, base: &Base, load_partition: u8) -> anyhow::Result<Image> {
        let signature = Sha256(base.signature_sha256).to_string();
        let sha256 = base.image_sha256.map(|digest| Sha256(digest).to_string());
        let wanted = sha256.clone().unwrap_or_default();
        let candidates = self.db.images_by_digest(&wanted, &signature).await?;
        let fits = |image: &Image| {
            image.load_partition == load_partition
                && sha256.as_ref().is_none_or(|sha256| *sha256 == image.sha256)
        };
        for image in candidates.into_iter().filter(fits) {
            if self.is_there(&image).await {
                return Ok(image);
            }
        }
        bail!(
            "the base {} of what was saved is gone: no image of partition {load_partition} has \
             SHA-256 {} or a signature with {signature}; import it again",
            base.name,
            sha256.as_deref().unwrap_or("(not known)")
        )
    }
}

/// Reads a `.meta`, if there is one.
pub(super) fn read_meta(directory: &Directory, name: &str) -> anyhow::Result<Option<Meta>> {
    let limit = u64::try_from(TEXT_LIMIT).unwrap_or(u64::MAX);
    let Some(text) = directory.read(name, limit)? else { return Ok(None) };
    let meta = Meta::parse(&text).with_context(|| format!("{} is damaged", directory.shown(name)));
    meta.map(Some)
}

/// The bases that saved disks in a directory need, also those that were put aside, by the name of
/// the file that says so; for a file that can't be read, why.
pub(super) fn bases(directory: &Directory) -> anyhow::Result<Vec<(String, Result<Base, String>)>> {
    let mut found = Vec::new();
    for name in directory.names()? {
        let is_meta =
            name.contains("-swap.meta") && directory.kind(&name)? != Some(FileType::Directory);
        if !is_meta {
            continue;
        }
        match read_meta(directory, &name) {
            Ok(Some(Meta { base: Some(base), .. })) => found.push((name, Ok(base))),
            Ok(_) => {}
            Err(error) => found.push((name, Err(format!("{error:#}")))),
        }
    }
    Ok(found)
}

/// The bases that saved disks of an experiment need; none if it has no directory.
///
/// # Errors
/// If the directory can't be read.
pub fn saved_bases(
    layout: &Layout,
    experiment: &Experiment,
) -> anyhow::Result<Vec<(String, Result<Base, String>)>> {
    let Experiment { pid, gid, eid, .. } = experiment;
    let place = layout.swapinfo(pid, gid, eid);
    if !place.here.try_exists().unwrap_or(true) {
        return Ok(Vec::new());
    }
    bases(&Directory::below(layout, &place.here)?)
}

/// The nodes of which an experiment's directory has saved disks.
///
/// # Errors
/// If the directory is there and can't be read.
pub fn saved_nodes(layout: &Layout, experiment: &Experiment) -> anyhow::Result<Vec<String>> {
    let Experiment { pid, gid, eid, .. } = experiment;
    let place = layout.swapinfo(pid, gid, eid);
    if !place.here.try_exists().unwrap_or(true) {
        return Ok(Vec::new());
    }
    let names = Directory::below(layout, &place.here)?.names()?;
    let nodes = names.iter().filter_map(|name| name.strip_suffix("-swap.meta"));
    Ok(nodes.map(str::to_owned).collect())
}

/// The disks that were put aside.
fn stale_disks(layout: &Layout, experiment: &Experiment) -> anyhow::Result<Vec<SavedDisk>> {
    let Experiment { pid, gid, eid, .. } = experiment;
    let place = layout.swapinfo(pid, gid, eid);
    if !place.here.try_exists().unwrap_or(true) {
        return Ok(Vec::new());
    }
    let directory = Directory::below(layout, &place.here)?;
    let mut disks = Vec::new();
    for name in directory.names()? {
        let vname = name.strip_suffix("-swap.meta.stale");
        let Some(vname) = vname.and_then(|vname| vname.parse().ok()) else { continue };
        let state = match read_meta(&directory, &name) {
            Ok(Some(meta)) => DiskState::Stale(Box::new(meta)),
            Ok(None) => continue,
            Err(error) => DiskState::Unreadable(format!("{error:#}")),
        };
        disks.push(SavedDisk { vname, state });
    }
    Ok(disks)
}

/// Puts what a node has saved aside, unless its base has this signature: it is no state of what is
/// loaded now. What was put aside before is gone then.
pub(super) fn put_aside(
    directory: &Directory,
    vname: &str,
    signature: &Sha256,
) -> anyhow::Result<Vec<String>> {
    let meta = read_meta(directory, &format!("{vname}-swap.meta")).ok().flatten();
    let base = meta.and_then(|meta| meta.base);
    if base.is_some_and(|base| base.signature_sha256 == signature.0) {
        return Ok(Vec::new());
    }
    let mut aside = Vec::new();
    for end in SET {
        let name = format!("{vname}-swap.{end}");
        let stale = format!("{name}.stale");
        if directory.rename(&name, &stale)? {
            aside.push(stale);
        }
    }
    directory.sync()?;
    Ok(aside)
}

/// The signature that a saved disk's base has, if it is kept in the directory.
pub(super) fn kept_signature(directory: &Directory, base: &Base) -> Option<Vec<u8>> {
    let digest = Sha256(base.signature_sha256);
    let bytes = directory.read(&shared_name(&digest), super::SIGNATURE_LIMIT).ok().flatten()?;
    (Sha256::of(&bytes) == digest).then_some(bytes)
}
