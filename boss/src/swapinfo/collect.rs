//! The collector: it gives the nodes of an experiment what they need, each for itself.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use imagezip_core::digest::Sha256;
use imagezip_core::signature::Signature;
use imagezip_core::swapinfo::{Base, Part};

use super::install::{Files, forget, install, shared_name};
use super::saved::{kept_signature, put_aside};
use super::{boot_disk, part_of, read_signature};
use crate::db::Database;
use crate::db::experiments::{Experiment, Reservation};
use crate::db::images::{Image, ImageSignature};
use crate::files::{DIRECTORY_MODE, Directory, Owner, blocking};
use crate::layout::Layout;
use crate::names::{NodeId, Vname};

/// The `swapinfo` directories of all experiments.
#[derive(Clone, Debug)]
pub struct Swapinfo {
    pub(super) db: Database,
    pub(super) layout: Layout,
}

/// What the nodes are about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Save their disks.
    Save,
    /// Get their disks as they were saved, or the image that they ask for.
    Swapin,
    /// Get the image that the data base says, whatever was saved: `os_load`.
    Load,
}

/// Which nodes of an experiment.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    /// All.
    All,
    /// Those of these names.
    Nodes(&'a [Vname]),
}

/// What became of a node.
#[derive(Clone, Debug)]
pub struct Vnode {
    /// Its name in the experiment.
    pub vname: Vname,
    /// The machine, if the experiment has it.
    pub node_id: Option<NodeId>,
    /// Whether it has what it needs.
    pub outcome: Outcome,
}

/// Whether a node has what it needs.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// All is in place.
    Collected(Box<Collected>),
    /// It needs nothing, and why.
    Skipped(String),
    /// It can't be saved or loaded, and why.
    Failed(String),
}

/// What a node was given.
#[derive(Clone, Debug)]
pub struct Collected {
    /// The base image: for a swapin, the one that what was saved needs.
    pub image: Image,
    /// SHA-256 of its signature.
    pub signature_sha256: String,
    /// Whether there is a saved disk that belongs to it.
    pub has_saved: bool,
    /// Files that the node had saved, and that were put aside because another image is loaded.
    pub put_aside: Vec<String>,
}

/// Why nothing was done for a node.
enum Reason {
    Skip(String),
    Fail(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Reason {
    fn from(error: E) -> Self {
        Self::Fail(error.into())
    }
}

impl Swapinfo {
    /// Of this site.
    pub fn new(db: &Database, layout: &Layout) -> Self {
        Self { db: db.clone(), layout: layout.clone() }
    }

    /// Gives nodes what they need, or says why not; one never affects another. A node that failed
    /// has no `.part` of before.
    ///
    /// # Errors
    /// If the data base can't be read, or the experiment's users aren't known.
    pub async fn collect(
        &self,
        experiment: &Experiment,
        scope: Scope<'_>,
        purpose: Purpose,
    ) -> anyhow::Result<Vec<Vnode>> {
        let owner = self.owner(experiment).await?;
        let mut nodes = Vec::new();
        let reservations = self.db.reservations(&experiment.id()).await?;
        for reservation in &reservations {
            let vname = &reservation.vname;
            if matches!(scope, Scope::Nodes(wanted) if !wanted.contains(vname)) {
                continue;
            }
            let outcome = match self.collect_node(experiment, reservation, purpose, owner).await {
                Ok(collected) => Outcome::Collected(Box::new(collected)),
                Err(Reason::Skip(reason)) => Outcome::Skipped(reason),
                Err(Reason::Fail(error)) => {
                    let vnames = std::slice::from_ref(vname);
                    let gone = self.forget(experiment, vnames).await.err();
                    let gone = gone.map_or_else(String::new, |error| format!("; {error:#}"));
                    Outcome::Failed(format!("{}: {error:#}{gone}", reservation.node_id))
                }
            };
            let node_id = Some(reservation.node_id.clone());
            nodes.push(Vnode { vname: vname.clone(), node_id, outcome });
        }
        if let Scope::Nodes(wanted) = scope {
            for vname in wanted {
                if !reservations.iter().any(|reservation| reservation.vname == *vname) {
                    let reason = format!("{} has no node of that name", experiment.id());
                    let outcome = Outcome::Failed(reason);
                    nodes.push(Vnode { vname: vname.clone(), node_id: None, outcome });
                }
            }
        }
        Ok(nodes)
    }

    /// Takes away what nodes were given; what they have saved stays. Returns the names of the files
    /// that were there.
    ///
    /// # Errors
    /// If a file can't be removed.
    pub async fn forget(
        &self,
        experiment: &Experiment,
        vnames: &[Vname],
    ) -> anyhow::Result<Vec<String>> {
        let (layout, of, vnames) = (self.layout.clone(), experiment.clone(), vnames.to_vec());
        blocking(move || {
            let place = layout.experiment(&of.pid, &of.gid, &of.eid);
            let directory = Directory::below(&layout, &place.here)?;
            let Some(directory) = directory.open_if_there("swapinfo")? else {
                return Ok(Vec::new());
            };
            let removed = vnames.iter().map(|vname| forget(&directory, vname.as_str()));
            Ok(removed.collect::<anyhow::Result<Vec<_>>>()?.concat())
        })
        .await
    }

    async fn owner(&self, experiment: &Experiment) -> anyhow::Result<Owner> {
        let Experiment { pid, gid, swapper, .. } = experiment;
        let user = self.db.user(swapper).await?;
        let user = user.with_context(|| format!("there is no user {swapper}"))?;
        let group = self.db.unix_gid(pid, gid).await?;
        let group = group.with_context(|| format!("there is no group {gid} in project {pid}"))?;
        Ok(Owner { uid: user.uid, gid: group })
    }

    async fn collect_node(
        &self,
        experiment: &Experiment,
        reservation: &Reservation,
        purpose: Purpose,
        owner: Owner,
    ) -> Result<Collected, Reason> {
        let skip = |reason: &str| Err(Reason::Skip(reason.to_owned()));
        let is_node = reservation.erole == "node";
        if purpose == Purpose::Save && !is_node {
            return skip(&format!("a {} has no disk of a user", reservation.erole));
        }
        if purpose == Purpose::Save && experiment.firewalled {
            return skip("disks of firewalled experiments are never saved");
        }
        if purpose == Purpose::Save && !experiment.savedisk {
            return skip("the experiment doesn't ask for its disks to be saved");
        }
        let saved = match purpose {
            Purpose::Swapin if is_node => self.saved(experiment, &reservation.vname).await?,
            _ => None,
        };
        let has_saved = saved.is_some();
        let saved = saved.and_then(|saved| saved.meta.base.zip(saved.base));
        let (base, image) = match saved {
            Some((base, image)) => (Some(base), image),
            None => (None, self.loaded(&reservation.node_id).await?),
        };
        let row = self.db.image_signature(&image).await?;
        let row = row.filter(|row| row.image_sha256 == image.sha256);
        if !self.is_there(&image).await {
            return Err(anyhow::anyhow!("the file of {} is gone", image.id()).into());
        }
        let disk = boot_disk(self.db.disks(&reservation.node_id).await?)?;
        let digest = sha256(&image.sha256)?;
        let slices = (image.load_partition, image.boot_partition);
        let part = part_of(&disk, slices, Some(digest))?;
        let (layout, of) = (self.layout.clone(), experiment.clone());
        let work =
            Work { vname: reservation.vname.clone(), image, base, row, part, owner, purpose };
        let collected = blocking(move || work.run(&layout, &of)).await?;
        Ok(Collected { has_saved, ..collected })
    }

    /// The image that a node's boot partition was loaded from.
    async fn loaded(&self, node_id: &NodeId) -> Result<Image, Reason> {
        let partitions = self.db.partitions(node_id).await?;
        let boots = partitions.into_iter().find(|partition| partition.boots);
        let boots = boots.context("nobody knows what it boots: load it with an image")?;
        let Some(id) = boots.image else {
            let slice = boots.slice;
            return Err(anyhow::anyhow!("partition {slice} was not loaded from an image").into());
        };
        let image = self.db.image(&id).await?;
        Ok(image.with_context(|| format!("it was loaded from {id}, which is gone"))?)
    }

    /// Whether an image's file is there and of its size.
    pub(super) async fn is_there(&self, image: &Image) -> bool {
        let (layout, path) = (self.layout.clone(), PathBuf::from(&image.path));
        let size = blocking(move || {
            let here = layout.here(&path).context("a path of nobody")?;
            let (Some(parent), Some(name)) = (here.parent(), here.file_name()) else {
                bail!("a path of nobody")
            };
            let file = Directory::below(&layout, parent)?.file(&name.to_string_lossy())?;
            Ok(file.context("gone")?.metadata()?.len())
        });
        size.await.is_ok_and(|size| size == image.bytes)
    }
}

/// What is to be done for a node.
struct Work {
    vname: Vname,
    image: Image,
    /// What the node's saved disk says of its base.
    base: Option<Base>,
    row: Option<ImageSignature>,
    part: Part,
    owner: Owner,
    purpose: Purpose,
}

impl Work {
    fn run(self, layout: &Layout, experiment: &Experiment) -> anyhow::Result<Collected> {
        let Experiment { pid, gid, eid, .. } = experiment;
        let parent = Directory::below(layout, &layout.experiment(pid, gid, eid).here)?;
        let directory = match parent.open_if_there("swapinfo")? {
            Some(directory) => directory,
            None => parent.make("swapinfo", Some(self.owner), DIRECTORY_MODE)?,
        };
        let bytes = self.signature(layout, &directory)?;
        Signature::read(&bytes).context("the signature of the base is useless")?;
        let digest = Sha256::of(&bytes);
        let vname = self.vname.as_str();
        let put_aside = match self.purpose {
            Purpose::Load => put_aside(&directory, vname, &digest)?,
            Purpose::Save | Purpose::Swapin => Vec::new(),
        };
        let shared = shared_name(&digest);
        let base_image = Some(self.image.path.as_ref());
        let files = Files { signature: &bytes, shared: &shared, part: &self.part, base_image };
        install(&directory, vname, &files, Some(self.owner))?;
        let signature_sha256 = digest.to_string();
        Ok(Collected { image: self.image, signature_sha256, has_saved: false, put_aside })
    }

    /// The signature of the base: the very one that the saved disk names, or the image's.
    fn signature(&self, layout: &Layout, directory: &Directory) -> anyhow::Result<Vec<u8>> {
        let id = self.image.id();
        if let Some(kept) = self.base.as_ref().and_then(|base| kept_signature(directory, base)) {
            return Ok(kept);
        }
        let row = self.row.as_ref().with_context(|| {
            format!("{id} has no signature, and can't be saved; sign it on its page (boss image sign-missing)")
        })?;
        let wanted = self.base.as_ref().map(|base| Sha256(base.signature_sha256).to_string());
        ensure!(
            wanted.is_none_or(|wanted| wanted == row.sha256),
            "the base signature that the saved disk names is gone, and {id} has another by now"
        );
        read_signature(layout, row).with_context(|| format!("the signature of {id}"))
    }
}

fn sha256(hex: &str) -> anyhow::Result<[u8; 32]> {
    let words = format!("DISK=x LOADPART=0 BOOTPART=1 BASESHA256={hex}");
    let digest = Part::parse(words.as_bytes()).ok().and_then(|part| part.base_sha256);
    digest.with_context(|| format!("{hex:?} is no SHA-256 of an image"))
}
